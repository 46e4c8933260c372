import KelvinModel
import KelvinSystem
import Synchronization
import Testing

@testable import KelvinConnections

/// What every way to ask whether a board lives promises.
@Suite struct PulseTests {
  private static let kinds = ConformanceKind.allCases.filter {
    ![.local, .dash, .bash, .busybox, .mksh].contains($0)
  }

  @Test(arguments: [ConformanceKind.local, .bash])
  func thisMachineIsNotAsked(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    #expect(try await connection.pulse(until: soon()) == nil)
    await connection.close()
  }

  /// By a thread of its own, while the board's waits for a command.
  @Test(.timeLimit(.minutes(2)), arguments: kinds)
  func answersBesideACommand(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    let pulse = try #require(try await connection.pulse(until: soon()))
    let beating = try BeatingPulse(pulse, each: 0.05)
    let result = try await connection.execute(
      Command(["sh", "-c", "echo begun; sleep 2; echo ended"]), until: soon())
    let asked = beating.stop()
    #expect(result.standardOutput.text == "begun\nended\n")
    #expect(asked.failure == nil)
    #expect(asked.beats > 2)
    // The connection is as it was.
    let again = try await connection.execute(Command(["echo", "more"]), until: soon())
    #expect(again.standardOutput.text == "more\n")
    pulse.close()
    await connection.close()
  }

  @Test(.timeLimit(.minutes(2)), arguments: kinds)
  func tellsThatTheWayIsGone(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    let pulse = try #require(try await connection.pulse(until: soon()))
    try pulse.beat(until: soon())
    await connection.close()
    // adb's server goes on without the connection.
    if kind == .adb || kind == .adbd { pulse.close() }
    let failure = #expect(throws: ConnectionFailure.self) {
      try pulse.rest(until: .after(seconds: kind.isConsole ? 0 : 5))
      try pulse.beat(until: soon())
      // An agent's goodbye was heard.
      try pulse.beat(until: soon())
    }
    #expect(failure?.code == .connectionLost, "\(failure.debugDescription)")
    pulse.close()
    pulse.close()
  }
}
