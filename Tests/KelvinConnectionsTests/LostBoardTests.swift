import Glibc
import KelvinModel
import Testing

@testable import KelvinConnections

@Suite struct LostBoardTests {
  /// A board that was found to be lost is not asked to end what ran there: that would buy nothing.
  @Test(
    .timeLimit(.minutes(1)), arguments: ConformanceKind.allCases.filter { $0 != .local },
    [true, false])
  func leavesWhatRunsOnALostBoard(kind: ConformanceKind, isStarted: Bool) async throws {
    let connection = try kind.connection()
    let assignment = "KELVIN_TEST=lost-\(getpid())-\(kind)-\(isStarted)"
    _ = try await connection.execute(Command(["true"]), until: soon())
    let interrupt = Interrupt()
    // It says that it runs, here, where the board is this machine; and then the board is lost.
    let watch = Task.detached {
      while HostileCommandTests.carriers(of: assignment).isEmpty {
        try await Task.sleep(for: .milliseconds(20))
      }
      interrupt.raiseAsLoss()
    }
    defer { watch.cancel() }
    var command = Command(
      ["sleep", "300"], environment: ["KELVIN_TEST": String(assignment.dropFirst(12))])
    command.endsDescendants = isStarted
    await #expect {
      let deadline = Deadline(time: nil, interrupt: interrupt)
      if isStarted {
        let process = try await connection.start(command, until: soon())
        _ = try await process.wait(until: deadline)
      } else {
        _ = try await connection.execute(command, until: deadline)
      }
    } throws: { ($0 as? ConnectionFailure)?.code == .connectionLost }
    // What a link's own shell ran may end with the link.
    if isStarted { #expect(!HostileCommandTests.carriers(of: assignment).isEmpty) }
    // The board was not lost after all: then it is ended when the link is back.
    let ended = try await connection.endProcesses(
      withEnvironment: assignment, grace: 1, until: soon())
    if isStarted { #expect(ended >= 1) }
    #expect(HostileCommandTests.carriers(of: assignment).isEmpty)
    await connection.close()
  }
}
