import Glibc
import KelvinModel
import KelvinSystem
import Synchronization
import Testing

@testable import KelvinStore

/// Who gets a board, who does not, and what happens when its holder dies: with real processes.
@Suite struct LeaseTests {
  let directory = TemporaryDirectory()

  private func open(_ holder: LeaseHolder? = nil) throws -> BenchStore {
    try BenchStore.open(directory: directory.path, as: holder)
  }

  @Test func givesAllOrNone() throws {
    let other = try IdleProcess()
    let store = try open()
    try open(try other.holder()).take(ppk2)
    let refusal = try store.refusal(rock, ppk2)
    #expect(refusal.problems.map(\.resource) == [ppk2])
    #expect(try store.status(of: rock).state == .free)
    try store.take(rock, pi)
    #expect(try store.status(of: rock).state == .leased)
    #expect(try store.status(of: pi).state == .leased)
  }

  @Test func namesTheHolderAndWhatToDo() throws {
    let other = try IdleProcess()
    let holder = try other.holder()
    try open(holder).take(rock, run: "r1", directory: "/runs/x")
    let refusal = try open().refusal(rock, run: "r2", takesOver: true)
    #expect(refusal.kind == .infrastructure)
    for part in [
      "board 'rock'", "anna", "process \(other.processID)", holder.host.name, "a test",
      "kill -INT \(other.processID)"
    ] { #expect(refusal.description.contains(part), "\(refusal)") }
    #expect(!refusal.description.contains("take-over"), "a live owner keeps its lease: \(refusal)")
  }

  @Test func isGivenBackOnce() throws {
    let store = try open()
    let lease = try store.take(rock, ppk2).lease
    #expect(try store.isInForce(lease))
    #expect(try store.release(lease))
    #expect(try !store.release(lease))
    #expect(try store.status(of: rock).state == .free)
    #expect(try store.actions() == ["acquire", "acquire", "release", "release"])
  }

  @Test(arguments: [false, true])
  func aKilledHoldersLeaseIsOrphaned(isReaped: Bool) throws {
    let other = try IdleProcess()
    try open(try other.holder()).take(rock, run: "r1", directory: "/runs/x")
    try other.killUnreaped()
    if isReaped { other.reap() }
    let store = try open()
    let refusal = try store.refusal(rock, run: "r2")
    for part in ["orphaned", "kelvin resume /runs/x", "--take-over"] {
      #expect(refusal.description.contains(part), "\(refusal)")
    }
    #expect(try store.status(of: rock).standing == .dead)
    // Its own run goes on with it, as it left it.
    let grant = try store.take(rock, run: "r1")
    #expect(grant.inherited.map(\.isReclaimed) == [true])
    #expect(grant.inherited.map(\.mustRestore) == [false])
    #expect(try store.status(of: rock).state == .leased)
  }

  @Test func takingOverMeansToRestoreFirst() throws {
    let other = try IdleProcess()
    try open(try other.holder()).take(rock, ppk2, run: "r1")
    try other.killUnreaped()
    let store = try open()
    let grant = try store.take(rock, run: "r2", takesOver: true)
    #expect(grant.inherited.map(\.mustRestore) == [true])
    #expect(grant.inherited.map(\.previous.run) == ["r1"])
    #expect(try store.status(of: rock).state == .recovering)
    // What was not asked for stays with the dead run, which may still go on with it.
    #expect(try store.status(of: ppk2).lease?.run == "r1")
    try store.restored(rock, in: grant.lease)
    #expect(try store.status(of: rock).state == .leased)
    #expect(throws: StoreFailure.self) { try store.restored(rock, in: grant.lease) }
    try store.release(grant.lease)
    #expect(try store.status(of: rock).state == .free)
  }

  @Test func whoeverDiesWhileRestoringLeavesItToRestore() throws {
    let first = try IdleProcess()
    let second = try IdleProcess()
    try open(try first.holder()).take(rock, run: "r1")
    try first.killUnreaped()
    try open(try second.holder()).take(rock, run: "r2", takesOver: true)
    try second.killUnreaped()
    let store = try open()
    let grant = try store.take(rock, run: "r2")
    #expect(grant.inherited.map(\.isReclaimed) == [true])
    #expect(grant.inherited.map(\.mustRestore) == [true])
    // Given back without that, nobody knows that it is well.
    try store.release(grant.lease)
    #expect(try store.status(of: rock).state == .quarantined)
    #expect(try store.refusal(rock).description.contains("kelvin bench enable rock"))
  }

  /// A command outside of runs leaves nothing to go on with.
  @Test func aDeadCommandsLeaseGoesToWhoeverComesNext() throws {
    let other = try IdleProcess()
    try open(try other.holder()).take(rock, ppk2)
    #expect(try open().refusal(rock).description.contains("leased by anna"), "while it lives")
    try other.killUnreaped()
    let store = try open()
    #expect(try store.status(of: rock).isAbandoned)
    let grant = try store.take(rock, run: "r1")
    #expect(grant.inherited.map(\.isAbandoned) == [true])
    #expect(grant.inherited.map(\.isReclaimed) == [false])
    #expect(grant.inherited.map(\.mustRestore) == [false])
    #expect(try store.status(of: rock).state == .leased)
    #expect(try store.status(of: ppk2).isAbandoned, "nobody has asked for it")
    // Nothing was done with it: it is again what it was.
    try store.release(grant.lease, puttingBack: grant.inherited)
    #expect(try store.status(of: rock).isAbandoned)
    try store.release(try store.take(rock, ppk2).lease)
    #expect(try store.status(of: rock).state == .free)
    #expect(try store.actions().contains("clear"))
  }

  /// A run's lease, a booking elsewhere, a recovery, and what cannot be judged: all stay.
  @Test(arguments: ["run", "booking", "recovery", "elsewhere"])
  func whatMustBeGoneOnWithIsNobodyElses(what: String) throws {
    let other = try IdleProcess()
    var holder = try other.holder()
    if what == "elsewhere" { holder.host.processNamespace = "pid:[1]" }
    let first = try open(holder)
    let lease = try first.take(rock, run: what == "run" ? "r1" : "").lease
    if what == "booking" {
      try first.setBooking(ExternalBooking(release: ["x"], isGranted: false), for: rock, in: lease)
    }
    if what == "recovery" { try first.recover(rock, in: lease, reason: "silent") }
    try other.killUnreaped()
    let store = try open()
    #expect(try !store.status(of: rock).isAbandoned)
    #expect(try store.refusal(rock).hint.contains("--take-over"))
    let grant = try store.take(rock, takesOver: true)
    #expect(grant.inherited.map(\.isReclaimed) == [false])
    #expect(grant.inherited.map(\.mustRestore) == [true])
  }

  /// A switch-off outlives its lease and its process, until somebody has switched.
  @Test func aBoardThatWasLeftOffIsKnown() throws {
    let other = try IdleProcess()
    let first = try open(try other.holder())
    let lease = try first.take(rock).lease
    try first.switchingOff(rock, in: lease, reason: "bench check --switch")
    #expect(try open().status(of: rock).outage?.reason == "bench check --switch")
    #expect(try !open().status(of: rock).isLeftOff, "whoever did it lives")
    try other.killUnreaped()
    let store = try open()
    #expect(try store.status(of: rock).isLeftOff)
    let grant = try store.take(rock)
    #expect(grant.outages[rock]?.user == "anna")
    #expect(grant.outages[rock]?.lease == lease.id)
    try store.release(grant.lease)
    #expect(try BenchListing.status(of: rock, directory: directory.path).isLeftOff)
    let again = try store.take(rock)
    #expect(try store.switched(rock, in: again.lease))
    #expect(try !store.switched(rock, in: again.lease))
    #expect(try store.status(of: rock).outage == nil)
    #expect(throws: StoreFailure.self) {
      try store.switchingOff(pi, in: again.lease, reason: "not ours")
    }
    #expect(try store.actions().filter { $0.hasSuffix("outage") } == ["outage", "end outage"])
  }

