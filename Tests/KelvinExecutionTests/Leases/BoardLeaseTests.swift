import Glibc
import KelvinExecution
import KelvinModel
import KelvinStore
import KelvinSystem
import Synchronization
import Testing

/// Leases of runs with real commands of another system, which write down what they were asked.
@Suite struct BoardLeaseTests {
  let scratch: TemporaryDirectory
  let rock = BenchResource(.board, "rock", bench: "/lab/bench.yaml")
  let ppk2 = BenchResource(.meter, "ppk2", bench: "/lab/bench.yaml")

  init() throws { scratch = try TemporaryDirectory() }

  private var state: String { scratch.path + "/state" }

  /// A command that notes a word, then goes on.
  private func note(_ word: String, then script: String = "") -> [String] {
    ["sh", "-c", "echo \(word) $KELVIN_RESOURCE >> '\(scratch.path)/log'; \(script)"]
  }

  private func log() -> [String] {
    (SmallFile.text(scratch.path + "/log") ?? "").split(separator: "\n").map(String.init)
  }

  private func external(
    _ name: String = "", acquire: String = "", release: String = ""
  )
    -> ExternalLease
  {
    ExternalLease(
      acquire: note("acquire" + name, then: acquire), release: note("release" + name, then: release)
    )
  }

  private func wish(
    _ resources: [LeaseWish.Resource], run: String = "r2", takesOver: Bool = false,
    seconds: Double = 20,
    restore: @escaping @Sendable (LeaseGrant.Inheritance, Deadline) async throws -> Void = { _, _ in
    }
  ) -> LeaseWish {
    LeaseWish(
      resources, run: run, purpose: "a test", takesOver: takesOver, externalSeconds: seconds,
      stateDirectory: state, restore: restore)
  }

  private func stateOf(_ resource: BenchResource) throws -> BoardState {
    let store = try BenchStore.open(directory: state)
    defer { store.close() }
    return try store.status(of: resource).state
  }

  /// What a run leaves that was killed.
  private func leaveOrphan(
    _ resource: BenchResource, run: String, booking: ExternalBooking?
  ) throws {
    var holder = try LeaseHolder.current()
    holder.process = ProcessIdentity(
      processID: holder.process.processID, startTicks: holder.process.startTicks &- 1)
    let store = try BenchStore.open(directory: state, as: holder)
    defer { store.close() }
    let answer = try store.acquire(LeaseRequest([resource], run: run, purpose: "killed"))
    guard case .granted(let grant) = answer else {
      Issue.record("\(answer)")
      return
    }
    try store.setBooking(booking, for: resource, in: grant.lease)
  }

