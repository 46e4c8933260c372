internal import KelvinConnections
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

// How wishes become values of the board.
extension DeviceSettings {
  /// The values that settings ask for, and the CPUs that will be online.
  ///
  /// - Parameter isAdding: CPUs that the settings do not name stay as they are now, not as they were.
  func resolve(
    _ named: [NamedSetting], until deadline: Deadline, isAdding: Bool = false
  ) async throws -> (wishes: [SettingWish], online: Set<Int>) {
    try loadOriginals()
    var catalog: SettingsCatalog
    if let known = state.withLock({ $0.catalog }) {
      catalog = known
    } else {
      catalog = try await SettingsCatalog.read(target, profile: profile, until: deadline)
    }
    try await catalog.readOnlineAfterBoot(until: deadline)
    let read = catalog
    state.withLock { $0.catalog = read }
    let online = try CPUHotplugSettings.online(
      named, cpus: catalog.cpus,
      originally: isAdding ? catalog.cpus.online : originallyOnline())
    // What people have set by hand is what is there, for what they set next.
    let originals =
      isAdding ? [:] : state.withLock { ($0.originals ?? [:]).mapValues(\.value) }
    try await catalog.read(for: named, originals: originals, until: deadline)
    let filled = catalog
    state.withLock { $0.catalog = filled }
    return (try catalog.wishes(for: named, online: online), online)
  }

  /// Brings CPUs online whose settings cannot be seen before.
  ///
  /// - Returns: whether there were such, so that the board must be read anew.
  func raise(
    _ online: Set<Int>, _ wishes: [SettingWish], until deadline: Deadline
  ) async throws -> Bool {
    guard let now = state.withLock({ $0.catalog?.cpus.online }) else { return false }
    let rising = online.subtracting(now)
    guard !rising.isEmpty else { return false }
    let points = Set(rising.map { CPUHotplugSettings.point($0).id })
    let first = (wishes + restoring(wishes)).filter { points.contains($0.point.id) }
    _ = try await bring(first, online: now.union(rising), until: deadline)
    try await readCPUs(until: deadline)
    return true
  }

  func readCPUs(until deadline: Deadline) async throws(ConnectionFailure) {
    guard var catalog = state.withLock({ $0.catalog }) else {
      let read = try await SettingsCatalog.read(target, profile: profile, until: deadline)
      return state.withLock { $0.catalog = read }
    }
    try await catalog.readCPUs(until: deadline)
    let read = catalog
    state.withLock { $0.catalog = read }
  }

  func loadOriginals() throws {
    guard state.withLock({ $0.originals == nil }) else { return }
    let kept = try journal.originals()
    state.withLock { state in
      state.originals = Dictionary(
        kept.map { ($0.point.id, $0) }, uniquingKeysWith: { first, _ in first })
    }
  }

  /// The CPUs that were online before Kelvin touched any.
  func originallyOnline() -> Set<Int> {
    state.withLock { state in
      Set(
        (state.catalog?.cpus.cpus ?? []).filter { cpu in
          let original = state.originals?[CPUHotplugSettings.point(cpu.number).id]
          return original.map { $0.value == "1" } ?? cpu.isOnline
        }.map(\.number))
    }
  }

  /// What was changed and is not wished for: to be as it was.
  func restoring(_ wishes: [SettingWish]) -> [SettingWish] {
    let wanted = Set(wishes.map(\.point.id))
    return state.withLock { state in
      (state.originals ?? [:]).values.filter { !wanted.contains($0.point.id) }
        .sorted { $0.point.id < $1.point.id }
        .map { original in
          // A governor that goes takes its parameters along.
          SettingWish(
            original.point, original.value, setting: SettingWish.original,
            isOptional: original.point.belongsToGovernor)
        }
    }
  }

  /// Tries of one transition: a value may take a moment, and somebody else may have moved a limit.
  private static let tries = 4

