import Glibc
import KelvinConnections
import KelvinModel
import Testing

/// A `kelvin simulate` that runs beside a test: its bench file in bench.yaml, what it tells in log.
struct SimulatorProcess {
  private let process: any RemoteProcess

  /// Starts it.
  ///
  /// - Parameters:
  ///   - arguments: behind `simulate`, as a shell reads them.
  ///   - sign: what its bench file ends with: it is ready when that stands there.
  init(_ arguments: String, in scratch: Scratch, until sign: String) async throws {
    process = try await LocalConnection().start(
      Command(
        ["sh", "-c", "exec '\(KelvinBinary.path)' simulate \(arguments) > bench.yaml 2> log"],
        workingDirectory: TargetPath(scratch.path)), until: .after(seconds: 10))
    let deadline = Deadline.after(seconds: 30)
    while (try? scratch.read("bench.yaml"))?.contains(sign) != true {
      try #require(!deadline.hasPassed, "it did not begin within 30 s")
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  /// Ends it by a signal, as it is to be ended; 0 waits until it ends by itself.
  func end(by signal: Int32 = SIGINT) async throws {
    kill(process.processID, signal)
    #expect(Ran(try await process.wait(until: .after(seconds: 30))).code == 0)
  }
}
