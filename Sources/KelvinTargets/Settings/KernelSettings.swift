internal import KelvinConnections
internal import KelvinModel

/// What the kernel does with memory, interrupts and USB devices.
///
/// Sources: Linux Documentation/admin-guide/mm/transhuge.rst, core-api/irq/irq-affinity.rst,
/// driver-api/usb/power-management.rst.
struct KernelSettings: SettingFamily {
  static let declarations: [SettingDeclaration] = [
    .init(
      "transparent_hugepages", .choice(["always", "madvise", "never"]),
      aliases: ["transparent_hugepage"], group: "memory", "When memory gets huge pages."),
    .init(
      "hugepage_defrag", .choice(["always", "defer", "defer+madvise", "madvise", "never"]),
      group: "memory", "How hard the kernel tries to make them."),
    .init(
      "irq_affinity", .map(.text), group: "interrupts",
      "On which CPUs interrupts are handled, by number, by the name of the device or action, "
        + "'default' for those to come, or 'all' for those that can be moved: '{all: 0, eth0: 1-3}'."
    ),
    .init(
      "usb_autosuspend", .boolean, group: "usb",
      "Whether USB devices that are idle may be suspended.")
  ]

  struct Interrupt: Sendable, Hashable {
    var number: Int
    var names: [String]
    var cpus: String?
  }

  private static let pages = "/sys/kernel/mm/transparent_hugepage"
  private static let usb = "/sys/bus/usb/devices"

  var hugepages: String?
  var defrag: String?
  var defaultAffinity: String?
  var interrupts: [Interrupt]
  /// `power/control` by path.
  var usbControls: [String: String]

  static func read(
    _ board: SettingsReader, until deadline: Deadline
  ) async throws(ConnectionFailure) -> KernelSettings {
    let numbers = try await board.entries(below: "/proc/irq", depth: 2, until: deadline)
    let devices = try await board.names(in: usb, until: deadline).filter { !$0.contains(":") }
    var names: [Int: [String]] = [:]
    for entry in numbers {
      let parts = entry.path.string.split(separator: "/")
      guard parts.count >= 3, let number = Int(parts[2]) else { continue }
      names[number, default: []] += []
      if parts.count == 4, case .directory = entry.kind { names[number]?.append(String(parts[3])) }
    }
    let sorted = names.keys.sorted()
    let texts = try await board.texts(
      ["\(pages)/enabled", "\(pages)/defrag", "/proc/irq/default_smp_affinity"]
        + sorted.map { "/proc/irq/\($0)/smp_affinity_list" }
        + devices.map { "\(usb)/\($0)/power/control" }, until: deadline)
    var controls: [String: String] = [:]
    for (device, text) in zip(devices, texts.dropFirst(3 + sorted.count)) {
      controls["\(usb)/\(device)/power/control"] = text
    }
    return KernelSettings(
      hugepages: texts[0], defrag: texts[1], defaultAffinity: texts[2],
      interrupts: sorted.enumerated().map { index, number in
        Interrupt(number: number, names: names[number] ?? [], cpus: texts[3 + index])
      }, usbControls: controls)
  }

  func wishes(
    for settings: [NamedSetting], cpus: CPUTopology, online: Set<Int>
  ) throws(SettingFailure) -> [SettingWish] {
    var wishes: [SettingWish] = []
    for setting in settings {
      let name = setting.name.description
      let value = setting.value.text ?? ""
      switch setting.name.base {
      case "transparent_hugepages":
        wishes.append(try pages("enabled", hugepages, "transparent huge pages", value, name))
      case "hugepage_defrag":
        wishes.append(try pages("defrag", defrag, "defragmentation", value, name))
      case "usb_autosuspend":
        guard !usbControls.isEmpty else {
          throw SettingFailure(.notOffered, "\(name): the board has no USB devices")
        }
        let control = setting.value.boolean == true ? "auto" : "on"
        wishes += usbControls.keys.sorted().map {
          SettingWish(
            SettingPoint(file: $0, "autosuspend of \($0.split(separator: "/")[4])"), control,
            setting: name)
        }
      case "irq_affinity":
        for (which, list) in (setting.value.map ?? [:]).sorted(by: { $0.key < $1.key }) {
          wishes += try affinity(which, list.display, cpus: cpus, name)
        }
      default: break
      }
    }
    return wishes
  }

