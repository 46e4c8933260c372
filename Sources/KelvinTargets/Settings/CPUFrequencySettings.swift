internal import KelvinConnections
internal import KelvinModel

/// Governors, frequencies and their limits of cpufreq policies: CPUs that share a clock.
///
/// Source: Linux Documentation/admin-guide/pm/cpufreq.rst. Frequencies are in kHz there.
struct CPUFrequencySettings: SettingFamily {
  private static let frequency = OptionType.word(
    ["min", "max"], or: .quantity(.frequency, bare: "kHz"))

  static let staysOverBoots = true

  static let declarations: [SettingDeclaration] = [
    .init("governor", .text, reach: .cpus, group: "cpufreq", "What chooses the frequency."),
    .init(
      "gov_tunables", .map(.any), aliases: ["governor_tunables"], reach: .cpus, group: "cpufreq",
      "Parameters of the governor, by their names in sysfs. They need 'governor' beside them, or "
        + "hold for the one that is there."),
    .init(
      "frequency", frequency, reach: .cpus, range: 1e3...1e11, group: "cpufreq",
      "One fixed frequency: by the governor 'userspace' where it is offered and no other is asked "
        + "for, else by limits that leave nothing else. 'min' and 'max' are what the hardware can; "
        + "bare numbers are kHz."),
    .init(
      "min_frequency", frequency, reach: .cpus, range: 1e3...1e11, group: "cpufreq",
      "The lowest frequency that may be chosen."),
    .init(
      "max_frequency", frequency, reach: .cpus, range: 1e3...1e11, group: "cpufreq",
      "The highest frequency that may be chosen."),
    .init(
      "energy_performance_preference", .text, reach: .cpus, group: "cpufreq",
      verified: "recorded trees only",
      "What the hardware is told to prefer (intel_pstate, amd-pstate): 'performance', 'power', ..."),
    .init(
      "boost", .boolean, group: "cpufreq", verified: "recorded trees only",
      "Whether frequencies above the nominal one may be used.")
  ]

  static func conflicts(_ settings: [NamedSetting]) -> [SettingVocabulary.Problem] {
    var problems: [SettingVocabulary.Problem] = []
    func find(_ base: String, _ scope: SettingScope) -> NamedSetting? {
      settings.first { $0.name == SettingName(base, scope) }
    }
    for setting in settings where setting.name.base == "frequency" {
      for base in ["min_frequency", "max_frequency"] {
        guard let limit = find(base, setting.name.scope) else { continue }
        problems.append(
          .init(
            setting.name.description, "a fixed frequency excludes '\(limit.name)'",
            hint: "remove one of them"))
      }
    }
    for setting in settings where setting.name.base == "max_frequency" {
      guard let lower = find("min_frequency", setting.name.scope) else { continue }
      let contradicts: Bool
      if let max = setting.value.number, let min = lower.value.number {
        contradicts = max < min
      } else {
        contradicts = setting.value.text == "min" && lower.value.text == "max"
      }
      guard contradicts else { continue }
      problems.append(
        .init(setting.name.description, "is below '\(lower.name)'", hint: "swap the two"))
    }
    return problems
  }

  /// CPUs that share a clock, as the kernel says.
  struct Policy: Sendable, Hashable {
    var number: Int
    var cpus: [Int]
    var governors: [String]
    /// In kHz, ascending; empty where the driver takes any.
    var frequencies: [Int]
    /// What the hardware can, in kHz.
    var hardware: ClosedRange<Int>
    var governor: String
    var limits: ClosedRange<Int>
    var preferences: [String]
    var preference: String?
    var speed: Int?

    var root: String { "/sys/devices/system/cpu/cpufreq/policy\(number)" }
    /// `cpu0-1`.
    var label: String { "cpu" + CPUList.text(cpus) }
  }

  /// Those that some CPU is online of.
  var policies: [Policy]
  /// Current values of governors' parameters, by path.
  var tunables: [String: String]
  var boost: (path: String, value: String)?

  // MARK: Reading

  private static let root = "/sys/devices/system/cpu/cpufreq"
  private static let files = [
    "related_cpus", "scaling_available_governors", "scaling_available_frequencies",
    "cpuinfo_min_freq", "cpuinfo_max_freq", "scaling_governor", "scaling_min_freq",
    "scaling_max_freq", "scaling_setspeed", "energy_performance_available_preferences",
    "energy_performance_preference", "scaling_boost_frequencies"
  ]
  private static let boosts = [
    "\(root)/boost", "/sys/devices/system/cpu/intel_pstate/no_turbo"
  ]

  static func read(
    _ board: SettingsReader, until deadline: Deadline
  ) async throws(ConnectionFailure) -> CPUFrequencySettings {
    let entries = try await board.entries(below: root, depth: 3, until: deadline)
    let names = Set(
      entries.compactMap { entry -> Int? in
        let parts = entry.path.string.dropFirst(root.count + 1).split(separator: "/")
        guard let first = parts.first, first.hasPrefix("policy") else { return nil }
        return Int(first.dropFirst(6))
      }
    ).sorted()
    // Parameters of governors: policyN/GOVERNOR/NAME or GOVERNOR/NAME.
    let parameters = entries.filter { entry in
      guard case .file = entry.kind else { return false }
      let parts = entry.path.string.dropFirst(root.count + 1).split(separator: "/")
      let isPolicy = parts.first?.hasPrefix("policy") == true
      return parts.count == (isPolicy ? 3 : 2) && !(isPolicy && parts[1] == "stats")
    }.map(\.path.string)
    let texts = try await board.texts(
      names.flatMap { name in files.map { "\(root)/policy\(name)/\($0)" } } + parameters + boosts,
      until: deadline)
    let policies = names.enumerated().compactMap { index, number -> Policy? in
      var policy = policy(number, Array(texts[(index * files.count)..<((index + 1) * files.count)]))
      // Parameters of "the governor that is there" are those of the board's own, not of another job's.
      if let root = policy?.root, let original = board.originals["\(root)/scaling_governor"] {
        policy?.governor = original
      }
      return policy
    }
    let rest = texts[(names.count * files.count)...]
    var tunables: [String: String] = [:]
    for (path, text) in zip(parameters, rest) { tunables[path] = text }
    let boost = zip(boosts, rest.dropFirst(parameters.count)).first { $0.1 != nil }
    return CPUFrequencySettings(
      policies: policies, tunables: tunables, boost: boost.map { ($0.0, $0.1 ?? "") })
  }

  /// Nil for a policy without a CPU that is online: its files give EBUSY.
  private static func policy(_ number: Int, _ texts: [String?]) -> Policy? {
    guard let cpus = texts[0].map({ $0.words.compactMap { Int($0) } }), !cpus.isEmpty,
      let low = texts[3].flatMap({ Int($0) }), let high = texts[4].flatMap({ Int($0) }),
      low <= high, let governor = texts[5], let min = texts[6].flatMap({ Int($0) }),
      let max = texts[7].flatMap({ Int($0) })
    else { return nil }
    let frequencies = [texts[2], texts[11]].flatMap { $0?.words ?? [] }.compactMap { Int($0) }
    return Policy(
      number: number, cpus: cpus, governors: texts[1]?.words ?? [],
      frequencies: Set(frequencies).sorted(), hardware: low...high, governor: governor,
      limits: Swift.min(min, max)...Swift.max(min, max), preferences: texts[9]?.words ?? [],
      preference: texts[10], speed: texts[8].flatMap { Int($0) })
  }
}