  /// Known under another name of the same device.
  @Test func aDeviceThatWasLeftOffIsKnownUnderAnotherName() throws {
    let theirs = BenchResource(.board, "rock", bench: "/a", identity: "usb:1")
    let mine = BenchResource(.board, "stone", bench: "/b", identity: "usb:1")
    let store = try open()
    let lease = try store.take(theirs).lease
    try store.switchingOff(theirs, in: lease, reason: "x")
    try store.release(lease)
    let grant = try store.take(mine)
    #expect(grant.outages[mine]?.reason == "x")
    try store.switched(mine, in: grant.lease)
    #expect(try store.status(of: theirs).outage == nil)
  }

  @Test func aProcessIDThatWasGivenAgainIsNotItsHolder() throws {
    let other = try IdleProcess()
    var holder = try other.holder()
    holder.process = ProcessIdentity(
      processID: holder.process.processID, startTicks: holder.process.startTicks - 1)
    try open(holder).take(rock, run: "r1")
    #expect(try open().status(of: rock).standing == .dead)
    #expect(try open().refusal(rock).description.contains("orphaned"))
  }

  @Test func aRebootKillsAllHolders() throws {
    var holder = try LeaseHolder.current()
    holder.host.bootID = "00000000-0000-0000-0000-000000000000"
    let store = try open(holder)
    try store.take(rock, run: "r1")
    // Before this boot, as the clock is set now.
    try #require(shell("sqlite3 \(store.path) 'UPDATE leases SET taken_wall_ns = 1'").code == 0)
    #expect(try open().status(of: rock).standing == .dead)
    try open().take(rock, run: "r1")
  }

