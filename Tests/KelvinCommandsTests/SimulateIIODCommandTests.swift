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

  private func start(_ more: String = "") async throws -> any RemoteProcess {
    let process = try await LocalConnection().start(
      Command(
        [
          "sh", "-c",
          "exec '\(KelvinBinary.path)' simulate iiod --rate 2000 --for 100 \(more) > bench.yaml"
        ], workingDirectory: TargetPath(scratch.path)), until: .after(seconds: 10))
    let deadline = Deadline.after(seconds: 30)
    while (try? scratch.read("bench.yaml"))?.contains("device: probe1") != true {
      try #require(!deadline.hasPassed, "it did not begin within 30 s")
      try await Task.sleep(for: .milliseconds(5))
    }
    return process
  }

  private func end(_ process: any RemoteProcess) async throws {
    kill(process.processID, SIGINT)
    #expect(Ran(try await process.wait(until: .after(seconds: 30))).code == 0)
  }

  @Test func isRecordedByKelvin() async throws {
    let process = try await start("--truth truth.csv")
    let ran = try await KelvinBinary.run(
      ["meter", "record", "simulated-iiod", "--board", "simulated", "-d", "cap", "--for", "0.5 s"],
      in: scratch.path)
    #expect(ran.code == 0, "\(ran.both)")
    try await end(process)
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
    try await end(process)
  }

  @Test(arguments: ["--rate 0", "--probes 9", "--fault nothing", "--skew 1e6"])
  func refusesWhatItCannotBe(arguments: String) async throws {
    let ran = try await KelvinBinary.run(
      ["simulate", "iiod"] + arguments.split(separator: " ").map(String.init), in: scratch.path)
    #expect(ran.code == 2, "\(ran.both)")
  }
}
