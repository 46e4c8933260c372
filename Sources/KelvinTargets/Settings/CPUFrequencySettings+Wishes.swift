internal import KelvinModel

extension CPUFrequencySettings {
  /// What settings ask of one policy.
  private struct Asked {
    var governor: (value: String, setting: String)?
    var frequency: (value: Int, setting: String)?
    var low: (value: Int, setting: String)?
    var high: (value: Int, setting: String)?
    var preference: (value: String, setting: String)?
    var tunables: (values: [String: Value], setting: String)?
  }

  func wishes(
    for settings: [NamedSetting], cpus: CPUTopology, online: Set<Int>
  ) throws(SettingFailure) -> [SettingWish] {
    var asked: [Int: Asked] = [:]
    var wishes: [SettingWish] = []
    for setting in settings {
      if setting.name.base == "boost" {
        wishes.append(try boostWish(setting))
        continue
      }
      guard CPUFrequencySettings.declarations.contains(where: { $0.name == setting.name.base })
      else { continue }
      for policy in try policies(of: setting, cpus: cpus, online: online) {
        try take(setting, policy, &asked[policy.number, default: Asked()])
      }
    }
    for policy in policies {
      guard let asked = asked[policy.number] else { continue }
      wishes += try self.wishes(policy, asked)
    }
    return wishes
  }

  /// The policies that a setting means, each once.
  private func policies(
    of setting: NamedSetting, cpus: CPUTopology, online: Set<Int>
  ) throws(SettingFailure) -> [Policy] {
    let name = setting.name.description
    guard !policies.isEmpty else {
      throw SettingFailure(
        .notOffered, "\(name): the board does not change its CPUs' frequencies",
        hint: "its kernel has no cpufreq driver for them; most virtual machines have none")
    }
    let meant = try cpus.cpus(in: setting.name.scope, of: name)
    if case .cpu(let number) = setting.name.scope, !online.contains(number) {
      throw SettingFailure(
        .contradiction, "\(name): CPU \(number) is offline in this job",
        hint: "remove the setting, or leave the CPU online")
    }
    let wanted = Set(meant).intersection(online)
    return policies.filter { !wanted.isDisjoint(with: $0.cpus) }
  }

  private func take(
    _ setting: NamedSetting, _ policy: Policy, _ asked: inout Asked
  ) throws(SettingFailure) {
    let name = setting.name.description
    func once<T: Equatable>(
      _ earlier: (value: T, setting: String)?, _ value: T
    ) throws(SettingFailure) -> (value: T, setting: String) {
      if let earlier, earlier.value != value {
        throw SettingFailure(
          .contradiction,
          "'\(name)' and '\(earlier.setting)' ask for different values of \(policy.label), which "
            + "share a clock",
          hint: "write one of them")
      }
      return (value, name)
    }
    switch setting.name.base {
    case "governor":
      let governor = setting.value.text ?? ""
      guard policy.governors.isEmpty || policy.governors.contains(governor) else {
        throw SettingFailure(
          .notOffered, "\(name): \(policy.label) has no governor '\(governor)'",
          hint: NearestName.of(governor, in: policy.governors).map { "did you mean '\($0)'?" }
            ?? "it has \(policy.governors.joined(separator: ", ")); others may be modules, such as "
            + "cpufreq_\(governor)")
      }
      asked.governor = try once(asked.governor, governor)
    case "frequency":
      asked.frequency = try once(asked.frequency, kilohertz(setting, policy))
    case "min_frequency": asked.low = try once(asked.low, kilohertz(setting, policy))
    case "max_frequency": asked.high = try once(asked.high, kilohertz(setting, policy))
    case "energy_performance_preference":
      let preference = setting.value.text ?? ""
      guard policy.preference != nil,
        policy.preferences.isEmpty || policy.preferences.contains(preference)
      else {
        throw SettingFailure(
          .notOffered, "\(name): \(policy.label) has no preference '\(preference)'",
          hint: NearestName.hint(for: preference, in: policy.preferences))
      }
      asked.preference = try once(asked.preference, preference)
    case "gov_tunables":
      let values = setting.value.map ?? [:]
      if let earlier = asked.tunables, earlier.values != values {
        throw SettingFailure(
          .contradiction,
          "'\(name)' and '\(earlier.setting)' ask for different parameters of \(policy.label)",
          hint: "write one of them")
      }
      asked.tunables = (values, name)
    default: break
    }
  }

