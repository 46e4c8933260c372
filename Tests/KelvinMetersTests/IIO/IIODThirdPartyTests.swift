import Glibc
import KelvinConnections
import KelvinModel
import KelvinSimulators
import Testing

/// The simulated iiod before libiio's own clients, from Debian's libiio-utils.
@Suite(.timeLimit(.minutes(1)))
struct IIODThirdPartyTests {
  static let hasTools = access("/usr/bin/iio_readdev", X_OK) == 0

  func run(_ argv: [String]) async throws -> CommandResult {
    try await LocalConnection().execute(Command(argv), until: soon)
  }

  @Test(.enabled(if: hasTools, "needs Debian's libiio-utils"))
  func libiioReadsItsDescription() async throws {
    let server = try SimulatedIIOD(IIODBoard())
    let done = try await run(["iio_info", "-u", "ip:127.0.0.1:\(server.port)"])
    let text = done.standardOutput.text
    #expect(text.contains("iio:device0: ina226 (label: probe1)") || text.contains("probe1"))
    #expect(text.contains("current3:  (input, index: 3, format: le:U16/16>>0)"))
    #expect(text.contains("value: 0.250000000"))
  }

  @Test(.enabled(if: hasTools, "needs Debian's libiio-utils"))
  func libiioReadsItsSamples() async throws {
    let server = try SimulatedIIOD(IIODBoard(rate: 2000))
    let done = try await run(
      ["iio_readdev", "-u", "ip:127.0.0.1:\(server.port)", "-b", "100", "-s", "500", "iio:device0"])
    let bytes = done.standardOutput.bytes
    try #require(bytes.count == 500 * 16)
    for scan in 0..<500 {
      let part = bytes[(scan * 16)..<(scan * 16 + 16)]
      let start = part.startIndex
      let code = Int(part[start + 6]) | Int(part[start + 7]) << 8
      let time = (0..<8).reduce(Int64(0)) { $0 | Int64(part[start + 8 + $1]) << Int64(8 * $1) }
      #expect(abs(Double(code) * 0.25e-3 - IIODBoard.truth(at: time).current) <= 0.126e-3)
    }
  }
}
