public import KelvinConnections
public import KelvinModel

/// What a board offers of settings, read as far as it was asked for, and kept until a reboot.
public struct SettingsCatalog: Sendable {
  var reader: SettingsReader
  public internal(set) var cpus: CPUTopology
  private let profile: BoardProfile?
  /// By the index of their type in ``DeviceSettings/families``.
  private var families: [Int: any SettingFamily] = [:]
  /// Whether the board has booted since its CPUs were looked at.
  private var hasBooted = false

  /// Reads the board's CPUs.
  public static func read(
    _ target: Target, profile: BoardProfile? = nil, until deadline: Deadline
  ) async throws(ConnectionFailure) -> SettingsCatalog {
    let reader = SettingsReader(
      connection: target.connection, machine: try await target.facts(until: deadline).machine)
    return SettingsCatalog(
      reader: reader,
      cpus: try await CPUTopology.read(reader, profile: profile, until: deadline),
      profile: profile)
  }

  private init(reader: SettingsReader, cpus: CPUTopology, profile: BoardProfile?) {
    self.reader = reader
    self.cpus = cpus
    self.profile = profile
  }

  /// What of it holds after a boot of the same system: what is known by the numbers of CPUs. Other devices may
  /// be found in another order.
  func afterBoot() -> SettingsCatalog {
    var catalog = self
    catalog.families = families.filter { DeviceSettings.families[$0.key].staysOverBoots }
    catalog.hasBooted = true
    return catalog
  }

  /// Reads which CPUs are online where a boot may have changed that; all of them anew where others are there.
  mutating func readOnlineAfterBoot(until deadline: Deadline) async throws(ConnectionFailure) {
    guard hasBooted else { return }
    let text = try await reader.texts([CPUTopology.root + "/online"], until: deadline)[0]
    if let online = CPUList.parse(text ?? ""), cpus.setOnline(Set(online)) {
      hasBooted = false
    } else {
      try await readCPUs(until: deadline)
    }
  }

  /// Reads the CPUs anew, and forgets families whose files come and go with them.
  mutating func readCPUs(until deadline: Deadline) async throws(ConnectionFailure) {
    cpus = try await CPUTopology.read(reader, profile: profile, until: deadline)
    families = [:]
    hasBooted = false
  }

  /// Reads what is needed to resolve settings.
  ///
  /// - Parameter originals: what points held before they were changed.
  mutating func read(
    for settings: [NamedSetting], originals: [String: String], until deadline: Deadline
  ) async throws(ConnectionFailure) {
    reader.originals = originals
    for (index, type) in DeviceSettings.families.enumerated() where families[index] == nil {
      let isNamed = settings.contains { setting in
        type.declarations.contains { $0.name == setting.name.base }
      }
      if isNamed { families[index] = try await type.read(reader, until: deadline) }
    }
  }

  /// The values that settings ask for; what needs a family that was not read asks for nothing.
  ///
  /// - Throws: `notOffered`, naming what is offered; `contradiction`.
  func wishes(
    for settings: [NamedSetting], online: Set<Int>
  ) throws(SettingFailure) -> [SettingWish] {
    var wishes: [SettingWish] = []
    var positions: [String: Int] = [:]
    for index in families.keys.sorted() {
      guard let family = families[index] else { continue }
      for wish in try family.wishes(for: settings, cpus: cpus, online: online) {
        guard let earlier = positions[wish.point.id] else {
          positions[wish.point.id] = wishes.count
          wishes.append(wish)
          continue
        }
        let other = wishes[earlier]
        guard other.point.meaning.holds(other.value, wish.value) else {
          throw SettingFailure(
            .contradiction,
            "'\(other.setting)' and '\(wish.setting)' ask for different values of "
              + "\(wish.point.label): \(other.value) and \(wish.value)",
            evidence: wish.point.id, hint: "write one of them")
        }
      }
    }
    return wishes
  }

  /// Everything that the board offers.
  public mutating func offers(
    until deadline: Deadline
  ) async throws(ConnectionFailure) -> [SettingOffer] {
    for (index, type) in DeviceSettings.families.enumerated() where families[index] == nil {
      families[index] = try await type.read(reader, until: deadline)
    }
    return families.keys.sorted().flatMap { families[$0]?.offers(cpus: cpus) ?? [] }
  }
}