  /// A frequency as the kernel names it.
  private func kilohertz(
    _ setting: NamedSetting, _ policy: Policy
  ) throws(SettingFailure) -> Int {
    switch setting.value.text {
    case "min": return policy.frequencies.first ?? policy.hardware.lowerBound
    case "max": return policy.hardware.upperBound
    default: break
    }
    // Exact up to 2^53, and declared below 1e11.
    let wanted = Int(((setting.value.number ?? 0) / 1000).rounded())
    let isOffered =
      policy.frequencies.isEmpty
      ? policy.hardware.contains(wanted) : policy.frequencies.contains(wanted)
    guard isOffered else {
      throw SettingFailure(
        .notOffered,
        "\(setting.name): \(policy.label) cannot run at "
          + CPUFrequencySettings.text(kilohertz: wanted),
        hint: "it can run at \(policy.range)")
    }
    return wanted
  }

  private func wishes(_ policy: Policy, _ asked: Asked) throws(SettingFailure) -> [SettingWish] {
    var wishes: [SettingWish] = []
    func wish(
      _ file: String, _ label: String, _ value: String, _ setting: String,
      _ stage: SettingPoint.Stage, _ meaning: SettingMeaning = .text,
      limit: SettingPoint.Limit? = nil
    ) {
      wishes.append(
        SettingWish(
          SettingPoint(
            file: "\(policy.root)/\(file)", "\(label) of \(policy.label)", meaning, stage: stage,
            cpus: policy.cpus, limit: limit), value, setting: setting))
    }
    func limits(_ low: (value: Int, setting: String)?, _ high: (value: Int, setting: String)?) {
      let (lowFile, highFile) = ("scaling_min_freq", "scaling_max_freq")
      if let low {
        wish(
          lowFile, "lowest frequency", "\(low.value)", low.setting, .limit, .number,
          limit: .lower(than: "\(policy.root)/\(highFile)"))
      }
      if let high {
        wish(
          highFile, "highest frequency", "\(high.value)", high.setting, .limit, .number,
          limit: .upper(than: "\(policy.root)/\(lowFile)"))
      }
    }
    if let frequency = asked.frequency {
      if let limit = asked.low ?? asked.high {
        throw SettingFailure(
          .contradiction,
          "'\(frequency.setting)' fixes the frequency of \(policy.label), which excludes "
            + "'\(limit.setting)'", hint: "write one of them")
      }
      let isChosen = policy.governors.contains("userspace") && asked.governor == nil
      if isChosen || asked.governor?.value == "userspace" {
        wish(
          "scaling_governor", "governor", "userspace",
          asked.governor?.setting ?? frequency.setting, .governor)
        // Limits of somebody else must not forbid it.
        limits(
          (policy.hardware.lowerBound, frequency.setting),
          (policy.hardware.upperBound, frequency.setting))
        wish(
          "scaling_setspeed", "frequency", "\(frequency.value)", frequency.setting, .frequency,
          .number)
      } else {
        if let governor = asked.governor {
          wish("scaling_governor", "governor", governor.value, governor.setting, .governor)
        }
        limits(frequency, frequency)
      }
    } else {
      if let governor = asked.governor {
        wish("scaling_governor", "governor", governor.value, governor.setting, .governor)
      }
      limits(asked.low, asked.high)
    }
    if let preference = asked.preference {
      wish(
        "energy_performance_preference", "energy-performance preference", preference.value,
        preference.setting, .tunable)
    }
    if let tunables = asked.tunables {
      let governor = asked.governor?.value ?? policy.governor
      for (name, value) in tunables.values.sorted(by: { $0.key < $1.key }) {
        wishes.append(tunable(name, value, of: governor, policy, setting: tunables.setting))
      }
    }
    return wishes
  }

