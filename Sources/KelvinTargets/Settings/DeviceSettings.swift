public import KelvinConnections
public import KelvinModel
internal import Synchronization

/// The settings of a board while jobs run on it: applied for each job, proved, watched, and put back.
///
/// What a job asks for holds while it runs, and nothing else: what an earlier job changed and this one
/// does not name is as it was before Kelvin came. The value of a point before its first change is kept
/// in the journal before it is written. Only differences are written, in an order that the kernel
/// takes, and everything is read back. Used on the board's own thread.
public final class DeviceSettings: Sendable {
  public let target: Target
  let journal: any SettingsJournal
  let profile: BoardProfile?

  struct State {
    var catalog: SettingsCatalog?
    /// Nil until the journal was read.
    var originals: [String: SettingOriginal]?
    /// What points are known to hold since they were last read or written.
    var known: [String: String] = [:]
    /// What the job that goes on asked for.
    var holding: [SettingWish] = []
    /// What told of frequencies when the window began, by policy.
    var witnessed: [(witness: FrequencyWitness, texts: [String?])] = []
  }
  let state = Mutex(State())

  /// Creates the settings of a board; nothing is read yet.
  public init(target: Target, journal: any SettingsJournal, profile: BoardProfile? = nil) {
    self.target = target
    self.journal = journal
    self.profile = profile
  }

  /// Forgets what a reboot may have changed. What is to be put back stays known.
  ///
  /// - Parameter isSameSystem: the same kernel with the same command line has booted, on the same firmware:
  ///   its CPUs offer what they did, and only which of them are online is asked.
  public func forget(isSameSystem: Bool = false) {
    state.withLock { state in
      state.catalog = isSameSystem ? state.catalog?.afterBoot() : nil
      state.known = [:]
      state.holding = []
    }
  }

  /// Whether anything is to be put back.
  public var isChanged: Bool {
    state.withLock { state in
      state.originals.map { !$0.isEmpty } ?? true
    }
  }

  /// Checks settings against what the board offers; writes nothing.
  ///
  /// - Throws: ``SettingFailure`` naming what is offered; `ConnectionFailure`.
  public func check(_ settings: [JobSpec.Setting], until deadline: Deadline) async throws {
    let named = try settings.map { setting throws(SettingFailure) in try NamedSetting(setting) }
    _ = try await resolve(named, until: deadline)
  }

  /// Brings the board to a job's settings.
  ///
  /// - Returns: what holds now, and what had to be changed for it.
  /// - Throws: ``SettingFailure``: `notOffered` or `contradiction` before anything is written, `notHeld`
  ///   when a value is refused or reads back as another; `ConnectionFailure`; what the journal throws.
  @discardableResult
  public func apply(
    _ settings: [JobSpec.Setting], until deadline: Deadline
  ) async throws -> AppliedSettings {
    let named = try settings.map { setting throws(SettingFailure) in try NamedSetting(setting) }
    try loadOriginals()
    if named.isEmpty, state.withLock({ $0.originals?.isEmpty == true }) {
      state.withLock { $0.holding = [] }
      return AppliedSettings()
    }
    var (wishes, online) = try await resolve(named, until: deadline)
    if try await raise(online, wishes, until: deadline) {
      (wishes, online) = try await resolve(named, until: deadline)
    }
    let changes: [AppliedSettings.Change]
    do {
      changes = try await bring(wishes + restoring(wishes), online: online, until: deadline)
    } catch let failure as SettingFailure
      where failure.code == .notHeld && named.contains(where: { $0.name.base == "gov_tunables" })
    {
      // Where a governor keeps its parameters shows only once it is there.
      try await readCPUs(until: deadline)
      (wishes, online) = try await resolve(named, until: deadline)
      changes = try await bring(wishes + restoring(wishes), online: online, until: deadline)
    }
    let holding = wishes
    state.withLock { state in
      state.holding = holding
      state.witnessed = []
    }
    return AppliedSettings(
      values: Dictionary(
        wishes.map { ($0.point.label, $0.value) }, uniquingKeysWith: { _, last in last }),
      changes: changes)
  }

  /// Brings the board to settings and leaves all others as they are, for people.
  ///
  /// - Throws: as ``apply(_:until:)``.
  public func add(
    _ settings: [JobSpec.Setting], until deadline: Deadline
  ) async throws -> AppliedSettings {
    let named = try settings.map { setting throws(SettingFailure) in try NamedSetting(setting) }
    var (wishes, online) = try await resolve(named, until: deadline, isAdding: true)
    if try await raise(online, wishes, until: deadline) {
      (wishes, online) = try await resolve(named, until: deadline, isAdding: true)
    }
    let changes = try await bring(wishes, online: online, until: deadline)
    return AppliedSettings(
      values: Dictionary(
        wishes.map { ($0.point.label, $0.value) }, uniquingKeysWith: { _, last in last }),
      changes: changes)
  }

  /// What ``restore(until:)`` would put back.
  public func toBeRestored() throws -> [SettingOriginal] {
    try loadOriginals()
    return state.withLock { state in
      (state.originals ?? [:]).values.sorted { $0.point.id < $1.point.id }
    }
  }

  /// Reads what tells at which frequencies CPUs run, where the job asked for some: right before its
  /// measured window. ``endWindow(until:)`` compares with it.
  public func beginWindow(until deadline: Deadline) async throws(ConnectionFailure) {
    let witnesses = FrequencyWitness.witnesses(of: state.withLock { $0.holding })
    guard !witnesses.isEmpty else { return }
    let readings = try await read(witnesses.flatMap(\.points), until: deadline)
    var rest = readings.map { try? $0.get() }[...]
    let witnessed = witnesses.map { witness -> (witness: FrequencyWitness, texts: [String?]) in
      let own = Array(rest.prefix(witness.points.count))
      rest = rest.dropFirst(own.count)
      return (witness, own)
    }
    state.withLock { $0.witnessed = witnessed }
  }