  /// Of another boot of this machine, and later than the present one began: a copy of this machine
  /// may hold it, or the clock was ahead. Its own run must ask, too.
  @Test(arguments: [0, 3_600_000_000_000, Int64.max / 2] as [Int64])
  func aBootOfTheFutureCannotBeJudged(ahead: Int64) throws {
    var holder = try LeaseHolder.current()
    holder.host.bootID = "ffffffff-ffff-ffff-ffff-ffffffffffff"
    let store = try open(holder)
    try store.take(rock, run: "r1")
    try #require(
      shell("sqlite3 \(store.path) 'UPDATE leases SET taken_wall_ns = taken_wall_ns + \(ahead)'")
        .code == 0)
    #expect(try open().status(of: rock).standing == .elsewhere)
    #expect(try open().refusal(rock, run: "r1").description.contains("--take-over"))
    let grant = try open().take(rock, run: "r2", takesOver: true)
    #expect(grant.inherited.map(\.mustRestore) == [true])
  }

  /// Whoever repairs a board needs it, and it stays out.
  @Test(arguments: [BenchHealth.Condition.quarantined, .disabled])
  func whatWasTakenOutCanBeAttendedTo(condition: BenchHealth.Condition) throws {
    let store = try open()
    if condition == .disabled {
      try store.disable(rock, reason: "fan broken")
    } else {
      try store.quarantine(rock, reason: "silent")
    }
    _ = try store.refusal(rock)
    let request = LeaseRequest([rock], purpose: "a test", attends: true)
    guard case .granted(let grant) = try store.acquire(request) else {
      Issue.record("refused")
      return
    }
    let out = condition == .disabled ? BoardState.disabled : .quarantined
    #expect(try store.status(of: rock).state == out)
    // Nobody else at the same time.
    guard case .refused(let refusal) = try store.acquire(request) else {
      Issue.record("given twice")
      return
    }
    #expect(refusal.description.contains("leased by"))
    if condition == .quarantined {
      #expect(try store.enable(rock, from: .quarantined))
      #expect(try store.status(of: rock).state == .leased)
      try store.release(grant.lease)
      #expect(try store.status(of: rock).state == .free)
    } else {
      #expect(try !store.enable(rock, from: .quarantined))
      try store.release(grant.lease)
      #expect(try store.status(of: rock).state == .disabled)
    }
  }

  /// Sick, and left by a dead run: taking it over to look after it restores it, too.
  @Test func attendingToAnOrphanRestoresIt() throws {
    let process = try IdleProcess()
    let dead = try open(try process.holder())
    try dead.take(rock, run: "r1")
    try dead.quarantine(rock, reason: "silent")
    try process.killUnreaped()
    let store = try open()
    guard
      case .granted(let grant) = try store.acquire(
        LeaseRequest([rock], purpose: "a test", takesOver: true, attends: true))
    else {
      Issue.record("refused")
      return
    }
    #expect(grant.inherited.map(\.mustRestore) == [true])
    #expect(try store.enable(rock))
    #expect(try store.status(of: rock).state == .recovering)
    try store.restored(rock, in: grant.lease)
    try store.release(grant.lease)
    #expect(try store.status(of: rock).state == .free)
  }

  /// A dead process id here says nothing of another host, or of another container.
  @Test(arguments: ["host", "machine", "namespace"])
  func anotherHostsLeaseIsNeverJudgedByItsProcessID(what: String) throws {
    var holder = try LeaseHolder.current()
    holder.process = ProcessIdentity(processID: 4_000_000, startTicks: 1)
    switch what {
    case "host":
      holder.host.name = "other"
      holder.host.bootID = "00000000-0000-0000-0000-000000000000"
    case "machine":
      holder.host.machineID = "another machine of this name"
      holder.host.bootID = "00000000-0000-0000-0000-000000000000"
    default: holder.host.processNamespace = "pid:[1]"
    }
    try open(holder).take(rock, run: "r1")
    let store = try open()
    #expect(try store.status(of: rock).standing == .elsewhere)
    // Not even for the run of that name.
    let refusal = try store.refusal(rock, run: "r1")
    #expect(refusal.description.contains("cannot be seen"), "\(refusal)")
    #expect(refusal.hint.contains("--take-over"))
    #expect(try store.take(rock, run: "r2", takesOver: true).inherited.map(\.mustRestore) == [true])
  }

  @Test func whoseLeaseWasTakenOverNoticesIt() throws {
    var elsewhere = try LeaseHolder.current()
    elsewhere.host.processNamespace = "pid:[1]"
    let first = try open(elsewhere)
    let lost = try first.take(rock, run: "r1").lease
    try open().take(rock, run: "r2", takesOver: true)
    #expect(try !first.isInForce(lost))
    #expect(try !first.release(lost))
    #expect(try open().status(of: rock).lease?.run == "r2")
    #expect {
      try first.restored(rock, in: lost)
    } throws: { error in "\(error)".contains("no longer") }
  }

  /// Two bench files, two names, one device.
  @Test func oneDeviceUnderTwoNamesIsOne() throws {
    let other = try IdleProcess()
    let theirs = BenchResource(.board, "rock", bench: "/a", identity: "usb:1")
    let mine = BenchResource(.board, "stone", bench: "/b", identity: "usb:1")
    let holder = try open(try other.holder())
    let lease = try holder.take(theirs).lease
    let store = try open()
    #expect(try store.refusal(mine).problems.count == 1)
    try holder.release(lease)
    try store.quarantine(mine, reason: "no prompt")
    // Also where the identity is not known at the moment.
    #expect(
      try store.refusal(BenchResource(.board, "rock", bench: "/a")).description
        .contains("no prompt"))
    // Another device in its place is not sick.
    try store.take(BenchResource(.board, "rock", bench: "/a", identity: "usb:2"))
    #expect(try BenchListing.read(directory: directory.path).state("stone") == .quarantined)
  }

  @Test(.timeLimit(.minutes(1)))
  func ofManyConnectionsOneGetsTheBoard() throws {
    let count = 12
    let won = Atomic<Int>(0)
    let lost = Atomic<Int>(0)
    let failed = Mutex<[String]>([])
    let path = directory("new/state")
    // Each takes the two in another order, and opens a database that nobody has made yet.
    let threads = try (0..<count).map { number in
      try NamedThread("racer") {
        do {
          let store = try BenchStore.open(directory: path)
          let order = number.isMultiple(of: 2) ? [rock, ppk2] : [ppk2, rock]
          switch try store.acquire(LeaseRequest(order, run: "r\(number)", purpose: "")) {
          case .granted: won.add(1, ordering: .relaxed)
          case .refused: lost.add(1, ordering: .relaxed)
          }
        } catch {
          failed.withLock { $0.append("\(error)") }
        }
      }
    }
    for thread in threads { thread.join() }
    #expect(failed.withLock { $0 } == [])
    #expect(won.load(ordering: .relaxed) == 1)
    #expect(lost.load(ordering: .relaxed) == count - 1)
    #expect(shell("ls \(path)").output.split(separator: "\n").first == "bench.db")
    #expect(!shell("ls \(path)").output.contains(".new-"))
  }

  @Test func remembersBookingsElsewhere() throws {
    let other = try IdleProcess()
    let first = try open(try other.holder())
    let lease = try first.take(rock, run: "r1").lease
    let booking = ExternalBooking(release: ["lava", "release", "a b"], isGranted: true)
    try first.setBooking(booking, for: rock, in: lease)
    try other.killUnreaped()
    let grant = try open().take(rock, run: "r2", takesOver: true)
    #expect(grant.inherited.map(\.external) == [booking])
    try open().setBooking(nil, for: rock, in: grant.lease)
    #expect(try open().take(pi).inherited.isEmpty)
  }
}
