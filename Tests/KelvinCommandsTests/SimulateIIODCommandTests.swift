import Glibc
import KelvinConnections
import KelvinModel
import KelvinStore
import Testing

/// `kelvin simulate iiod` as a process, read by `kelvin meter` and by libiio's own client.
@Suite(.timeLimit(.minutes(2)))
struct SimulateIIODCommandTests {
  let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func start(_ more: String = "") async throws -> SimulatorProcess {
    try await SimulatorProcess(
      "iiod --rate 2000 --for 100 \(more)", in: scratch, until: "device: probe1")
  }

  @Test func isRecordedByKelvin() async throws {
    let process = try await start("--truth truth.csv")
    let ran = try await KelvinBinary.run(
      ["meter", "record", "simulated-iiod", "--board", "simulated", "-d", "cap", "--for", "0.5 s"],
      in: scratch.path)
    #expect(ran.code == 0, "\(ran.both)")
    try await process.end()
    let reader = try RunReader(directory: scratch.path + "/cap")
    let capture = try #require(try reader.captures(ofAttempt: nil).first)
    let current = try #require(capture.channels.firstIndex { $0.kind == .current })
    let blocks = try reader.blocks(ofCapture: capture.id, channel: current)
    let codes = blocks.flatMap(\.codes)
    #expect(codes.count > 500, "\(codes.count)")
    // Each value is what was true when it was sent: the same numbers in the same order, from some scan on.
    let sent = try scratch.read("truth.csv").split(separator: "\n").compactMap { line in
      line.split(separator: ",").dropFirst().first.flatMap { Double($0) }
    }
    let values = codes.map { capture.channels[current].value(of: $0) }
    #expect(sent.count >= values.count)
    let fits = (0...max(0, sent.count - values.count)).contains { offset in
      zip(values, sent[offset...]).allSatisfy { abs($0 - $1) < 1.3e-4 }
    }
    #expect(fits, "\(values.prefix(5)) \(sent.prefix(5))")
    #expect(Set(codes).count > 10)
  }

  @Test(
    .enabled(if: access("/usr/bin/iio_readdev", X_OK) == 0, "needs Debian's libiio-utils"))
  func isReadByLibiio() async throws {
    let process = try await start()
    let text = try scratch.read("bench.yaml").split(separator: "port: ").last ?? ""
    let port = String(text.prefix { $0.isNumber })
    let done = try await LocalConnection().execute(
      Command([
        "iio_readdev", "-u", "ip:127.0.0.1:\(port)", "-b", "100", "-s", "300", "iio:device0"
      ]), until: .after(seconds: 30))
    #expect(done.standardOutput.bytes.count == 300 * 16, "\(done.standardError.text)")
    try await process.end()
  }

  @Test(arguments: ["--rate 0", "--probes 9", "--fault nothing", "--skew 1e6"])
  func refusesWhatItCannotBe(arguments: String) async throws {
    let ran = try await KelvinBinary.run(
      ["simulate", "iiod"] + arguments.split(separator: " ").map(String.init), in: scratch.path)
    #expect(ran.code == 2, "\(ran.both)")
  }
}
