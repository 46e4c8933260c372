import Glibc
import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinExecution

/// What follows from a board's silence.
@Suite struct SuspicionTests {
  private static func suspicion(
    _ cause: Suspicion.Cause, _ link: LinkQuestion.Answer?, forwarded: Bool = false,
    console: Double? = nil, unanswered: Double? = nil, period: Double = 4
  ) -> Suspicion {
    Suspicion(
      board: "rock", cause: cause, silence: 5, period: period, link: link, isForwarded: forwarded,
      consoleSilence: console, unanswered: unanswered)
  }

  @Test(arguments: [
    // A frozen board: nothing of it answers.
    (
      suspicion(.noAnswer, .silent("no answer in time")), Finding.Kind.hang,
      KernelSign.Severity.fatal
    ),
    (suspicion(.noAnswer, .silent("no answer in time"), console: 60), .hang, .fatal),
    (suspicion(.noAnswer, .accepted, forwarded: true, console: 60), .hang, .fatal),
    (suspicion(.noAnswer, nil), .hang, .fatal),
    (suspicion(.noAnswer, nil, console: 9), .hang, .fatal),
    (suspicion(.noAnswer, .unknown("nobody knows it")), .hang, .fatal),
    // Its console speaks: it is the link.
    (suspicion(.noAnswer, .silent("No route to host"), console: 1), .linkAway, .fatal),
    (suspicion(.noAnswer, .accepted, forwarded: true, console: 1), .linkAway, .fatal),
    (suspicion(.lost("closed"), .silent("x"), console: 0), .linkAway, .fatal),
    (suspicion(.noAnswer, .silent("x"), console: 1, unanswered: 3), .linkAway, .fatal),
    // What it said before it was asked, or just then, was its last.
    (suspicion(.noAnswer, .silent("x"), console: 4, unanswered: 3), .hang, .fatal),
    (suspicion(.noAnswer, nil, console: 2.8, unanswered: 3), .hang, .fatal),
    // The way went, and with it what leads there.
    (suspicion(.lost("closed"), .refused, forwarded: true), .linkAway, .fatal),
    (suspicion(.lost("closed"), nil), .linkAway, .fatal),
    (suspicion(.lost("closed"), .refused), .linkAway, .fatal),
    (suspicion(.lost("closed"), .served), .linkAway, .serious),
    (suspicion(.lost("timeout"), .silent("no answer in time")), .hang, .fatal),
    (suspicion(.lost("closed"), .silent("no answer in time"), period: 10), .linkAway, .fatal),
    (suspicion(.lost("closed"), .accepted, forwarded: true, period: 10), .linkAway, .fatal),
    // The kernel answers.
    (suspicion(.noAnswer, .accepted), .unresponsive, .serious),
    (suspicion(.noAnswer, .refused), .unresponsive, .serious),
    (suspicion(.noAnswer, .served), .unresponsive, .serious)
  ])
  func names(suspicion: Suspicion, kind: Finding.Kind, severity: KernelSign.Severity) {
    let finding = suspicion.finding()
    #expect(finding.kind == kind && finding.severity == severity, "\(finding)")
    #expect(finding.message.hasPrefix("rock: ") && !finding.evidence.isEmpty)
    #expect((kind == .linkAway) == (finding.failure.kind == .infrastructure))
    // What else it might be is told.
    if kind == .hang, !suspicion.isForwarded {
      #expect(finding.description.contains("a cable that is out"))
    }
  }

  @Test(.timeLimit(.minutes(1))) func asksTheNetwork() throws {
    let limit = { Deadline.after(seconds: 0.5) }
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(listener) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, length) == 0 ? getsockname(listener, $0, &length) : -1
      }
    }
    try #require(status == 0)
    let port = UInt16(bigEndian: address.sin_port)
    let question = LinkQuestion(host: "127.0.0.1", port: port, speaksFirst: true)
    #expect(question.isForwarded && question.ask(until: limit()) == .refused)
    try #require(listen(listener, 8) == 0)
    // Nobody accepts it, and nobody speaks: the kernel alone answers.
    #expect(question.ask(until: limit()) == .accepted)
    let server = try NamedThread("speaks") {
      // The one that was given up comes first.
      for text in ["", "SSH-2.0-x\r\n", ""] {
        let client = accept(listener, nil, nil)
        _ = send(client, text, text.utf8.count, Int32(MSG_NOSIGNAL))
        close(client)
      }
    }
    #expect(question.ask(until: .after(seconds: 20)) == .served)
    #expect(question.ask(until: .after(seconds: 20)) == .refused)
    server.join()
    let nobody = LinkQuestion(host: "no-such-host.invalid", port: 22, speaksFirst: true)
    guard case .unknown = nobody.ask(until: .after(seconds: 20)) else {
      Issue.record("\(nobody.ask(until: .after(seconds: 20)))")
      return
    }
  }

  @Test func readsABenchFilesConnection() {
    func question(_ driver: String, _ options: [String: Value]) -> LinkQuestion? {
      LinkQuestion(
        DriverChoice(driver, options: options, location: SourceLocation(file: "bench.yaml")))
    }
    #expect(
      question("ssh", ["host": "10.0.0.7", "port": 2222])
        == LinkQuestion(host: "10.0.0.7", port: 2222, speaksFirst: true))
    #expect(question("ssh", ["host": "rock"])?.port == 22)
    #expect(
      question("adb", ["tcp": "10.0.0.7:5555"])
        == LinkQuestion(host: "10.0.0.7", port: 5555, speaksFirst: false))
    #expect(question("adb", ["serial": "x"]) == nil && question("serial", [:]) == nil)
  }
}