  @Test(.timeLimit(.minutes(1)))
  func asksTheOtherSystemAndGivesBack() async throws {
    let lease = try await BoardLease.take(
      wish([.init(rock, external: external()), .init(ppk2)]), until: .after(seconds: 30))
    #expect(log() == ["acquire rock"])
    #expect(try await lease.isInForce())
    #expect(try stateOf(rock) == .leased)
    #expect(try stateOf(ppk2) == .leased)
    // A second run is refused before it asks anybody.
    await #expect(throws: LeaseRefusal.self) {
      try await BoardLease.take(
        wish([.init(rock, external: external("2"))], run: "r3"), until: .after(seconds: 30))
    }
    #expect(await lease.giveBack().isEmpty)
    #expect(await lease.giveBack().isEmpty)
    #expect(log() == ["acquire rock", "release rock"])
    #expect(try stateOf(rock) == .free)
    #expect(try await !lease.isInForce())
  }

  @Test(.timeLimit(.minutes(1)))
  func aRefusalIsReportedWithItsWordsAndNothingIsKept() async throws {
    let refusing = external(acquire: "echo held by LAVA job 17 >&2; exit 4")
    await #expect {
      try await BoardLease.take(
        wish([.init(rock, external: refusing), .init(ppk2, external: external())]),
        until: .after(seconds: 30))
    } throws: { error in
      let failure = PlainFailure(error)
      return failure.kind == .infrastructure && failure.message.contains("board 'rock'")
        && failure.message.contains("exit code 4")
        && failure.evidence.contains("held by LAVA job 17")
    }
    // Boards come first; the meter was not asked for, and what was refused needs no release.
    #expect(log() == ["acquire rock"])
    #expect(try stateOf(rock) == .free)
    #expect(try stateOf(ppk2) == .free)
  }

  @Test(.timeLimit(.minutes(1)))
  func whatWasBookedBeforeARefusalIsGivenBack() async throws {
    await #expect(throws: PlainFailure.self) {
      try await BoardLease.take(
        wish([
          .init(rock, external: external()), .init(ppk2, external: external(acquire: "exit 1"))
        ]), until: .after(seconds: 30))
    }
    #expect(log() == ["acquire rock", "acquire ppk2", "release rock"])
    #expect(try stateOf(rock) == .free)
  }

  @Test(.timeLimit(.minutes(1)))
  func oneThatDoesNotAnswerIsEndedAndGivenBack() async throws {
    await #expect {
      try await BoardLease.take(
        wish([.init(rock, external: external(acquire: "exec sleep 300"))], seconds: 0.5),
        until: .after(seconds: 30))
    } throws: { error in PlainFailure(error).kind == .timeout }
    #expect(log() == ["acquire rock", "release rock"])
    #expect(try stateOf(rock) == .free)
  }

  @Test(.timeLimit(.minutes(1)))
  func aSignalEndsTheWaitForAnAnswer() async throws {
    let stop = Interrupt()
    let wish = wish([.init(rock, external: external(acquire: "exec sleep 300"))])
    let taking = Task {
      try await BoardLease.take(wish, until: Deadline(time: nil, interrupt: stop))
    }
    let deadline = Deadline.after(seconds: 20)
    while log().isEmpty {
      try #require(!deadline.hasPassed)
      try await Task.sleep(for: .milliseconds(5))
    }
    stop.raise()
    await #expect(throws: PlainFailure.self) { try await taking.value }
    // It may have been granted in that moment.
    #expect(log() == ["acquire rock", "release rock"])
    #expect(try stateOf(rock) == .free)
  }

  @Test(.timeLimit(.minutes(1)))
  func aMissingProgramIsNamed() async throws {
    let external = ExternalLease(acquire: ["no-such-booking", "rock"], release: ["true"])
    await #expect {
      try await BoardLease.take(
        wish([.init(rock, external: external)]), until: .after(seconds: 30))
    } throws: { error in "\(error)".contains("no-such-booking") }
    #expect(try stateOf(rock) == .free)
  }

  @Test(.timeLimit(.minutes(1)))
  func aReleaseThatFailsIsReportedAndTheLeaseEndsAllTheSame() async throws {
    let lease = try await BoardLease.take(
      wish([.init(rock, external: external(release: "echo no such job; exit 9"))]),
      until: .after(seconds: 30))
    let problems = await lease.giveBack()
    #expect(problems.count == 1)
    #expect(problems.first?.evidence.contains("no such job") == true)
    #expect(try stateOf(rock) == .free)
  }

  @Test(.timeLimit(.minutes(1)), arguments: [true, false])
  func aTakeOverGivesTheDeadOnesBookingBackAndRestoresFirst(wasGranted: Bool) async throws {
    try leaveOrphan(
      rock, run: "r1",
      booking: ExternalBooking(release: note("release-old"), isGranted: wasGranted))
    await #expect(throws: LeaseRefusal.self) {
      try await BoardLease.take(wish([.init(rock)]), until: .after(seconds: 30))
    }
    let restored = Mutex<[String]>([])
    let lease = try await BoardLease.take(
      wish([.init(rock, external: external())], takesOver: true) { [self] inherited, _ in
        let state = try stateOf(rock)
        restored.withLock { $0.append("\(inherited.previous.run) \(state.rawValue)") }
      }, until: .after(seconds: 30))
    #expect(restored.withLock { $0 } == ["r1 recovering"])
    #expect(log() == ["release-old rock", "acquire rock"])
    #expect(try stateOf(rock) == .leased)
    #expect(await lease.giveBack().isEmpty)
  }

  /// Until it is certain that the board is ours, the orphan stays what it was.
  @Test(.timeLimit(.minutes(1)), arguments: ["r1", "r2"])
  func whatCannotBeBookedIsPutBack(run: String) async throws {
    try leaveOrphan(
      rock, run: "r1", booking: ExternalBooking(release: note("release-old"), isGranted: true))
    await #expect(throws: PlainFailure.self) {
      try await BoardLease.take(
        wish(
          [.init(rock, external: external()), .init(ppk2, external: external(acquire: "exit 1"))],
          run: run, takesOver: true
        ) { _, _ in Issue.record("restored without being booked") }, until: .after(seconds: 30))
    }
    let store = try BenchStore.open(directory: state)
    let status = try store.status(of: rock)
    #expect(status.lease?.run == "r1")
    #expect(status.lease?.purpose == "killed")
    #expect(status.standing == .dead)
    #expect(status.state == .leased)
    #expect(try store.status(of: ppk2).state == .free)
    #expect(
      log()
        == (run == "r1"
          ? ["acquire ppk2"]
          : ["release-old rock", "acquire rock", "acquire ppk2", "release rock"]))
    // Its own resume goes on from there, with the booking if that was never given back.
    let lease = try await BoardLease.take(
      wish([.init(rock, external: external("-again"))], run: "r1"), until: .after(seconds: 30))
    #expect(log().contains("acquire-again rock") == (run == "r2"))
    #expect(await lease.giveBack().isEmpty)
    #expect(try store.status(of: rock).state == .free)
  }

  @Test(.timeLimit(.minutes(1)), arguments: [true, false])
  func itsOwnResumeKeepsABookingThatWasGranted(wasGranted: Bool) async throws {
    try leaveOrphan(
      rock, run: "r1",
      booking: ExternalBooking(release: note("release"), isGranted: wasGranted))
    let lease = try await BoardLease.take(
      wish([.init(rock, external: external())], run: "r1") { _, _ in
        Issue.record("a run that goes on finds its own settings")
      }, until: .after(seconds: 30))
    // Whether it was granted is not known otherwise: given back, and asked for again.
    #expect(log() == (wasGranted ? [] : ["release rock", "acquire rock"]))
    #expect(await lease.giveBack().isEmpty)
    #expect(log().last == "release rock")
    #expect(try stateOf(rock) == .free)
  }

  @Test(.timeLimit(.minutes(1)))
  func aBoardThatCannotBeRestoredIsQuarantined() async throws {
    try leaveOrphan(rock, run: "r1", booking: nil)
    await #expect {
      try await BoardLease.take(
        wish([.init(rock)], takesOver: true) { _, _ in
          throw PlainFailure(.target, "scaling_governor: read back as 'powersave'")
        }, until: .after(seconds: 30))
    } throws: { error in
      "\(error)".contains("quarantined") && "\(error)".contains("read back as 'powersave'")
    }
    let store = try BenchStore.open(directory: state)
    let status = try store.status(of: rock)
    #expect(status.state == .quarantined)
    #expect(status.lease == nil)
    #expect(status.health?.reason.contains("run r1") == true)
  }

  @Test(.timeLimit(.minutes(1)))
  func aLeaseThatWasTakenOverGivesNothingBackElsewhere() async throws {
    let lease = try await BoardLease.take(
      wish([.init(rock, external: external())], run: "r1"), until: .after(seconds: 30))
    // Another host's process would see ours so.
    var other = try LeaseHolder.current()
    other.host.processNamespace = "pid:[1]"
    let store = try BenchStore.open(directory: state, as: other)
    guard
      case .granted = try store.acquire(
        LeaseRequest([rock], run: "r2", purpose: "", takesOver: true))
    else {
      Issue.record("not taken over")
      return
    }
    let problems = await lease.giveBack()
    #expect(problems.first?.message.contains("took the lease over") == true)
    #expect(log() == ["acquire rock"])
    #expect(try store.status(of: rock).lease?.run == "r2")
  }
}