  /// Records originals, writes what differs, and proves it.
  ///
  /// - Parameter online: the CPUs that will be online then.
  func bring(
    _ wishes: [SettingWish], online: Set<Int>, until deadline: Deadline
  ) async throws -> [AppliedSettings.Change] {
    let now = state.withLock { $0.catalog?.cpus.online } ?? online
    // What belongs to CPUs that are off, and stay so, cannot be touched, and needs not be.
    var wishes = wishes.filter { $0.point.exists(online: now.union(online)) }
    let told = state.withLock { $0.known }
    // What cannot be read back is put back once.
    wishes.removeAll { wish in
      wish.isRestoring && wish.point.meaning == .unverified && told[wish.point.id] == wish.value
    }
    var changes: [AppliedSettings.Change] = []
    wishes = try await recordOriginals(wishes, &changes, until: deadline)
    var problems: [SettingFailure] = []
    for attempt in 1...DeviceSettings.tries {
      let known = state.withLock { $0.known }
      let ordered = SettingsOrder.sorted(wishes, known: known)
      let outcomes = try await settle(ordered, until: deadline)
      problems = []
      for (wish, outcome) in zip(ordered, outcomes) {
        note(wish, outcome, &changes)
        if let problem = problem(with: wish, outcome, online: online) { problems.append(problem) }
      }
      try recordLateOriginals(ordered, outcomes)
      noteOnline(ordered, outcomes)
      if problems.isEmpty { return changes }
      guard attempt < DeviceSettings.tries, !deadline.hasPassed else { break }
      // No event tells that a value has arrived.
      if deadline.limited(toSeconds: 0.01 * Double(attempt)).wait() == .interrupted {
        throw ConnectionFailure(.interrupted, "\(target.name): stopped")
      }
    }
    let others = problems.dropFirst().map(\.message)
    throw SettingFailure(
      .notHeld, problems[0].message,
      evidence: ([problems[0].evidence] + others).filter { !$0.isEmpty }.joined(separator: "; "),
      hint: problems[0].hint)
  }

  /// Reads what is touched for the first time and keeps it in the journal.
  ///
  /// - Returns: the wishes, without optional ones that cannot be read.
  private func recordOriginals(
    _ wishes: [SettingWish], _ changes: inout [AppliedSettings.Change], until deadline: Deadline
  ) async throws -> [SettingWish] {
    let originals = state.withLock { $0.originals ?? [:] }
    var unknown = wishes.filter { originals[$0.point.id] == nil }
    guard !unknown.isEmpty else { return wishes }
    unknown = try await record(unknown, until: deadline)
    guard let least = unknown.map({ SettingsOrder.stage($0) }).min() else { return wishes }
    // They may appear by what comes before them: parameters of a governor that is not there yet.
    let first = wishes.filter { wish in
      SettingsOrder.stage(wish) < least && !unknown.contains { $0.point.id == wish.point.id }
    }
    if !first.isEmpty {
      let known = state.withLock { $0.known }
      let ordered = SettingsOrder.sorted(first, known: known)
      for (wish, outcome) in zip(ordered, try await settle(ordered, until: deadline)) {
        note(wish, outcome, &changes)
      }
      unknown = try await record(unknown, until: deadline)
    }
    let missing = Set(unknown.map(\.point.id))
    if let wish = unknown.first(where: { !$0.isOptional }) {
      let readings = try await read([wish.point], until: deadline)
      // What cannot be read can still be written, when nobody wants to see it.
      guard wish.point.meaning == .unverified else {
        throw SettingFailure(
          .notHeld, "\(wish.setting): \(wish.point.label) cannot be read",
          evidence: readings.first.map(DeviceSettings.text) ?? "",
          hint: "is \(wish.point.id) there, and may the user read it?")
      }
      return wishes.filter { !missing.contains($0.point.id) || $0.point.meaning == .unverified }
    }
    return wishes.filter { !missing.contains($0.point.id) }
  }

