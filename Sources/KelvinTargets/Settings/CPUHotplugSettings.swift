internal import KelvinConnections
internal import KelvinModel

/// Which CPUs are online.
///
/// Source: Linux Documentation/core-api/cpu_hotplug.rst.
struct CPUHotplugSettings: SettingFamily {
  static let staysOverBoots = true

  static let declarations: [SettingDeclaration] = [
    .init(
      "num_cores", .integer, reach: .cpus, range: 0...8192, group: "hotplug",
      "How many CPUs, or CPUs of one kind, are online: the first ones. Not none at all."),
    .init(
      "online", .boolean, reach: .oneCPU, group: "hotplug",
      "Whether a CPU is online. Not beside a number that counts the same CPU.")
  ]

  static func conflicts(_ settings: [NamedSetting]) -> [SettingVocabulary.Problem] {
    let counts = settings.filter { $0.name.base == "num_cores" }
    let all = counts.first { $0.name.scope == .all }
    var problems: [SettingVocabulary.Problem] = []
    for setting in settings where setting.name.base == "num_cores" && setting.name.scope != .all {
      guard let all else { break }
      problems.append(
        .init(
          setting.name.description, "sets what '\(all.name)' sets, too", hint: "remove one of them")
      )
    }
    for setting in settings where setting.name.base == "online" {
      guard let all else { break }
      problems.append(
        .init(
          setting.name.description, "sets what '\(all.name)' sets, too", hint: "remove one of them")
      )
    }
    if let all, all.value.integer == 0 {
      problems.append(.init("num_cores", "no CPU would be online", hint: "write 1 or more"))
    }
    return problems
  }

  static func read(
    _ board: SettingsReader, until deadline: Deadline
  ) async throws(ConnectionFailure) -> CPUHotplugSettings { CPUHotplugSettings() }

  /// The CPUs that are to be online, from those that are now.
  static func online(
    _ settings: [NamedSetting], cpus: CPUTopology, originally: Set<Int>
  ) throws(SettingFailure) -> Set<Int> {
    var wanted = originally
    var setBy: [Int: String] = [:]
    func set(_ cpu: Int, _ isOnline: Bool, _ name: String) throws(SettingFailure) {
      if let earlier = setBy.updateValue(name, forKey: cpu) {
        throw SettingFailure(
          .contradiction, "'\(name)' and '\(earlier)' both set whether CPU \(cpu) is online",
          hint: "remove one of them")
      }
      if isOnline { wanted.insert(cpu) } else { wanted.remove(cpu) }
      guard !isOnline, let known = cpus.cpus.first(where: { $0.number == cpu }),
        !known.canGoOffline
      else { return }
      throw SettingFailure(
        .notOffered, "\(name): CPU \(cpu) cannot be taken off on this board",
        hint: "the kernel has no /sys/devices/system/cpu/cpu\(cpu)/online")
    }
    for setting in settings {
      let name = setting.name.description
      switch setting.name.base {
      case "online":
        for cpu in try cpus.cpus(in: setting.name.scope, of: name) {
          try set(cpu, setting.value.boolean ?? true, name)
        }
      case "num_cores":
        let all = try cpus.cpus(in: setting.name.scope, of: name)
        let count = Int(setting.value.integer ?? 0)
        guard count <= all.count else {
          throw SettingFailure(
            .notOffered, "\(name): \(count) CPUs asked for, the board has \(all.count)",
            hint: "it has \(CPUList.text(all))")
        }
        // Those that cannot go are among them anyway.
        let fixed = all.filter { cpu in
          cpus.cpus.contains { $0.number == cpu && !$0.canGoOffline }
        }
        let order = fixed + all.filter { !fixed.contains($0) }
        for (index, cpu) in order.enumerated() { try set(cpu, index < count, name) }
      default: break
      }
    }
    guard !wanted.isEmpty else {
      throw SettingFailure(
        .contradiction,
        "\(settings.filter { ["online", "num_cores"].contains($0.name.base) }.map(\.name.description).joined(separator: ", ")): no CPU would be online",
        hint: "leave at least one")
    }
    return wanted
  }

  /// One value for each CPU whose state somebody asked for.
  func wishes(
    for settings: [NamedSetting], cpus: CPUTopology, online: Set<Int>
  ) throws(SettingFailure) -> [SettingWish] {
    var wishes: [SettingWish] = []
    for setting in settings where ["online", "num_cores"].contains(setting.name.base) {
      let name = setting.name.description
      let meant = try cpus.cpus(in: setting.name.scope, of: name)
      for cpu in cpus.cpus where meant.contains(cpu.number) && cpu.canGoOffline {
        let isOnline = online.contains(cpu.number)
        wishes.append(
          SettingWish(
            CPUHotplugSettings.point(cpu.number), isOnline ? "1" : "0", setting: name))
      }
    }
    return wishes
  }

  func offers(cpus: CPUTopology) -> [SettingOffer] {
    cpus.cpus.filter(\.canGoOffline).map { cpu in
      SettingOffer(
        "cpu\(cpu.number)_online", value: cpu.isOnline ? "true" : "false", range: "true, false",
        source: CPUHotplugSettings.point(cpu.number).id)
    }
  }

  /// Its stage follows from what it is to hold: on first, off last.
  static func point(_ cpu: Int) -> SettingPoint {
    SettingPoint(
      file: "/sys/devices/system/cpu/cpu\(cpu)/online", "whether CPU \(cpu) is online", .number,
      stage: .online)
  }
}
