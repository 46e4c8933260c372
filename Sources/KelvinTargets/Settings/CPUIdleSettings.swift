internal import KelvinConnections
internal import KelvinModel

/// Which idle states CPUs may enter, and who chooses.
///
/// Source: Linux Documentation/admin-guide/pm/cpuidle.rst.
struct CPUIdleSettings: SettingFamily {
  static let declarations: [SettingDeclaration] = [
    .init(
      "idle_states", .list(.text), reach: .cpus, group: "cpuidle",
      verified: "a virtual machine's idle driver (haltpoll)",
      "The idle states that CPUs may enter, by name or description; 'all' or 'none'. Those that are "
        + "not listed are disabled."),
    .init(
      "cpuidle_governor", .text, group: "cpuidle",
      verified: "a virtual machine's idle driver (haltpoll)",
      "What chooses the idle state, for all CPUs."),
    .init(
      "max_wakeup_latency", .word(["any", "none"], or: .quantity(.time, bare: "us")),
      aliases: ["resume_latency"], reach: .cpus, range: 0...1, group: "cpuidle",
      "How long a CPU may take to wake up (PM QoS): states that take longer are not entered. 'none' "
        + "allows no idle state with a latency at all, 'any' all of them; bare numbers are "
        + "microseconds.")
  ]

  struct State: Sendable, Hashable {
    var index: Int
    var name: String
    var description: String
    var isDisabled: Bool
  }

  /// By CPU; those without cpuidle are left out.
  var states: [Int: [State]]
  var governors: [String]
  var governor: (path: String, value: String)?
  /// `pm_qos_resume_latency_us` by CPU.
  var latencies: [Int: String]

  private static let root = "/sys/devices/system/cpu"
  private static let governorFiles = [
    "\(root)/cpuidle/current_governor", "\(root)/cpuidle/current_governor_ro"
  ]

  static func read(
    _ board: SettingsReader, until deadline: Deadline
  ) async throws(ConnectionFailure) -> CPUIdleSettings {
    let entries = try await board.entries(below: root, depth: 3, until: deadline)
    var found: [(cpu: Int, state: Int)] = []
    var cpus: [Int] = []
    for entry in entries {
      let parts = entry.path.string.dropFirst(root.count + 1).split(separator: "/")
      guard parts[0].hasPrefix("cpu"), let cpu = Int(parts[0].dropFirst(3)) else { continue }
      if parts.count == 1 { cpus.append(cpu) }
      if parts.count == 3, parts[1] == "cpuidle", parts[2].hasPrefix("state"),
        let state = Int(parts[2].dropFirst(5))
      {
        found.append((cpu, state))
      }
    }
    let files = ["name", "desc", "disable"]
    let texts = try await board.texts(
      ["\(root)/cpuidle/available_governors"] + governorFiles
        + cpus.map { "\(root)/cpu\($0)/power/pm_qos_resume_latency_us" }
        + found.flatMap { state in
          files.map { "\(root)/cpu\(state.cpu)/cpuidle/state\(state.state)/\($0)" }
        }, until: deadline)
    var latencies: [Int: String] = [:]
    for (cpu, text) in zip(cpus, texts.dropFirst(3)) { latencies[cpu] = text }
    var states: [Int: [State]] = [:]
    let first = 3 + cpus.count
    for (index, state) in found.enumerated() {
      let at = first + index * files.count
      guard let disabled = texts[at + 2] else { continue }
      states[state.cpu, default: []].append(
        State(
          index: state.state, name: texts[at] ?? "state\(state.state)",
          description: texts[at + 1] ?? "", isDisabled: disabled != "0"))
    }
    return CPUIdleSettings(
      states: states.mapValues { $0.sorted { $0.index < $1.index } },
      governors: texts[0]?.words ?? [],
      governor: zip(governorFiles, texts[1...2]).first { $0.1 != nil }.map { ($0.0, $0.1 ?? "") },
      latencies: latencies)
  }