  /// Parameters stand beside the policy, or, for some drivers, in one place for all
  /// (CPUFREQ_HAVE_GOVERNOR_PER_POLICY). Which it is shows once the governor is there.
  private func tunable(
    _ name: String, _ value: Value, of governor: String, _ policy: Policy, setting: String
  ) -> SettingWish {
    let common = "/sys/devices/system/cpu/cpufreq/\(governor)/\(name)"
    let own = "\(policy.root)/\(governor)/\(name)"
    let usesCommon =
      tunables[common] != nil
      || (tunables[own] == nil
        && tunables.keys.contains { !$0.hasPrefix("/sys/devices/system/cpu/cpufreq/policy") })
    let label = "\(name) of governor \(governor)"
    return SettingWish(
      usesCommon
        ? SettingPoint(file: common, label, .number, stage: .tunable)
        : SettingPoint(
          file: own, "\(label) of \(policy.label)", .number, stage: .tunable, cpus: policy.cpus),
      value.display, setting: setting)
  }

  private func boostWish(_ setting: NamedSetting) throws(SettingFailure) -> SettingWish {
    guard let boost else {
      throw SettingFailure(
        .notOffered, "boost: the board has no frequencies above the nominal ones",
        hint: "there is no /sys/devices/system/cpu/cpufreq/boost")
    }
    let isInverted = boost.path.hasSuffix("no_turbo")
    let isOn = setting.value.boolean ?? true
    return SettingWish(
      SettingPoint(file: boost.path, "boost", .number, stage: .limit),
      isOn != isInverted ? "1" : "0", setting: "boost")
  }

  // MARK: Offers

  func offers(cpus: CPUTopology) -> [SettingOffer] {
    var offers: [SettingOffer] = []
    for policy in policies {
      let prefix = "cpu\(policy.cpus[0])_"
      func offer(_ name: String, _ value: String?, _ range: String, _ file: String) {
        offers.append(
          SettingOffer(prefix + name, value: value, range: range, source: "\(policy.root)/\(file)"))
      }
      offer(
        "governor", policy.governor, policy.governors.joined(separator: ", "), "scaling_governor")
      offer(
        "frequency", policy.speed.map(CPUFrequencySettings.text), policy.range, "scaling_setspeed")
      offer(
        "min_frequency", CPUFrequencySettings.text(kilohertz: policy.limits.lowerBound),
        policy.range, "scaling_min_freq")
      offer(
        "max_frequency", CPUFrequencySettings.text(kilohertz: policy.limits.upperBound),
        policy.range, "scaling_max_freq")
      if let preference = policy.preference {
        offer(
          "energy_performance_preference", preference,
          policy.preferences.joined(separator: ", "), "energy_performance_preference")
      }
    }
    for (path, value) in tunables.sorted(by: { $0.key < $1.key }) {
      let parts = path.split(separator: "/")
      guard parts.count >= 2 else { continue }
      let policy = policies.first { path.hasPrefix($0.root + "/") }
      offers.append(
        SettingOffer(
          (policy.map { "cpu\($0.cpus[0])_" } ?? "") + "gov_tunables: \(parts[parts.count - 1])",
          value: value, range: "of governor \(parts[parts.count - 2])", source: path))
    }
    if let boost {
      let isOn = (boost.value == "1") != boost.path.hasSuffix("no_turbo")
      offers.append(
        SettingOffer("boost", value: "\(isOn)", range: "true, false", source: boost.path))
    }
    return offers
  }

  static func text(kilohertz: Int) -> String {
    kilohertz % 1000 == 0 ? "\(kilohertz / 1000) MHz" : "\(kilohertz) kHz"
  }
}

extension CPUFrequencySettings.Policy {
  /// `600 MHz, 1000 MHz, 1400 MHz` or `400 MHz to 4700 MHz`.
  var range: String {
    frequencies.isEmpty
      ? CPUFrequencySettings.text(kilohertz: hardware.lowerBound) + " to "
        + CPUFrequencySettings.text(kilohertz: hardware.upperBound)
      : frequencies.map(CPUFrequencySettings.text).joined(separator: ", ")
  }
}
