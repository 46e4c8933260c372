import KelvinConnections
import KelvinModel
import Testing

@testable import KelvinExecution

@Suite struct PathPatternTests {
  private func resolve(_ pattern: String, _ files: [String]) async throws -> [String] {
    let directory = try TemporaryDirectory()
    for file in files { try directory.write("x", to: file) }
    return try await PathPattern(text: pattern).resolve(
      LocalConnection(root: directory.path), until: .after(seconds: 20)
    ).map(\.string)
  }

  @Test func aPathStandsForItself() async throws {
    #expect(try await resolve("/no/such", []) == ["/no/such"])
  }

  @Test(arguments: [
    ("/sys/a*/temp", ["/sys/a0/temp", "/sys/a1/temp"]),
    ("/sys/*/temp", ["/sys/a0/temp", "/sys/a1/temp"]),
    (
      "/sys/a[01]/*",
      ["/sys/a0/.hidden", "/sys/a0/temp", "/sys/a1/temp"].filter { !$0.contains(".h") }
    ),
    ("/sys/b?/name", ["/sys/b2/name"]), ("/sys/*/nosuch", []), ("/sys/x*/y", []),
    ("/sys/b2/n*", ["/sys/b2/name"])
  ])
  func matchesComponentByComponent(pattern: String, paths: [String]) async throws {
    let files = ["/sys/a0/temp", "/sys/a0/.hidden", "/sys/a1/temp", "/sys/b2/name"]
    #expect(try await resolve(pattern, files) == paths)
  }

  @Test func followsLinksToDirectories() async throws {
    let directory = try TemporaryDirectory()
    try directory.write("7", to: "/sys/devices/deep/zone/temp")
    try directory.write("", to: "/sys/class/x")
    _ = try await output(
      of: ["ln", "-s", "../devices/deep/zone", "sys/class/zone0"], in: directory.path)
    let connection = LocalConnection(root: directory.path)
    for pattern in ["/sys/class/zone*/temp", "/sys/class/zone0/t*"] {
      let found = try await PathPattern(text: pattern).resolve(
        connection, until: .after(seconds: 20))
      #expect(found == ["/sys/class/zone0/temp"], "\(pattern)")
    }
  }

  @Test(.timeLimit(.minutes(1)), arguments: Way.allCases)
  func findsFilesOfThisKernel(way: Way) async throws {
    let connection = way.connection
    for (pattern, path) in [
      ("/proc/sys/kernel/rand*/boot_i?", "/proc/sys/kernel/random/boot_id"),
      // Behind a link.
      ("/sys/class/net/l[o]/mt*", "/sys/class/net/lo/mtu"),
      ("/sys/class/net/l?/mtu", "/sys/class/net/lo/mtu")
    ] {
      let found = try await PathPattern(text: pattern).resolve(
        connection, until: .after(seconds: 20))
      #expect(found.map(\.string) == [path], "\(pattern)")
    }
    await connection.close()
  }
}
