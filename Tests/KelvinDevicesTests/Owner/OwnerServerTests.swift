import Glibc
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Testing

@testable import KelvinDevices

/// An owner and its clients, good and bad ones.
@Suite(.serialized) struct OwnerServerTests {
  private let scratch: OwnerScratch
  private var limit: Deadline { .after(seconds: 20) }

  init() throws { scratch = try OwnerScratch() }

  private func code(_ body: () throws -> Void) -> OwnerFailure.Code? {
    do { try body() } catch { return (error as? OwnerFailure)?.code }
    return nil
  }

  @Test(.timeLimit(.minutes(1)))
  func openingIsIdempotentByNameAndAddress() throws {
    let owner = try OwnerInThread(scratch.places)
    let client = try owner.client()
    let pair = try TerminalPair()
    let address = ConsoleAddress.pty(path: pair.path)
    let first = try client.open("a", at: address, until: limit)
    let again = try client.open("a", at: address, keep: true, until: limit)
    #expect(again.serial == first.serial)
    #expect(again.keep)
    // To ask without 'keep' does not take it back.
    #expect(try client.open("a", at: address, until: limit).keep)
    #expect(code { _ = try client.open("b", at: address, until: limit) } == .conflict)
    let link = scratch.path + "/link"
    try pair.link(at: link)
    #expect(
      code { _ = try client.open("b", at: .serial(path: link, baud: 9600), until: limit) }
        == .conflict)
    #expect(
      code { _ = try client.open("a", at: .socket(path: "/x"), until: limit) } == .conflict)
    #expect(code { _ = try client.open("../a", at: address, until: limit) } == .invalid)
  }

  /// Such as that of a simulated console that is started again.
  @Test(.timeLimit(.minutes(1)))
  func aNameWhoseFarEndIsGoneIsFreeForAnotherPlace() throws {
    let owner = try OwnerInThread(scratch.places)
    let client = try owner.client()
    let (first, second) = (try TerminalPair(), try TerminalPair())
    let (old, new) = (ConsoleAddress.pty(path: first.path), ConsoleAddress.pty(path: second.path))
    _ = try client.open("a", at: old, until: limit)
    #expect(code { _ = try client.open("a", at: new, until: limit) } == .conflict)
    do {
      let reader = try owner.client("reader")
      var attachment = try reader.attach("a", from: .end, until: limit)
      first.wire.close()
      #expect(try reader.wait(&attachment) { $0 != .open }.name == "lost")
      // Somebody still waits for it to come back.
      #expect(code { _ = try client.open("a", at: new, until: limit) } == .conflict)
    }
    let deadline = limit
    while code({ _ = try client.open("a", at: new, until: limit) }) == .conflict {
      try #require(!deadline.hasPassed)
    }
    let held = try client.list(until: limit)
    #expect(held.map(\.state) == [.open] && held.map(\.name) == ["a"])
    #expect(held.first?.address == new.description, "\(held)")
  }

  @Test(.timeLimit(.minutes(1)))
  func aReaderThatComesBackMissesNothing() throws {
    let owner = try OwnerInThread(scratch.places)
    let pair = try TerminalPair()
    var position: UInt64 = 0
    var read: [UInt8] = []
    var written: [UInt8] = []
    for round in 0..<20 {
      let client = try owner.client()
      _ = try client.open("a", at: .pty(path: pair.path), until: limit)
      var attachment = try client.attach("a", from: .position(position), until: limit)
      let bytes = [UInt8](repeating: UInt8(round), count: 100)
      try pair.wire.write(bytes)
      written += bytes
      // It reads only a part, and goes without a word.
      read += try client.read(&attachment, count: 1)
      position = attachment.position
    }
    let client = try owner.client()
    var attachment = try client.attach("a", from: .position(position), until: limit)
    read += try client.read(&attachment, count: written.count - read.count)
    #expect(read == written)
  }

  @Test(.timeLimit(.minutes(1)))
  func positionsCanBeGivenInEveryWay() throws {
    let owner = try OwnerInThread(scratch.places)
    let client = try owner.client()
    let pair = try TerminalPair()
    _ = try client.open("a", at: .pty(path: pair.path), until: limit)
    try pair.wire.write(Array("0123456789".utf8))
    var whole = try client.attach("a", from: .first, until: limit)
    #expect(try client.read(&whole, count: 10) == Array("0123456789".utf8))
    #expect(try client.attach("a", from: .last(3), until: limit).position == 7)
    #expect(try client.attach("a", from: .last(300), until: limit).position == 0)
    #expect(try client.attach("a", from: .end, until: limit).position == 10)
    var beyond = try client.attach("a", from: .position(11), until: limit)
    #expect(code { _ = try client.news(of: &beyond, until: limit) } == .invalid)
    // Nothing new: the deadline says so.
    var end = try client.attach("a", until: limit)
    #expect(try client.news(of: &end, until: .after(seconds: 0.05)) == nil)
    let interrupt = Interrupt()
    interrupt.raise()
    #expect(
      code { _ = try client.news(of: &end, until: Deadline(time: nil, interrupt: interrupt)) }
        == .interrupted)
    // The late answer to that does no harm.
    try pair.wire.write([33])
    #expect(try client.read(&end, count: 1) == [33])
  }

  @Test(.timeLimit(.minutes(1)))
  func oneWritesAtATimeAndTakingOverIsExplicit() throws {
    let owner = try OwnerInThread(scratch.places)
    let pair = try TerminalPair()
    let first = try owner.client("first")
    _ = try first.open("a", at: .pty(path: pair.path), until: limit)
    #expect(code { try first.write([1], to: "a", until: limit) } == .writerTaken)
    try first.takeWriter("a", until: limit)
    try first.takeWriter("a", until: limit)
    do {
      let second = try owner.client("second")
      #expect(code { try second.write([2], to: "a", until: limit) } == .writerTaken)
      #expect {
        try second.takeWriter("a", until: limit)
      } throws: { "\($0)".contains("first") }
      try second.takeWriter("a", force: true, until: limit)
      try second.write([2], to: "a", until: limit)
      #expect(code { try first.write([1], to: "a", until: limit) } == .writerTaken)
      #expect(try second.list(until: limit).first?.writer?.contains("second") == true)
    }
    // It went, and with it its right.
    while try first.list(until: limit).first?.writer != nil {}
    try first.takeWriter("a", until: limit)
    try first.write([1], to: "a", until: limit)
    try first.releaseWriter("a", until: limit)
    #expect(try first.list(until: limit).first?.writer == nil)
    #expect(try pair.wire.read(count: 2) == [2, 1])
  }

  @Test(.timeLimit(.minutes(1)))
  func aReaderThatNeverReadsHoldsUpNobody() throws {
    let owner = try OwnerInThread(scratch.places)
    let listener = try WireListener.tcp()
    let client = try owner.client()
    _ = try client.open("a", at: .tcp(host: "127.0.0.1", port: listener.port), until: limit)
    let wire = try listener.accept()
    // Asks for everything, as often as it may, and takes no answer.
    let lazy = try owner.client("lazy")
    let position = try lazy.attach("a", from: .first, until: limit)
    for _ in 0..<60 { _ = try lazy.requestNews(of: position, until: limit) }
    let total = 8 << 20
    let writer = try NamedThread("talker") {
      let piece = [UInt8](repeating: 46, count: 65_536)
      for _ in 0..<(total / piece.count) { _ = try? wire.write(piece, until: .after(seconds: 30)) }
    }
    var attachment = try client.attach("a", from: .first, until: limit)
    #expect(try client.read(&attachment, count: total, seconds: 50).count == total)
    writer.join()
    // And when it wakes up, its answers are there.
    var late = position
    let begin = MonotonicTime.now
    #expect(try lazy.read(&late, count: 1000).count >= 1000)
    #expect(MonotonicTime.now - begin < 5_000_000_000)
  }

  @Test(.timeLimit(.minutes(1)))
  func aClientThatSendsNonsenseIsSentAwayAndNobodyElseNotices() throws {
    let owner = try OwnerInThread(scratch.places)
    let good = try owner.client()
    var numbers = SeededNumbers(state: 20_261_125)
    var openings: [[UInt8]] = [
      Array("GET / HTTP/1.1\r\n\r\n".utf8), [0, 0, 0, 2, 0, 0, 0, 0, 123, 125],
      [255, 255, 255, 255, 255, 255, 255, 255], [],
      OwnerRequest.list.frame(id: 1).encoded,
      OwnerRequest.hello(version: 99, client: "future").frame(id: 1).encoded,
      Array(OwnerRequest.hello(version: 1, client: "cut").frame(id: 1).encoded.dropLast(3))
    ]
    for _ in 0..<100 {
      openings.append(
        (0..<Int.random(in: 1...4000, using: &numbers)).map { _ in
          UInt8.random(in: 0...255, using: &numbers)
        })
    }
    for bytes in openings {
      let descriptor = try UnixSocket.connect(path: scratch.places.socketPath, until: limit)
      let wire = ConsoleWire(descriptor, name: "hostile")
      _ = try? wire.write(bytes)
      shutdown(descriptor, Int32(SHUT_WR))
      // The owner ends the talk; it does not wait for more.
      let answer = try wire.read(count: 1 << 20, until: .after(seconds: 5))
      if bytes.starts(with: openings[5]) {
        #expect(String(decoding: answer, as: UTF8.self).contains("\"code\":\"version\""))
      }
    }
    #expect(try good.list(until: limit).isEmpty)
  }

  @Test(.timeLimit(.minutes(1)))
  func aClientThatAsksWithoutEndAndTakesNoAnswersIsBounded() throws {
    let owner = try OwnerInThread(scratch.places)
    let pair = try TerminalPair()
    let good = try owner.client()
    _ = try good.open("a", at: .pty(path: pair.path), until: limit)
    let wire = ConsoleWire(
      try UnixSocket.connect(path: scratch.places.socketPath, until: limit), name: "greedy")
    try wire.write(
      OwnerRequest.hello(version: Owner.version, client: "greedy").frame(id: 1).encoded)
    let requests = (2..<2000).flatMap { OwnerRequest.list.frame(id: $0).encoded }
    // At some point its own writes stand still, because the owner takes no more from it.
    var sent = 0
    while sent < 64 << 20 {
      let count = try wire.write(requests, until: .after(seconds: 0.3))
      sent += count
      if count < requests.count { break }
    }
    #expect(sent < 64 << 20)
    #expect(try good.list(until: limit).count == 1)
  }

  @Test(.timeLimit(.minutes(1)))
  func tooMuchToSendIsRefusedAndNotPiledUp() throws {
    let owner = try OwnerInThread(scratch.places)
    let pair = try TerminalPair()
    let client = try owner.client()
    _ = try client.open("a", at: .pty(path: pair.path), until: limit)
    try client.takeWriter("a", until: limit)
    let piece = [UInt8](repeating: 0, count: 200_000)
    var requests: [UInt64] = []
    for _ in 0..<10 {
      requests.append(
        try client.send(.write(name: "a", bytes: piece, milliseconds: 500), until: limit))
    }
    let codes = requests.map { id in code { _ = try client.answer(to: id, until: limit) } }
    #expect(codes.contains(.busy))
    #expect(codes.contains(.timeout))
  }

  @Test(.timeLimit(.minutes(1)))
  func endingIsRefusedWhileItIsInUse() throws {
    let owner = try OwnerInThread(scratch.places)
    let pair = try TerminalPair()
    let user = try owner.client("kelvin run")
    _ = try user.open("rock", at: .pty(path: pair.path), until: limit)
    _ = try user.attach("rock", until: limit)
    let client = try owner.client()
    #expect {
      _ = try client.shutDown(until: limit)
    } throws: {
      ($0 as? OwnerFailure)?.code == .inUse && "\($0)".contains("kelvin run")
        && "\($0)".contains("rock")
    }
    #expect(code { try client.close("rock", until: limit) } == .inUse)
    try user.detach("rock", until: limit)
    _ = try user.open("rock", at: .pty(path: pair.path), keep: true, until: limit)
    #expect(code { _ = try client.shutDown(until: limit) } == .inUse)
    #expect(code { try client.close("rock", until: limit) } == .inUse)
    #expect(code { try client.close("stone", until: limit) } == .unknownConsole)
    #expect(try client.shutDown(force: true, until: limit) == ["rock"])
    #expect(limit.wait(for: owner.ended.descriptor) == .ready)
    // Its last word is in the log.
    let log = ConsoleLogReader(directory: scratch.places.consoleDirectory("rock"))
    #expect(log.entries.last?.event == "closed")
    #expect(code { _ = try user.list(until: limit) } == .ownerGone)
  }

  @Test(.timeLimit(.minutes(1)))
  func idlenessEndsItUnlessSomethingIsKept() throws {
    let owner = try OwnerInThread(scratch.places, OwnerServer.Options(idleSeconds: 0.3))
    let pair = try TerminalPair()
    do {
      let client = try owner.client()
      _ = try client.open("a", at: .pty(path: pair.path), until: limit)
      // A client that only sits there is a client.
      #expect(Deadline.after(seconds: 0.8).wait(for: owner.ended.descriptor) == .passed)
    }
    #expect(limit.wait(for: owner.ended.descriptor) == .ready)

    let keeper = try OwnerInThread(scratch.places, OwnerServer.Options(idleSeconds: 0.3))
    do {
      let client = try keeper.client()
      _ = try client.open("a", at: .pty(path: pair.path), keep: true, until: limit)
    }
    #expect(Deadline.after(seconds: 0.8).wait(for: keeper.ended.descriptor) == .passed)
    do { try keeper.client().close("a", force: true, until: limit) }
    #expect(limit.wait(for: keeper.ended.descriptor) == .ready)
  }

  @Test(.timeLimit(.minutes(1)))
  func aConsoleThatIsClosedEndsItsReadersWaits() throws {
    let owner = try OwnerInThread(scratch.places)
    let pair = try TerminalPair()
    let reader = try owner.client()
    _ = try reader.open("a", at: .pty(path: pair.path), until: limit)
    let attachment = try reader.attach("a", until: limit)
    let request = try reader.requestNews(of: attachment, until: .after(seconds: 60))
    try owner.client().close("a", force: true, until: limit)
    let ending = code { _ = try reader.answer(to: request, until: limit) }
    // Told of the closing, or of there being no such console any more.
    #expect(ending == nil || ending == .unknownConsole)
    #expect(try reader.list(until: limit).isEmpty)
    // And it can be held again at once.
    #expect(try reader.open("a", at: .pty(path: pair.path), until: limit).state == .open)
  }

  @Test(
    .timeLimit(.minutes(1)),
    .enabled(if: geteuid() == 0, "only root can become another user"))
  func anotherUserIsSentAway() throws {
    let owner = try OwnerInThread(scratch.places)
    // Even with every door open.
    for path in [scratch.path, scratch.places.runtimeDirectory, scratch.places.socketPath] {
      #expect(chmod(path, 0o777) == 0)
    }
    let program = """
      import os, socket, sys
      os.setgid(65534); os.setuid(65534)
      s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.settimeout(10)
      sys.exit(7 if s.recv(1) == b'' else 1)
      """
    let code = Program.run("/usr/bin/python3", ["-c", program, scratch.places.socketPath])
    #expect(code == 7)
    #expect(chmod(scratch.places.runtimeDirectory, 0o700) == 0)
    #expect(try owner.client().list(until: limit).isEmpty)
  }
}

/// Other programs.
enum Program {
  /// - Returns: the process id; -1 when it could not be started.
  static func start(_ program: String, _ arguments: [String]) -> pid_t {
    var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) }
    words.append(nil)
    defer { for word in words { free(word) } }
    var processID = pid_t()
    return posix_spawn(&processID, program, nil, nil, words, environ) == 0 ? processID : -1
  }

  static func end(_ processID: pid_t) {
    guard processID > 0 else { return }
    kill(processID, SIGKILL)
    waitpid(processID, nil, 0)
  }

  /// Runs a program to its end.
  ///
  /// - Returns: the exit code; -1 when it was not exited.
  static func run(_ program: String, _ arguments: [String]) -> Int32 {
    let processID = start(program, arguments)
    guard processID > 0 else { return -1 }
    var status: Int32 = 0
    waitpid(processID, &status, 0)
    return status & 0x7F == 0 ? (status >> 8) & 0xFF : -1
  }
}
