internal import KelvinConnections
public import KelvinModel
public import KelvinStore

/// The boards and meters of a run or command, for as long as it has them: leased in the bench
/// database, and booked in other systems where the bench file says so.
///
/// On a thread of its own, since commands of other systems may take their time.
public actor BoardLease {
  private let thread: BoardThread
  private let request: LeaseWish
  private let store: BenchStore
  private let grant: LeaseGrant
  /// What must be given back to other systems, oldest first.
  private var booked: [LeaseWish.Resource] = []
  /// What was inherited, until it is certain that we go on with it: all of it goes back as it was
  /// when another system refuses.
  private var unsettled: [LeaseGrant.Inheritance]
  private var isGivenBack = false

  public nonisolated var unownedExecutor: UnownedSerialExecutor {
    thread.asUnownedSerialExecutor()
  }

  /// Takes everything that is wished for, or nothing: first in the bench database, then in other
  /// systems; then restores boards whose last owner is gone, and switches on what it left off.
  ///
  /// - Throws: ``LeaseRefusal`` when somebody else has any of it, ``StoreFailure`` when the bench
  ///   database cannot be used, `PlainFailure` when another system refuses or a board cannot be
  ///   restored, which quarantines it. Nothing is kept then.
  public static func take(
    _ wish: LeaseWish, until deadline: Deadline
  ) async throws -> BoardLease {
    let lease = try await LeaseThread(wish).open()
    do {
      try await lease.prepare(until: deadline)
    } catch {
      for problem in await lease.giveBack() { wish.note("\(problem)") }
      throw error
    }
    return lease
  }

  fileprivate init(
    _ request: LeaseWish, store: BenchStore, grant: LeaseGrant, thread: BoardThread
  ) {
    self.request = request
    self.store = store
    self.grant = grant
    self.thread = thread
    unsettled = grant.inherited
  }

  /// Whether it is still ours: somebody may have taken it over from another host.
  public func isInForce() throws -> Bool { try !isGivenBack && store.isInForce(grant.lease) }

  /// Writes down that a board is switched off now and will be on again soon, so that it does not stay
  /// off when this process is killed meanwhile. Comes before the switching.
  ///
  /// - Parameter reason: for people: what for.
  public func switchingOff(_ resource: BenchResource, reason: String) throws {
    try store.switchingOff(resource, in: grant.lease, reason: reason)
  }

  /// Says that a board was switched, on or off, as somebody wants it to stay.
  public func switched(_ resource: BenchResource) throws {
    try store.switched(resource, in: grant.lease)
  }

  /// Gives everything back, to other systems first; idempotent.
  ///
  /// Does not heed interrupts: what was taken must be given back.
  /// - Returns: what could not be given back, and what to do about it.
  public func giveBack() async -> [PlainFailure] {
    guard !isGivenBack else { return [] }
    isGivenBack = true
    defer { store.close() }
    var problems: [PlainFailure] = []
    do throws(StoreFailure) {
      guard try store.isInForce(grant.lease) else {
        // Bookings elsewhere belong to whoever has it now.
        let names = grant.resources.map(\.label).joined(separator: ", ")
        return [
          PlainFailure(
            .infrastructure, "\(names): somebody took the lease over while it was in use",
            hint: "results since then may be disturbed; see 'kelvin bench who'")
        ]
      }
    } catch {
      problems.append(PlainFailure(error))
    }
    for wanted in booked.reversed() {
      guard let external = wanted.external else { continue }
      let deadline = Deadline.after(seconds: request.externalSeconds)
      let answer = await ask(external.release, for: wanted.resource, until: deadline)
      if let failure = answer.failure { problems.append(failure) }
    }
    do throws(StoreFailure) {
      try store.release(grant.lease, puttingBack: unsettled)
    } catch {
      problems.append(PlainFailure(error))
    }
    return problems
  }

  // MARK: Taking

  private func prepare(until deadline: Deadline) async throws {
    for index in unsettled.indices { try await settleBooking(at: index, until: deadline) }
    let kept = Set(unsettled.filter { $0.external != nil }.map(\.resource))
    let wanted = request.resources.sorted { $0.resource < $1.resource }
    for wanted in wanted where !kept.contains(wanted.resource) {
      try await book(wanted, until: deadline)
    }
    for inherited in grant.inherited where inherited.mustRestore {
      try await restore(inherited, until: deadline)
    }
    unsettled = []
    booked += wanted.filter { kept.contains($0.resource) }
    for (resource, outage) in grant.outages.sorted(by: { $0.key < $1.key }) {
      try await end(outage, of: resource, until: deadline)
    }
  }

  /// Switches a board on that was left off.
  private func end(
    _ outage: Outage, of resource: BenchResource, until deadline: Deadline
  ) async throws {
    let what = "\(resource.label): \(outage.label), and not on again"
    guard let switchOn = request.switchOn else { return request.note(what) }
    do {
      try await switchOn(resource, limited(deadline))
    } catch {
      let failure = PlainFailure(error)
      throw PlainFailure(
        failure.kind, "\(what): \(failure.message)", evidence: failure.evidence,
        hint: failure.hint)
    }
    try store.switched(resource, in: grant.lease)
    request.note("\(what) until now")
  }

  /// Keeps a booking that was granted to an earlier life of this run; gives back somebody else's,
  /// or one that may or may not have been granted.
  private func settleBooking(at index: Int, until deadline: Deadline) async throws {
    let inherited = unsettled[index]
    let (label, previous) = (inherited.resource.label, inherited.previous)
    if inherited.isAbandoned {
      let purpose = previous.purpose.isEmpty ? "" : " for \(previous.purpose)"
      request.note(
        "\(label): was still leased by \(previous.holder.label)\(purpose); that is gone, and left "
          + "nothing to go on with")
    } else {
      let verb = inherited.isReclaimed ? "reclaimed" : "taken over"
      request.note("\(label): \(verb) from \(previous.holder.label)")
    }
    guard let booking = inherited.external, !(inherited.isReclaimed && booking.isGranted) else {
      return
    }
    let answer = await ask(booking.release, for: inherited.resource, until: limited(deadline))
    if let failure = answer.failure { request.note("\(failure)") }
    try store.setBooking(nil, for: inherited.resource, in: grant.lease)
    unsettled[index].external = nil
  }

  private func book(_ wanted: LeaseWish.Resource, until deadline: Deadline) async throws {
    guard let external = wanted.external else { return }
    // Written down first: whoever inherits this lease can then give the booking back.
    var booking = ExternalBooking(release: external.release, isGranted: false)
    try store.setBooking(booking, for: wanted.resource, in: grant.lease)
    switch await ask(external.acquire, for: wanted.resource, until: limited(deadline)) {
    case .refused(let failure): throw failure
    case .unknown(let failure):
      // It may have booked it all the same.
      booked.append(wanted)
      throw failure
    case .done: break
    }
    booked.append(wanted)
    booking.isGranted = true
    try store.setBooking(booking, for: wanted.resource, in: grant.lease)
  }

  private func restore(
    _ inherited: LeaseGrant.Inheritance, until deadline: Deadline
  ) async throws {
    do {
      try await request.restore(inherited, deadline)
    } catch {
      let failure = PlainFailure(error)
      let run = inherited.previous.run
      let reason =
        "its settings could not be restored after " + (run.isEmpty ? "a command" : "run \(run)")
      try store.quarantine(inherited.resource, reason: reason, evidence: failure.description)
      unsettled.removeAll { $0.resource == inherited.resource }
      throw PlainFailure(
        failure.kind, "\(inherited.resource.label): \(reason); it is quarantined now",
        evidence: failure.description,
        hint: "when it is well: kelvin bench enable \(inherited.resource.name)")
    }
    try store.restored(inherited.resource, in: grant.lease)
    unsettled.removeAll { $0.resource == inherited.resource }
  }

  private func limited(_ deadline: Deadline) -> Deadline {
    deadline.limited(toSeconds: request.externalSeconds)
  }

  /// What became of a command of another system.
  private enum Answer {
    case done
    case refused(PlainFailure)
    /// It was ended before it answered.
    case unknown(PlainFailure)

    var failure: PlainFailure? {
      switch self {
      case .done: nil
      case .refused(let failure), .unknown(let failure): failure
      }
    }
  }

  /// Runs a command of another system.
  private func ask(
    _ argv: [String], for resource: BenchResource, until deadline: Deadline
  ) async -> Answer {
    var environment = ["KELVIN_RESOURCE": resource.name]
    if !request.run.isEmpty { environment["KELVIN_RUN"] = request.run }
    let limit = Command.Output.capture(limit: 1 << 20)
    let line = ShellWords.join(argv)
    let hint = "it is the lease command of the bench file"
    let result: CommandResult
    do throws(ConnectionFailure) {
      result = try await LocalConnection(environment: environment).execute(
        Command(argv, standardOutput: limit, standardError: limit), until: deadline)
    } catch {
      let failure = PlainFailure(
        error.kind == .timeout ? .timeout : .infrastructure,
        "\(resource.label): '\(line)': \(error.message)",
        evidence: error.partial.map(BoardLease.lastWords) ?? "", hint: hint)
      return error.partial == nil ? .refused(failure) : .unknown(failure)
    }
    guard !result.isSuccess else { return .done }
    let how =
      switch result.termination {
      case .exited(let code): "exit code \(code)"
      case .signaled(let number): "signal \(number)"
      }
    return .refused(
      PlainFailure(
        .infrastructure, "\(resource.label): refused by '\(line)' with \(how)",
        evidence: BoardLease.lastWords(result), hint: hint))
  }

  /// What a command said last, on one line.
  private static func lastWords(_ result: CommandResult) -> String {
    [result.standardError, result.standardOutput].map { stream in
      stream.text.suffix(2000).split(whereSeparator: \.isNewline).suffix(5)
        .joined(separator: " | ")
    }.filter { !$0.isEmpty }.joined(separator: " | ")
  }
}

/// Opens the bench database and asks for the lease on the thread that the lease will have.
private actor LeaseThread {
  private let thread = BoardThread(name: "lease")
  private let wish: LeaseWish

  nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  init(_ wish: LeaseWish) { self.wish = wish }

  func open() throws -> BoardLease {
    let store = try BenchStore.open(directory: wish.stateDirectory)
    let answer = try store.acquire(
      LeaseRequest(
        wish.resources.map(\.resource), run: wish.run, directory: wish.directory,
        purpose: wish.purpose, takesOver: wish.takesOver, attends: wish.attends))
    switch answer {
    case .refused(let refusal): throw refusal
    case .granted(let grant):
      return BoardLease(wish, store: store, grant: grant, thread: thread)
    }
  }
}
