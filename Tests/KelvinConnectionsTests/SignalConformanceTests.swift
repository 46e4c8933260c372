import Foundation
import Glibc
import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinConnections

/// A command hears signals while another thread waits for its end.
@Suite struct SignalConformanceTests {
  @Test(.timeLimit(.minutes(1)), arguments: ConformanceKind.allCases.filter { !$0.isConsole })
  func aSignalReachesWhatIsWaitedFor(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    let file = FileManager.default.temporaryDirectory.path + "/kelvin-signal-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: file) }
    let process = try await connection.start(
      Command([
        "sh", "-c", "trap 'echo heard; exit 5' USR1; : > \(file); while :; do sleep 0.05; done"
      ]), until: soon())
    let waiting = Task.detached { try await process.wait(until: soon()) }
    let deadline = Deadline.after(seconds: 30)
    // It has begun, and the other thread has had its time to wait.
    while !FileManager.default.fileExists(atPath: file), !deadline.hasPassed {
      _ = Deadline.after(seconds: 0.02).wait()
    }
    _ = Deadline.after(seconds: 0.1).wait()
    try await process.signal(SIGUSR1)
    let result = try await waiting.value
    #expect(result.termination == .exited(5) && result.standardOutput.text == "heard\n")
    // After that it is nobody's.
    try await process.signal(SIGKILL)
    await connection.close()
  }
}
