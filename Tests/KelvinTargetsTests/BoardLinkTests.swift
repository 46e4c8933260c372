import KelvinModel
import KelvinTargets
import Testing

@testable import KelvinConnections

/// Links that this host switches.
@Suite(.timeLimit(.minutes(1)))
struct BoardLinkTests {
  /// A board that answers while a file is there.
  private func make(
    _ directory: Directory
  ) throws -> (link: BoardLink, connection: any Connection) {
    var entry = board("command", [:])
    entry.link = DriverChoice(
      "command", options: ["on": ["true"], "off": ["true"]], location: entry.location)
    let link = try BoardLink(of: entry, host: PowerHost())
    let connection = ShellConnection(
      argv: ["sh", "-c", "[ -e '\(directory.path)/up' ] || exit 1; exec sh"])
    return (link, connection)
  }

  @Test func isBackWhenTheBoardAnswers() async throws {
    let directory = try Directory()
    let (link, connection) = try make(directory)
    let host = LocalConnection()
    let boot = try await host.start(
      Command(["sh", "-c", "sleep 0.7; echo >'\(directory.path)/up'"]), until: soon)
    let taken = try await seconds { try await link.bringBack(connection, until: soon) }
    #expect(taken >= 0.5)
    #expect(try await connection.read("/proc/uptime", until: soon).last == 10)
    _ = try await boot.wait(until: soon)
    await connection.close()
    await host.close()
  }

  @Test func saysWhyTheBoardDoesNotAnswer() async throws {
    let directory = try Directory()
    let (link, connection) = try make(directory)
    let error = await #expect(throws: ConnectionFailure.self) {
      try await link.bringBack(connection, until: .after(seconds: 1))
    }
    #expect(error?.mayPass == true)
    await connection.close()
  }

  @Test func aLinkThatNobodySwitchedIsNotWaitedFor() async throws {
    let connection = ShellConnection(argv: ["false"])
    for link in [BoardLink.quiet, .interface("eth0")] {
      try await link.bringBack(connection, until: soon)
    }
    await connection.close()
  }
}
