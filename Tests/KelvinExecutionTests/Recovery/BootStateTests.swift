import KelvinConnections
import KelvinModel
import Testing

@testable import KelvinExecution

@Suite struct BootStateTests {
  private static let a = "11111111-2222-4333-8444-555555555555"
  private static let b = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"

  private static func state(_ id: String?, _ uptime: Double?, at seconds: Double) -> BootState {
    BootState(
      bootID: id, uptime: uptime, time: MonotonicTime(nanoseconds: Int64(seconds * 1e9)))
  }

  enum Answer { case same, rebooted, unknown }

  private static func answer(_ change: BootChange) -> Answer {
    switch change {
    case .sameBoot: .same
    case .rebooted: .rebooted
    case .unknown: .unknown
    }
  }

  @Test(
    arguments: [
      (state(a, 100, at: 0), state(a, 160, at: 60), Answer.same),
      (state(a, 100, at: 0), state(b, 5, at: 60), .rebooted),
      // Another id alone is enough, whatever the clocks say.
      (state(a, 100, at: 0), state(b, 160, at: 60), .rebooted),
      // A boot id that never changes.
      (state(a, 100, at: 0), state(a, 5, at: 60), .rebooted),
      (state(a, 10, at: 0), state(a, 50, at: 60), .rebooted),
      // Clocks differ a little, and more over a long time.
      (state(a, 100, at: 0), state(a, 157, at: 60), .same),
      (state(a, 100, at: 0), state(a, 36_000 - 200, at: 36_000), .same),
      (state(nil, 100, at: 0), state(nil, 160, at: 60), .same),
      (state(nil, 100, at: 0), state(nil, 8, at: 60), .rebooted),
      (state(a, nil, at: 0), state(a, nil, at: 60), .same),
      (state(a, nil, at: 0), state(nil, 5, at: 60), .unknown),
      (state(nil, nil, at: 0), state(a, 5, at: 60), .unknown),
      (state(a, 100, at: 0), nil, .unknown), (nil, state(a, 100, at: 0), .unknown)
    ] as [(BootState?, BootState?, Answer)])
  func compares(before: BootState?, after: BootState?, answer: Answer) {
    let change = BootChange(from: before, to: after)
    #expect(BootStateTests.answer(change) == answer, "\(change)")
  }

  @Test func aConsoleTellsWhereTheBoardDoesNot() {
    let signs = KernelSigns(Array("U-Boot 2023.01 (x)\n[    0.000000] Linux version 6.1\n".utf8))
      .signs
    let before = BootStateTests.state(BootStateTests.a, 100, at: 0)
    #expect(
      BootChange(from: before, to: nil, signs: signs)
        == .rebooted([
          "its console said 'U-Boot 2023.01 (x)'", "its console said 'Linux version 6.1'"
        ]))
    // What the board itself says counts for more.
    let after = BootStateTests.state(BootStateTests.a, 160, at: 60)
    #expect(BootChange(from: before, to: after, signs: signs) == .sameBoot)
    guard
      case .rebooted(let evidence) = BootChange(
        from: before, to: BootStateTests.state(BootStateTests.b, 5, at: 60), signs: signs)
    else {
      Issue.record("not seen")
      return
    }
    #expect(evidence.count == 4 && evidence[0].contains(BootStateTests.b), "\(evidence)")
  }

  @Test(
    arguments: [
      ("\(a)\n", "123.45 67.89\n", a, 123.45), ("", "", nil, nil), ("garbage", "1e", nil, nil),
      ("00000000-0000-0000-0000-000000000000", "-5 1", nil, nil), (a, "nan 1", a, nil),
      (a.uppercased(), "inf", a, nil), (String(a.dropLast()), "0.00 0.00", nil, 0)
    ] as [(String, String, String?, Double?)])
  func readsFilesThatMayHoldAnything(id: String, uptime: String, bootID: String?, seconds: Double?)
  {
    let state = BootState(
      bootIDFile: Array(id.utf8), uptimeFile: Array(uptime.utf8),
      time: MonotonicTime(nanoseconds: 0))
    #expect(state.bootID == bootID && state.uptime == seconds, "\(state)")
  }

  @Test(.timeLimit(.minutes(1))) func thisMachineIsInTheSameBootAsBefore() async throws {
    let connection = LocalConnection()
    let before = try await BootState.read(through: connection, until: .after(seconds: 10))
    #expect(before.bootID != nil && before.uptime != nil)
    let after = try await BootState.read(through: connection, until: .after(seconds: 10))
    #expect(BootChange(from: before, to: after) == .sameBoot)
  }
}
