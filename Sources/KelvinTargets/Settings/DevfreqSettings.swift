internal import KelvinConnections
internal import KelvinModel

/// Governors and frequencies of devices other than CPUs: memory controllers, buses, GPUs.
///
/// Sources: Linux Documentation/ABI/testing/sysfs-class-devfreq (Hz); for Intel's GPUs
/// drivers/gpu/drm/i915/i915_sysfs.c (MHz).
struct DevfreqSettings: SettingFamily {
  private static let frequency = OptionType.word(
    ["min", "max"], or: .quantity(.frequency, bare: "Hz"))
  private static let note = "recorded trees only"

  static let declarations: [SettingDeclaration] = [
    .init(
      "devfreq",
      .map(
        .structure(
          [
            .init("governor", .text, "What chooses the frequency."),
            .init("frequency", frequency, "One fixed frequency, by limits that leave no other."),
            .init("min_frequency", frequency, "The lowest that may be chosen."),
            .init("max_frequency", frequency, "The highest that may be chosen.")
          ], shorthand: "governor")), group: "devfreq", verified: note,
      "By a device's name in /sys/class/devfreq, or a part of it that fits one device only. Bare "
        + "numbers are Hz."),
    .init("gpu_governor", .text, group: "devfreq", verified: note, "As 'devfreq', of the GPU."),
    .init(
      "gpu_frequency", frequency, group: "devfreq", verified: note, "As 'devfreq', of the GPU."),
    .init(
      "gpu_min_frequency", frequency, group: "devfreq", verified: note, "As 'devfreq', of the GPU."),
    .init(
      "gpu_max_frequency", frequency, group: "devfreq", verified: note, "As 'devfreq', of the GPU.")
  ]

  static func conflicts(_ settings: [NamedSetting]) -> [SettingVocabulary.Problem] {
    var problems: [SettingVocabulary.Problem] = []
    func check(_ setting: String, _ asked: [String: Value], _ owner: String) {
      if asked["frequency"] != nil,
        asked["min_frequency"] != nil || asked["max_frequency"] != nil
      {
        problems.append(
          .init(setting, "\(owner): a fixed frequency excludes limits", hint: "remove one of them"))
      }
      if let low = asked["min_frequency"]?.number, let high = asked["max_frequency"]?.number,
        high < low
      {
        problems.append(
          .init(setting, "\(owner): the highest frequency is below the lowest", hint: "swap them"))
      }
    }
    var gpu: [String: Value] = [:]
    var named = ""
    for setting in settings {
      if setting.name.base == "devfreq" {
        for (device, asked) in setting.value.map ?? [:] {
          check("devfreq", asked.map ?? [:], device)
        }
      } else if setting.name.base.hasPrefix("gpu_") {
        gpu[String(setting.name.base.dropFirst(4))] = setting.value
        if named.isEmpty { named = setting.name.description }
      }
    }
    check(named, gpu, "GPU")
    return problems
  }

  struct Device: Sendable, Hashable {
    var name: String
    var isGPU: Bool
    var governorFile: String?
    var minFile: String
    var maxFile: String
    /// What one step of the files' numbers is, in Hz.
    var unit: Double
    var governor: String?
    var governors: [String]
    /// Ascending, in the files' unit; empty where any is taken.
    var frequencies: [Int]
    var limits: (min: Int, max: Int)
    var hardware: (min: Int, max: Int)?

    static func == (a: Device, b: Device) -> Bool { a.name == b.name && a.minFile == b.minFile }
    func hash(into hasher: inout Hasher) { hasher.combine(minFile) }
  }
  var devices: [Device]

  static func read(
    _ board: SettingsReader, until deadline: Deadline
  ) async throws(ConnectionFailure) -> DevfreqSettings {
    let root = "/sys/class/devfreq"
    let names = try await board.names(in: root, until: deadline).sorted()
    let cards = try await board.names(in: "/sys/class/drm", until: deadline)
      .filter { $0.hasPrefix("card") && Int($0.dropFirst(4)) != nil }.sorted()
    let files = [
      "governor", "available_governors", "available_frequencies", "min_freq", "max_freq"
    ]
    let gpuFiles = ["gt_min_freq_mhz", "gt_max_freq_mhz", "gt_RPn_freq_mhz", "gt_RP0_freq_mhz"]
    let texts = try await board.texts(
      names.flatMap { name in files.map { "\(root)/\(name)/\($0)" } }
        + cards.flatMap { card in gpuFiles.map { "/sys/class/drm/\(card)/\($0)" } },
      until: deadline)
    var devices: [Device] = []
    for (index, name) in names.enumerated() {
      let text = Array(texts[(index * files.count)..<((index + 1) * files.count)])
      guard let min = text[3].flatMap({ Int($0) }), let max = text[4].flatMap({ Int($0) }) else {
        continue
      }
      let folded = name.lowercased()
      devices.append(
        Device(
          name: name, isGPU: ["gpu", "mali", "kgsl", "g3d"].contains { folded.contains($0) },
          governorFile: "\(root)/\(name)/governor", minFile: "\(root)/\(name)/min_freq",
          maxFile: "\(root)/\(name)/max_freq", unit: 1, governor: text[0],
          governors: text[1]?.words ?? [],
          frequencies: (text[2]?.words ?? []).compactMap { Int($0) }.sorted(), limits: (min, max)))
    }
    for (index, card) in cards.enumerated() {
      let first = names.count * files.count + index * gpuFiles.count
      let numbers = texts[first..<(first + gpuFiles.count)].map { $0.flatMap { Int($0) } }
      guard let min = numbers[0], let max = numbers[1] else { continue }
      devices.append(
        Device(
          name: card, isGPU: true, governorFile: nil,
          minFile: "/sys/class/drm/\(card)/gt_min_freq_mhz",
          maxFile: "/sys/class/drm/\(card)/gt_max_freq_mhz", unit: 1e6, governor: nil,
          governors: [], frequencies: [], limits: (min, max),
          hardware: numbers[2].flatMap { low in numbers[3].map { (low, $0) } }))
    }
    return DevfreqSettings(devices: devices)
  }