  func wishes(
    for settings: [NamedSetting], cpus: CPUTopology, online: Set<Int>
  ) throws(SettingFailure) -> [SettingWish] {
    var wishes: [SettingWish] = []
    for setting in settings {
      let name = setting.name.description
      switch setting.name.base {
      case "cpuidle_governor": wishes.append(try governorWish(setting.value.text ?? "", name))
      case "max_wakeup_latency":
        let text: String
        switch setting.value {
        case .text("any"): text = "0"
        case .text("none"): text = "n/a"
        // 0 means 'any' to the kernel.
        case let value:
          let micros = Int(((value.number ?? 0) * 1e6).rounded())
          text = micros == 0 ? "n/a" : "\(micros)"
        }
        let meant = try cpus.cpus(in: setting.name.scope, of: name).filter { latencies[$0] != nil }
        guard !meant.isEmpty else {
          throw SettingFailure(
            .notOffered, "\(name): the board's kernel has no PM QoS for CPUs",
            hint: "there is no /sys/devices/system/cpu/cpu0/power/pm_qos_resume_latency_us")
        }
        wishes += meant.map { cpu in
          SettingWish(
            SettingPoint(
              file: "\(CPUIdleSettings.root)/cpu\(cpu)/power/pm_qos_resume_latency_us",
              "wake-up latency of cpu\(cpu)", stage: .idle), text, setting: name)
        }
      case "idle_states":
        let wanted = (setting.value.list ?? []).compactMap(\.text)
        for cpu in try cpus.cpus(in: setting.name.scope, of: name) where online.contains(cpu) {
          wishes += try stateWishes(wanted, cpu, name)
        }
      default: break
      }
    }
    return wishes
  }

  private func stateWishes(
    _ wanted: [String], _ cpu: Int, _ setting: String
  ) throws(SettingFailure) -> [SettingWish] {
    guard let states = states[cpu], !states.isEmpty else {
      throw SettingFailure(
        .notOffered, "\(setting): cpu\(cpu) has no idle states",
        hint: "its kernel has no cpuidle driver for it; most virtual machines have none")
    }
    let allowed: Set<Int>
    switch wanted {
    case ["all"]: allowed = Set(states.map(\.index))
    case ["none"], []: allowed = []
    default:
      var indices: Set<Int> = []
      for name in wanted {
        let found = states.filter { $0.name == name || $0.description == name }
        guard !found.isEmpty else {
          throw SettingFailure(
            .notOffered, "\(setting): cpu\(cpu) has no idle state '\(name)'",
            hint: NearestName.hint(for: name, in: states.map(\.name)))
        }
        indices.formUnion(found.map(\.index))
      }
      allowed = indices
    }
    return states.map { state in
      SettingWish(
        SettingPoint(
          file: "\(CPUIdleSettings.root)/cpu\(cpu)/cpuidle/state\(state.index)/disable",
          "whether idle state \(state.name) of cpu\(cpu) is disabled", .number, stage: .idle,
          cpus: [cpu]), allowed.contains(state.index) ? "0" : "1", setting: setting)
    }
  }

  private func governorWish(
    _ wanted: String, _ setting: String
  ) throws(SettingFailure) -> SettingWish {
    guard let governor, governors.contains(wanted) else {
      throw SettingFailure(
        .notOffered, "\(setting): the board has no cpuidle governor '\(wanted)'",
        hint: NearestName.hint(for: wanted, in: governors))
    }
    guard !governor.path.hasSuffix("_ro") else {
      throw SettingFailure(
        .notOffered, "\(setting): this kernel changes it only at boot",
        hint: "boot with 'cpuidle.governor=\(wanted)', or 'cpuidle_sysfs_switch' before Linux 5.8")
    }
    return SettingWish(
      SettingPoint(file: governor.path, "cpuidle governor", stage: .idle), wanted, setting: setting)
  }

  func offers(cpus: CPUTopology) -> [SettingOffer] {
    var offers: [SettingOffer] = []
    if let governor {
      offers.append(
        SettingOffer(
          "cpuidle_governor", value: governor.value, range: governors.joined(separator: ", "),
          source: governor.path))
    }
    for (cpu, states) in states.sorted(by: { $0.key < $1.key }) {
      offers.append(
        SettingOffer(
          "cpu\(cpu)_idle_states",
          value: states.filter { !$0.isDisabled }.map(\.name).joined(separator: ", "),
          range: states.map(\.name).joined(separator: ", "),
          source: "\(CPUIdleSettings.root)/cpu\(cpu)/cpuidle/stateN/disable"))
    }
    for (cpu, text) in latencies.sorted(by: { $0.key < $1.key }) {
      offers.append(
        SettingOffer(
          "cpu\(cpu)_max_wakeup_latency",
          value: text == "0" ? "any" : text == "n/a" ? "none" : "\(text) us",
          range: "any, none, or a time",
          source: "\(CPUIdleSettings.root)/cpu\(cpu)/power/pm_qos_resume_latency_us"))
    }
    return offers
  }
}