  /// Reads once more, in one round trip, what the last ``apply(_:until:)`` set and what
  /// ``beginWindow(until:)`` looked at.
  public func endWindow(
    until deadline: Deadline
  ) async throws(ConnectionFailure) -> SettingsWindow {
    let (holding, online, witnessed) = state.withLock { state in
      defer { state.witnessed = [] }
      return (state.holding, state.catalog?.cpus.online ?? [], state.witnessed)
    }
    let watched = holding.filter {
      $0.point.meaning != .unverified && !$0.isOptional && $0.point.exists(online: online)
    }
    let points = watched.map(\.point) + witnessed.flatMap(\.witness.points)
    guard !points.isEmpty else { return SettingsWindow() }
    let readings = try await read(points, until: deadline)
    var window = SettingsWindow()
    for (wish, reading) in zip(watched, readings) {
      switch reading {
      case .success(let value):
        state.withLock { $0.known[wish.point.id] = value }
        guard !wish.point.meaning.holds(value, wish.value) else { continue }
        window.drift.append(SettingDrift(wish, found: value))
      case .failure(let error): window.drift.append(SettingDrift(wish, found: "\(error)"))
      }
    }
    var rest = readings.dropFirst(watched.count).map { try? $0.get() }[...]
    for (witness, before) in witnessed {
      let after = Array(rest.prefix(witness.points.count))
      rest = rest.dropFirst(after.count)
      let finding = witness.compare(before, after)
      window.frequencies.append(
        EffectiveFrequency(
          label: witness.label, wanted: witness.wanted,
          hertz: finding.effective.map { $0 * 1000 }, disagreements: finding.disagreements))
    }
    return window
  }

  /// Puts everything back as it was before Kelvin touched it, in this run or an earlier one.
  ///
  /// - Returns: what was put back, by label.
  /// - Throws: ``SettingFailure`` `notRestored` when something could not be; it stays in the journal, and
  ///   what could be was. `ConnectionFailure`.
  @discardableResult
  public func restore(until deadline: Deadline) async throws -> [AppliedSettings.Change] {
    try loadOriginals()
    state.withLock { $0.holding = [] }
    guard state.withLock({ $0.originals?.isEmpty == false }) else { return [] }
    if state.withLock({ $0.catalog == nil }) { try await readCPUs(until: deadline) }
    let online = originallyOnline()
    let wishes = restoring([])
    // What only one of several settings forbids must not keep the others.
    var changes: [AppliedSettings.Change] = []
    var failure: SettingFailure?
    do {
      changes = try await bring(wishes, online: online, until: deadline)
    } catch let problem as SettingFailure {
      failure = problem
    }
    let known = state.withLock { $0.known }
    let restored = wishes.filter { wish in
      wish.point.meaning == .unverified && failure == nil
        || known[wish.point.id].map { wish.point.meaning.holds($0, wish.value) } == true
        || wish.point.belongsToGovernor && known[wish.point.id] == nil
    }
    try journal.forget(restored.map(\.point.id))
    state.withLock { state in
      for wish in restored { state.originals?[wish.point.id] = nil }
    }
    let left = wishes.filter { wish in !restored.contains { $0.point.id == wish.point.id } }
    guard left.isEmpty else {
      throw SettingFailure(
        .notRestored,
        "\(target.name): not as it was: \(left.map { "\($0.point.label) (was \($0.value))" }.joined(separator: ", "))",
        evidence: failure.map(\.description) ?? "",
        hint: "try 'kelvin target restore \(target.name)' when the board is well")
    }
    return changes
  }
}

/// What a job's settings came to.
public struct AppliedSettings: Sendable, Hashable {
  /// What holds, by label: `governor of cpu0-1`.
  public var values: [String: String]
  /// What was written, in that order.
  public var changes: [Change]

  public struct Change: Sendable, Hashable, CustomStringConvertible {
    public var label: String
    public var before: String?
    public var after: String

    public var description: String { "\(label): \(before ?? "?") -> \(after)" }
  }

  /// Creates a record.
  public init(values: [String: String] = [:], changes: [Change] = []) {
    self.values = values
    self.changes = changes
  }
}

/// What a job's settings came to in its measured window.
public struct SettingsWindow: Sendable, Hashable {
  /// What did not hold: another agent changed it.
  public var drift: [SettingDrift] = []
  /// Of CPUs whose frequency was set.
  public var frequencies: [EffectiveFrequency] = []
}

/// At which frequency CPUs ran while one was set.
public struct EffectiveFrequency: Sendable, Hashable {
  /// `cpu0-1`.
  public var label: String
  /// What was set, for people: `600 MHz`.
  public var wanted: String
  /// Over the window; nil where nothing counts.
  public var hertz: Double?
  /// What disagrees with what was set; empty when nothing does.
  public var disagreements: [String]

  /// What disagrees, as one text; nil when nothing does.
  public var problem: String? {
    disagreements.isEmpty
      ? nil : "\(label): \(wanted) was set, but \(disagreements.joined(separator: ", "))"
  }
}

/// A setting that did not stay as it was set.
public struct SettingDrift: Sendable, Hashable, CustomStringConvertible {
  public var label: String
  public var setting: String
  public var wanted: String
  /// What it held instead, or why it could not be read.
  public var found: String

  init(_ wish: SettingWish, found: String) {
    label = wish.point.label
    setting = wish.setting
    wanted = wish.value
    self.found = found
  }

  public var description: String { "\(label): \(found), \(wanted) was set" }
}