  private static func text(_ reading: Result<String, Errno>) -> String {
    switch reading {
    case .success(let value): value
    case .failure(let error): "\(error)"
    }
  }

  /// - Returns: those that could not be read.
  private func record(
    _ wishes: [SettingWish], until deadline: Deadline
  ) async throws -> [SettingWish] {
    let readings = try await read(wishes.map(\.point), until: deadline)
    var originals: [SettingOriginal] = []
    var unread: [SettingWish] = []
    for (wish, reading) in zip(wishes, readings) {
      guard case .success(let value) = reading else {
        unread.append(wish)
        continue
      }
      if wish.point.meaning != .unverified {
        state.withLock { $0.known[wish.point.id] = value }
      }
      originals.append(
        SettingOriginal(
          wish.point, wish.point.meaning == .text ? SettingMeaning.chosen(value) : value))
    }
    try keep(originals)
    return unread
  }

  /// Of what could be read only when its turn came.
  private func recordLateOriginals(_ wishes: [SettingWish], _ outcomes: [Outcome]) throws {
    let known = state.withLock { $0.originals ?? [:] }
    var late: [SettingOriginal] = []
    for (wish, outcome) in zip(wishes, outcomes) where known[wish.point.id] == nil {
      guard case .success(let value) = outcome.before else { continue }
      late.append(SettingOriginal(wish.point, value))
    }
    try keep(late)
  }

  private func keep(_ originals: [SettingOriginal]) throws {
    guard !originals.isEmpty else { return }
    try journal.keep(originals)
    state.withLock { state in
      for original in originals { state.originals?[original.point.id] = original }
    }
  }

  private func note(
    _ wish: SettingWish, _ outcome: Outcome, _ changes: inout [AppliedSettings.Change]
  ) {
    let before = try? outcome.before.get()
    if outcome.isWritten {
      changes.append(.init(label: wish.point.label, before: before, after: wish.value))
    }
    let after =
      wish.point.meaning == .unverified
      ? (outcome.isWritten ? wish.value : nil) : try? outcome.after.get()
    state.withLock { $0.known[wish.point.id] = after }
  }

  private func noteOnline(_ wishes: [SettingWish], _ outcomes: [Outcome]) {
    for (wish, outcome) in zip(wishes, outcomes) where wish.point.stage == .online {
      guard case .success(let value) = outcome.after else { continue }
      state.withLock { $0.catalog?.note(wish.point.id, isOnline: value == "1") }
    }
  }

  private func problem(
    with wish: SettingWish, _ outcome: Outcome, online: Set<Int>
  ) -> SettingFailure? {
    guard !wish.isOptional else { return nil }
    let name = "\(wish.setting): \(wish.point.label)"
    if case .failure(let error) = outcome.written {
      return SettingFailure(
        .notHeld, "\(name) cannot be set to '\(wish.value)'", evidence: error.description,
        hint: error.hint)
    }
    // Gone with its CPUs by now, but it was written before.
    guard wish.point.meaning != .unverified, wish.point.exists(online: online) else { return nil }
    switch outcome.after {
    case .success(let value):
      guard !wish.point.meaning.holds(value, wish.value) else { return nil }
      return SettingFailure(
        .notHeld, "\(name) reads back as '\(value)', '\(wish.value)' was written",
        evidence: wish.point.id,
        hint: "another program may set it, too, or the kernel rounds it")
    case .failure(let error):
      return SettingFailure(
        .notHeld, "\(name) cannot be read back", evidence: "\(wish.point.id): \(error)")
    }
  }
}

extension SettingsCatalog {
  mutating func note(_ id: String, isOnline: Bool) { cpus.note(id, isOnline: isOnline) }
}

extension CPUTopology {
  fileprivate mutating func note(_ id: String, isOnline: Bool) {
    for index in cpus.indices where CPUHotplugSettings.point(cpus[index].number).id == id {
      cpus[index].isOnline = isOnline
    }
  }
}