  func wishes(
    for settings: [NamedSetting], cpus: CPUTopology, online: Set<Int>
  ) throws(SettingFailure) -> [SettingWish] {
    var wishes: [SettingWish] = []
    for setting in settings {
      let name = setting.name.description
      if setting.name.base == "devfreq" {
        for (which, asked) in (setting.value.map ?? [:]).sorted(by: { $0.key < $1.key }) {
          for (key, value) in (asked.map ?? [:]).sorted(by: { $0.key < $1.key }) {
            wishes += try self.wishes(try device(named: which), key, value, name)
          }
        }
      } else if setting.name.base.hasPrefix("gpu_") {
        let gpus = devices.filter(\.isGPU)
        guard gpus.count == 1 else {
          throw SettingFailure(
            .notOffered,
            gpus.isEmpty
              ? "\(name): the board has no GPU whose frequency can be set"
              : "\(name): the board has several GPUs",
            hint: gpus.isEmpty
              ? "neither /sys/class/devfreq nor /sys/class/drm has one"
              : "write 'devfreq' with a name: \(gpus.map(\.name).joined(separator: ", "))")
        }
        wishes += try self.wishes(
          gpus[0], String(setting.name.base.dropFirst(4)), setting.value, name)
      }
    }
    return wishes
  }

  private func device(named name: String) throws(SettingFailure) -> Device {
    if let exact = devices.first(where: { $0.name == name }) { return exact }
    let found = devices.filter { $0.name.lowercased().contains(name.lowercased()) }
    guard found.count == 1 else {
      throw SettingFailure(
        .notOffered,
        found.isEmpty
          ? "devfreq: the board has no device '\(name)'"
          : "devfreq: '\(name)' fits several devices",
        hint: NearestName.hint(for: name, in: (found.isEmpty ? devices : found).map(\.name)))
    }
    return found[0]
  }

  private func wishes(
    _ device: Device, _ key: String, _ value: Value, _ setting: String
  ) throws(SettingFailure) -> [SettingWish] {
    func limit(_ isUpper: Bool, _ number: Int) -> SettingWish {
      SettingWish(
        SettingPoint(
          file: isUpper ? device.maxFile : device.minFile,
          "\(isUpper ? "highest" : "lowest") frequency of \(device.name)", .number, stage: .limit,
          limit: isUpper ? .upper(than: device.minFile) : .lower(than: device.maxFile)),
        "\(number)", setting: setting)
    }
    switch key {
    case "governor":
      let governor = value.text ?? ""
      guard let file = device.governorFile, device.governors.contains(governor) else {
        throw SettingFailure(
          .notOffered, "\(setting): \(device.name) has no governor '\(governor)'",
          hint: NearestName.hint(for: governor, in: device.governors))
      }
      return [
        SettingWish(
          SettingPoint(file: file, "governor of \(device.name)", stage: .governor), governor,
          setting: setting)
      ]
    case "frequency":
      let number = try self.number(device, value, setting)
      return [limit(false, number), limit(true, number)]
    case "min_frequency": return [limit(false, try number(device, value, setting))]
    case "max_frequency": return [limit(true, try number(device, value, setting))]
    default: return []
    }
  }

  private func number(
    _ device: Device, _ value: Value, _ setting: String
  ) throws(SettingFailure) -> Int {
    let lowest = device.frequencies.first ?? device.hardware?.min ?? device.limits.min
    let highest = device.frequencies.last ?? device.hardware?.max ?? device.limits.max
    switch value.text {
    case "min": return lowest
    case "max": return highest
    default: break
    }
    let wanted = Int(((value.number ?? 0) / device.unit).rounded())
    guard device.frequencies.isEmpty || device.frequencies.contains(wanted) else {
      throw SettingFailure(
        .notOffered, "\(setting): \(device.name) cannot run at \(text(wanted, device))",
        hint: "it can run at "
          + device.frequencies.map { text($0, device) }.joined(separator: ", "))
    }
    return wanted
  }

  private func text(_ number: Int, _ device: Device) -> String {
    let megahertz = Double(number) * device.unit / 1e6
    return megahertz == megahertz.rounded() ? "\(Int(megahertz)) MHz" : "\(megahertz) MHz"
  }

  func offers(cpus: CPUTopology) -> [SettingOffer] {
    devices.flatMap { device in
      let range = device.frequencies.map { text($0, device) }.joined(separator: ", ")
      var offers: [SettingOffer] = []
      if let file = device.governorFile {
        offers.append(
          SettingOffer(
            "devfreq: \(device.name): governor", value: device.governor,
            range: device.governors.joined(separator: ", "), source: file))
      }
      offers.append(
        SettingOffer(
          "devfreq: \(device.name): min_frequency", value: text(device.limits.min, device),
          range: range, source: device.minFile))
      offers.append(
        SettingOffer(
          "devfreq: \(device.name): max_frequency", value: text(device.limits.max, device),
          range: range, source: device.maxFile))
      return offers
    }
  }
}