  private func pages(
    _ file: String, _ current: String?, _ label: String, _ value: String, _ setting: String
  ) throws(SettingFailure) -> SettingWish {
    let choices = current?.words.map { $0.trimmingCharacters { $0 == "[" || $0 == "]" } } ?? []
    guard choices.contains(value) else {
      throw SettingFailure(
        .notOffered,
        "\(setting): "
          + (current == nil ? "the board's kernel has none" : "'\(value)' is not offered"),
        hint: NearestName.hint(for: value, in: choices))
    }
    return SettingWish(
      SettingPoint(file: "\(KernelSettings.pages)/\(file)", label), value, setting: setting)
  }

  private func affinity(
    _ which: String, _ list: String, cpus: CPUTopology, _ setting: String
  ) throws(SettingFailure) -> [SettingWish] {
    guard let wanted = CPUList.parse(list), !wanted.isEmpty else {
      throw SettingFailure(
        .notOffered, "\(setting): \(which): '\(list)' is no list of CPUs", hint: "write '0-3,6'")
    }
    if let missing = wanted.first(where: { !cpus.numbers.contains($0) }) {
      throw SettingFailure(
        .notOffered, "\(setting): \(which): the board has no CPU \(missing)",
        hint: "it has \(CPUList.text(cpus.numbers))")
    }
    if which == "default" {
      // A mask, in words of 32 bits with commas between.
      return [
        SettingWish(
          SettingPoint(file: "/proc/irq/default_smp_affinity", "affinity of interrupts to come"),
          KernelSettings.mask(wanted, like: defaultAffinity ?? ""), setting: setting)
      ]
    }
    let found =
      which == "all"
      ? interrupts.filter { $0.cpus != nil }
      : interrupts.filter { Int(which) == $0.number || $0.names.contains(which) }
    guard !found.isEmpty else {
      throw SettingFailure(
        .notOffered, "\(setting): the board has no interrupt '\(which)'",
        hint: NearestName.hint(for: which, in: interrupts.flatMap(\.names)))
    }
    return found.map { interrupt in
      SettingWish(
        SettingPoint(
          file: "/proc/irq/\(interrupt.number)/smp_affinity_list",
          "affinity of interrupt \(interrupt.number)", .cpuList), list, setting: setting,
        isOptional: which == "all")
    }
  }

  /// A CPU mask in the form of another: hexadecimal words of up to eight digits.
  static func mask(_ cpus: [Int], like other: String) -> String {
    let words = max(1, other.split(separator: ",").count, (cpus.max() ?? 0) / 32 + 1)
    let width = other.split(separator: ",").last?.count ?? 1
    return (0..<words).reversed().map { word in
      let bits = cpus.filter { $0 / 32 == word }.reduce(UInt32(0)) { $0 | 1 << UInt32($1 % 32) }
      let digits = String(bits, radix: 16)
      let least = words > 1 && word < words - 1 ? 8 : min(width, 8)
      return String(repeating: "0", count: max(0, least - digits.count)) + digits
    }.joined(separator: ",")
  }

  func offers(cpus: CPUTopology) -> [SettingOffer] {
    var offers: [SettingOffer] = []
    for (name, file, current) in [
      ("transparent_hugepages", "enabled", hugepages), ("hugepage_defrag", "defrag", defrag)
    ] {
      guard let current else { continue }
      offers.append(
        SettingOffer(
          name, value: SettingMeaning.chosen(current),
          range: current.words.map { $0.trimmingCharacters { $0 == "[" || $0 == "]" } }
            .joined(separator: ", "), source: "\(KernelSettings.pages)/\(file)"))
    }
    for interrupt in interrupts where interrupt.cpus != nil {
      let name = interrupt.names.first ?? "\(interrupt.number)"
      offers.append(
        SettingOffer(
          "irq_affinity: \(name)", value: interrupt.cpus, range: CPUList.text(cpus.numbers),
          source: "/proc/irq/\(interrupt.number)/smp_affinity_list"))
    }
    for (path, control) in usbControls.sorted(by: { $0.key < $1.key }) {
      offers.append(
        SettingOffer(
          "usb_autosuspend", value: control == "auto" ? "true" : "false", range: "true, false",
          source: path))
    }
    return offers
  }
}

extension String {
  /// Without such characters at both ends.
  func trimmingCharacters(where isDropped: (Character) -> Bool) -> String {
    var text = self[...]
    while let first = text.first, isDropped(first) { text.removeFirst() }
    while let last = text.last, isDropped(last) { text.removeLast() }
    return String(text)
  }
}
