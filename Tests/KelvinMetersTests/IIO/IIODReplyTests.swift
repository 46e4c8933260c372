import Glibc
import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinMeters

/// A daemon that says anything.
@Suite(.timeLimit(.minutes(1)))
struct IIODReplyTests {
  /// Answers the first bytes it gets with these, and closes.
  final class Answerer: Sendable {
    let port: UInt16
    private let thread: NamedThread

    init(_ reply: [UInt8]) throws {
      let (listener, port) = try LoopbackPort.open()
      self.port = port
      thread = try NamedThread("answerer") {
        let client = accept(listener, nil, nil)
        var buffer = [UInt8](repeating: 0, count: 1024)
        _ = recv(client, &buffer, buffer.count, 0)
        _ = send(client, reply, reply.count, Int32(MSG_NOSIGNAL))
        close(client)
        close(listener)
      }
    }

    deinit { thread.join() }
  }

  func ask<Answer>(
    _ reply: String, _ body: (IIODClient) throws(MeterFailure) -> Answer
  ) throws -> Result<Answer, MeterFailure> {
    let server = try Answerer(Array(reply.utf8))
    let client = try IIODClient(host: "127.0.0.1", port: server.port, until: soon)
    return Result { () throws(MeterFailure) in try body(client) }
  }

  @Test func readsWhatIsThere() throws {
    #expect(
      try ask("7\nina226\0\n") { c throws(MeterFailure) in try c.read("x y", until: soon) }.get()
        == "ina226")
    #expect(
      try ask("\n\n0\n\n") { c throws(MeterFailure) in try c.read("x y", until: soon) }.get() == "")
    #expect(
      try ask("0.24.v0.24  \n") { c throws(MeterFailure) in try c.version(until: soon) }.get()
        == "0.24.v0.24")
  }

  /// The last is how libiio 0.24 reads a device's empty file.
  @Test(arguments: [("2\nt0\n", "t0"), ("0\n", ""), ("-19\n", ""), ("-2\n", ""), ("-5\n", "")])
  func readsWhichTriggerThereIs(reply: String, trigger: String) throws {
    let found = try ask(reply) { client throws(MeterFailure) in
      try client.trigger(of: "x", until: soon)
    }
    #expect(try found.get() == trigger)
  }

  @Test(arguments: [
    ("-2\n", MeterFailure.Code.notFound), ("-13\n", .permission), ("-16\n", .busy),
    ("-19\n", .gone),
    ("-5\n", .malfunction), ("-110\n", .timedOut), ("-99999\n", .malfunction),
    ("-9223372036854775808\n", .malfunction), ("99999999999999999999\n", .malfunction),
    ("70000\n", .malfunction), ("abc\n", .malfunction), ("7\nina226\0X", .malfunction),
    ("5\nabc", .gone), ("7", .gone), ("", .gone),
    (String(repeating: "1", count: 500), .malfunction)
  ])
  func tellsWhatIsWrongWithAReply(reply: String, code: MeterFailure.Code) throws {
    let result = try ask(reply) { client throws(MeterFailure) in try client.read("x y", until: soon)
    }
    #expect(throws: MeterFailure.self) { try result.get() }
    if case .failure(let failure) = result { #expect(failure.code == code, "\(failure)") }
  }

  /// Every length at which an answer can end.
  @Test func survivesEveryTruncation() throws {
    let whole = "7\nina226\0\n"
    for length in 0..<whole.utf8.count {
      let result = try ask(String(whole.prefix(length))) { c throws(MeterFailure) in
        try c.read("x y", until: soon)
      }
      #expect(throws: MeterFailure.self) { try result.get() }
    }
  }
}
