import KelvinModel
import Testing

@testable import KelvinStore

/// Reservations and health: what keeps a board from a run.
@Suite struct ReservationTests {
  static let hour: Int64 = 3_600_000_000_000
  let directory = TemporaryDirectory()

  private func open(user: String) throws -> BenchStore {
    var holder = try LeaseHolder.current()
    holder.user = user
    return try BenchStore.open(directory: directory.path, as: holder)
  }

  @Test func keepsABoardForItsUser() throws {
    let anna = try open(user: "anna")
    let ben = try open(user: "ben")
    #expect(try anna.reserve(rock, forNanoseconds: Self.hour, reason: "bring-up") == nil)
    let refusal = try ben.refusal(rock)
    #expect(refusal.description.contains("reserved by anna until"), "\(refusal)")
    #expect(refusal.description.contains("bring-up"))
    #expect(
      try ben.reserve(rock, forNanoseconds: 1, reason: "").map { $0.problems.count } == 1)
    try anna.release(try anna.take(rock).lease)
    guard case .refused = try ben.cancelReservation(of: rock) else {
      Issue.record("another's reservation was ended")
      return
    }
    guard case .ended(let reservation) = try ben.cancelReservation(of: rock, force: true) else {
      Issue.record("not ended")
      return
    }
    #expect(reservation.user == "anna")
    try ben.take(rock)
    #expect(try anna.cancelReservation(of: rock) == .nothingReserved)
  }

  @Test func expires() throws {
    let anna = try open(user: "anna")
    #expect(try anna.reserve(rock, forNanoseconds: 0, reason: "") == nil)
    #expect(try anna.status(of: rock).reservation == nil)
    try open(user: "ben").take(rock)
  }

  /// It ends when it would have ended, and says so by the clock as it is set now.
  @Test(arguments: [-1, 1] as [Int64])
  func aClockThatIsSetMovesNoReservation(hours: Int64) throws {
    let anna = try open(user: "anna")
    #expect(try anna.reserve(rock, forNanoseconds: Self.hour / 2, reason: "") == nil)
    // As if it had been made before the clock was set by so much.
    let shift = hours * Self.hour
    let change = """
      UPDATE reservations SET made_wall_ns = made_wall_ns - \(shift), \
      expires_wall_ns = expires_wall_ns - \(shift)
      """
    try #require(shell("sqlite3 \(anna.path) '\(change)'").code == 0)
    let reservation = try #require(try anna.status(of: rock).reservation)
    let left = reservation.expires.wallNanoseconds - MonotonicTime.wallNanoseconds
    #expect(left > Self.hour / 2 - 60_000_000_000 && left <= Self.hour / 2)
    #expect(try open(user: "ben").refusal(rock).description.contains("reserved by anna"))
  }

  @Test func anEndIsToldAgainOnlyWithinItsBootAndWhenTheClockWasSet() {
    let end = BenchMoment(
      wallNanoseconds: 100_000_000_000, bootID: "b", boottimeNanoseconds: 50_000_000_000)
    var now = BenchMoment(
      wallNanoseconds: 60_100_000_000, bootID: "b", boottimeNanoseconds: 10_000_000_000)
    #expect(end.told(at: now) == end)
    now.wallNanoseconds = 1_000_000_000
    #expect(end.told(at: now).wallNanoseconds == 41_000_000_000)
    now.bootID = "c"
    #expect(end.told(at: now) == end)
    now.bootID = "b"
    now.wallNanoseconds = .max
    #expect(end.told(at: now) == end)
  }

  /// Within one boot CLOCK_BOOTTIME decides, so that setting the clock ends nothing; after a reboot
  /// only the wall clock is left.
  @Test(
    arguments: [
      ("b", 5, 5, true), ("b", 9, 4, false), ("b", 1, 5, true), ("c", 9, 4, true),
      ("c", 4, 9, false), ("c", 5, 0, true)
    ] as [(String, Int64, Int64, Bool)])
  func timeIsJudgedByTheClockThatHolds(
    bootID: String, wall: Int64, boottime: Int64, isPast: Bool
  ) {
    let end = BenchMoment(wallNanoseconds: 5, bootID: "b", boottimeNanoseconds: 5)
    let now = BenchMoment(wallNanoseconds: wall, bootID: bootID, boottimeNanoseconds: boottime)
    #expect(end.isPast(at: now) == isPast)
  }

  @Test func aDisabledBoardStaysWithItsRunAndComesBackByEnable() throws {
    let anna = try open(user: "anna")
    let lease = try anna.take(rock).lease
    let status = try anna.disable(rock, reason: "fan broken")
    #expect(status.state == .disabled)
    #expect(status.lease == lease)
    #expect(try anna.isInForce(lease))
    #expect(try anna.enable(rock))
    #expect(try anna.status(of: rock).state == .leased)
    try anna.disable(rock, reason: "fan broken")
    try anna.release(lease)
    let refusal = try open(user: "ben").refusal(rock)
    #expect(refusal.description.contains("disabled by anna"), "\(refusal)")
    #expect(refusal.description.contains("fan broken"))
    #expect(try anna.enable(rock, reason: "new fan"))
    #expect(try !anna.enable(rock))
    try anna.take(rock)
  }

  @Test func aQuarantinedBoardShowsItsEvidence() throws {
    let anna = try open(user: "anna")
    try anna.quarantine(rock, reason: "no login prompt", evidence: "U-Boot 2024.01")
    #expect(try anna.refusal(rock).description.contains("U-Boot 2024.01"))
    // What a person decided is not undone by what a run finds.
    try anna.disable(rock, reason: "to the bin")
    try anna.quarantine(rock, reason: "no login prompt")
    #expect(try anna.status(of: rock).health?.reason == "to the bin")
    #expect(try anna.actions() == ["quarantine", "disable"])
  }

  @Test func aReservationDoesNotTakeABoardFromAKilledRun() throws {
    let other = try IdleProcess()
    try BenchStore.open(directory: directory.path, as: try other.holder(user: "anna"))
      .take(rock, run: "r1")
    try other.killUnreaped()
    #expect(
      try open(user: "ben").reserve(rock, forNanoseconds: Self.hour, reason: "") == nil)
    #expect(try open(user: "anna").refusal(rock, takesOver: true).problems.count == 1)
    try open(user: "anna").take(rock, run: "r1")
  }

  @Test func theRecordOfEventsIsBounded() throws {
    let anna = try open(user: "anna")
    try anna.take(rock)
    let insertion = """
      WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 30000) \
      INSERT INTO events SELECT i, 0, '', 0, '', '', 0, 1, '', 'x', '' FROM n
      """
    try #require(shell("sqlite3 \(anna.path) \"\(insertion)\"").code == 0)
    try anna.take(pi)
    #expect(try anna.actions().count == Int(BenchStore.eventLimit))
  }
}
