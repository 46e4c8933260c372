import CLinux
import Glibc
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Testing

@testable import KelvinDevices

/// Ports of every kind, held by an owner in this process, with real far ends.
@Suite(.serialized) struct HeldPortTests {
  private let scratch: OwnerScratch
  private let owner: OwnerInThread
  private var limit: Deadline { .after(seconds: 20) }

  init() throws {
    scratch = try OwnerScratch()
    owner = try OwnerInThread(scratch.places)
  }

  enum Kind: CaseIterable { case serial, pty, socket, tcp, telnet }

  /// Makes a far end of a kind and has it held.
  private func hold(
    _ kind: Kind, _ client: Owner.Client
  ) throws -> (wire: ConsoleWire, more: AnyObject) {
    switch kind {
    case .serial, .pty:
      let pair = try TerminalPair()
      let address: ConsoleAddress =
        kind == .pty ? .pty(path: pair.path) : .serial(path: pair.path, baud: 1_500_000)
      #expect(try client.open("a", at: address, until: limit).state == .open)
      return (pair.wire, pair)
    case .socket:
      let listener = try WireListener.unix(scratch.path + "/far.sock")
      let address = ConsoleAddress.socket(path: scratch.path + "/far.sock")
      #expect(try client.open("a", at: address, until: limit).state == .open)
      return (try listener.accept(), listener)
    case .tcp, .telnet:
      let listener = try WireListener.tcp()
      let address: ConsoleAddress =
        kind == .tcp
        ? .tcp(host: "127.0.0.1", port: listener.port)
        : .telnet(host: "127.0.0.1", port: listener.port)
      #expect(try client.open("a", at: address, until: limit).state == .open)
      return (try listener.accept(), listener)
    }
  }

  @Test(.timeLimit(.minutes(1)), arguments: Kind.allCases)
  func everyByteGoesThroughBothWays(kind: Kind) throws {
    let client = try owner.client()
    let (wire, more) = try hold(kind, client)
    let all = (0...255).map { UInt8($0) } + [13, 10, 13, 0, 255, 255]
    var attachment = try client.attach("a", from: .first, until: limit)
    let isTelnet = kind == .telnet
    // By RFC 854 a 255 is sent twice.
    let escaped = all.flatMap { $0 == 255 && isTelnet ? [$0, $0] : [$0] }
    try wire.write(escaped)
    #expect(try client.read(&attachment, count: all.count) == all)

    try client.takeWriter("a", until: limit)
    try client.write(all, to: "a", until: limit)
    // Binary and no go-ahead, asked for and offered.
    let negotiation: [UInt8] =
      isTelnet ? [255, 253, 0, 255, 251, 0, 255, 253, 3, 255, 251, 3] : []
    #expect(try wire.read(count: negotiation.count) == negotiation)
    #expect(try wire.read(count: escaped.count) == escaped)
    withExtendedLifetime(more) {}
  }

  @Test(.timeLimit(.minutes(1)), arguments: [50, 9600, 1_500_000, 3_333_333])
  func aSerialLineIsRawAtAnyRate(baud: UInt32) throws {
    let client = try owner.client()
    let pair = try TerminalPair()
    let status = try client.open(
      "a", at: .serial(path: pair.path, baud: baud), until: limit)
    #expect(status.state == .open)
    // The master shows its slave's settings.
    var terminal = termios()
    #expect(tcgetattr(pair.wire.descriptor, &terminal) == 0)
    #expect(terminal.c_lflag & tcflag_t(ICANON | ECHO | ISIG) == 0)
    #expect(terminal.c_cflag & tcflag_t(HUPCL) == 0)
    #expect(kelvin_tty_rate(pair.wire.descriptor) == baud)
  }

  @Test(.timeLimit(.minutes(1)))
  func aHeldLineIsHeldAlone() throws {
    let client = try owner.client()
    let pair = try TerminalPair()
    _ = try client.open("a", at: .pty(path: pair.path), until: limit)
    let descriptor = open(pair.path, O_RDWR | O_NOCTTY | O_NONBLOCK)
    if geteuid() == 0 {
      // TIOCEXCL does not stop root; the lock tells whoever asks.
      #expect(flock(descriptor, LOCK_EX | LOCK_NB) != 0)
      close(descriptor)
    } else {
      #expect(descriptor < 0)
    }
    try client.close("a", until: limit)
    let after = open(pair.path, O_RDWR | O_NOCTTY | O_NONBLOCK)
    #expect(after >= 0)
    #expect(flock(after, LOCK_EX | LOCK_NB) == 0)
    let other = try client.open("a", at: .pty(path: pair.path), until: limit)
    guard case .lost(let reason) = other.state else {
      Issue.record("\(other.state)")
      return
    }
    #expect(reason.contains("process \(getpid()) has it"))
    close(after)
  }

  @Test(.timeLimit(.minutes(1)))
  func aLineThatHungUpIsOpenedAgainWhenItReturns() throws {
    let client = try owner.client()
    let link = scratch.path + "/tty"
    let first = try TerminalPair()
    try first.link(at: link)
    _ = try client.open("a", at: .pty(path: link), until: limit)
    var attachment = try client.attach("a", from: .first, until: limit)
    try first.wire.write(Array("one".utf8))
    #expect(try client.read(&attachment, count: 3) == Array("one".utf8))
    first.wire.close()
    let lost = try client.wait(&attachment) { $0 != .open }
    #expect(lost.name == "lost")
    // Nothing is promised meanwhile.
    try client.takeWriter("a", until: limit)
    #expect {
      try client.write([1], to: "a", until: limit)
    } throws: { ($0 as? OwnerFailure)?.code == .lost }
    // Back, as another device under the same link.
    let second = try TerminalPair()
    try second.link(at: link)
    #expect(try client.wait(&attachment) { $0 == .open } == .open)
    try second.wire.write(Array("two".utf8))
    #expect(try client.read(&attachment, count: 3) == Array("two".utf8))
    let events = ConsoleLogReader(directory: owner.places.consoleDirectory("a")).entries
      .compactMap(\.event)
    #expect(events.filter { $0 == "open" }.count == 2)
    #expect(events.contains("lost"))
  }

  @Test(.timeLimit(.minutes(1)))
  func aTerminalThatHungUpIsNotTakenForTheNextOneWithItsNumber() throws {
    let client = try owner.client()
    let first = try TerminalPair()
    let path = first.path
    _ = try client.open("direct", at: .pty(path: path), until: limit)
    var direct = try client.attach("direct", until: limit)
    first.wire.close()
    _ = try client.wait(&direct) { $0 != .open }
    // The kernel gives the number away again; other terminals are held meanwhile, so that it does.
    var others: [TerminalPair] = []
    repeat {
      others.append(try TerminalPair())
    } while others.last?.path != path && others.count < 64
    let stranger = try #require(others.last)
    try #require(stranger.path == path)
    let deadline = Deadline.after(seconds: 0.5)
    while try client.news(of: &direct, until: deadline) != nil {}
    #expect(direct.state.reason?.contains("may be another program's") == true)
    // Whoever asks again means this one.
    #expect(try client.open("direct", at: .pty(path: path), until: limit).state == .open)
  }

  @Test(.timeLimit(.minutes(1)))
  func somebodysTerminalIsNoConsole() throws {
    let client = try owner.client()
    let pair = try TerminalPair()
    // A process that sits at the terminal: a session's leader that opens it gets it.
    let process = Program.start(
      "/usr/bin/setsid", ["sh", "-c", "exec <'\(pair.path)'; echo ready >'\(pair.path)'; exec cat"])
    defer { Program.end(process) }
    #expect(try pair.wire.read(through: Array("ready".utf8)).suffix(5).elementsEqual("ready".utf8))
    let status = try client.open("a", at: .pty(path: pair.path), until: limit)
    #expect(status.state.reason?.contains("is the terminal of process") == true)
  }

  @Test(.timeLimit(.minutes(1)))
  func aFarEndThatIsNotThereYetIsTriedAgain() throws {
    let client = try owner.client()
    let path = scratch.path + "/late.sock"
    let status = try client.open("a", at: .socket(path: path), until: limit)
    #expect(status.state.name == "lost")
    var attachment = try client.attach("a", from: .first, until: limit)
    let listener = try WireListener.unix(path)
    let wire = try listener.accept()
    try wire.write(Array("here".utf8))
    #expect(try client.read(&attachment, count: 4) == Array("here".utf8))
    wire.close()
    // Again and again.
    for _ in 0..<5 {
      let wire = try listener.accept()
      try wire.write([65])
      #expect(try client.read(&attachment, count: 1) == [65])
    }
  }

  @Test(.timeLimit(.minutes(1)), arguments: [Kind.tcp, .telnet, .socket, .pty])
  func aFarEndThatTakesNothingCostsOnlyItsWriter(kind: Kind) throws {
    let client = try owner.client()
    let (wire, more) = try hold(kind, client)
    try client.takeWriter("a", until: limit)
    let flood = [UInt8](repeating: 120, count: 65_536)
    var failure: OwnerFailure?
    let begin = MonotonicTime.now
    for _ in 0..<200 where failure == nil {
      do throws(OwnerFailure) {
        try client.write(flood, to: "a", until: .after(seconds: 0.3))
      } catch {
        failure = error
      }
    }
    #expect(failure?.code == .timeout)
    #expect(MonotonicTime.now - begin < 20_000_000_000)
    // What it says is heard all the same.
    var attachment = try client.attach("a", until: limit)
    try wire.write([1, 2, 3])
    #expect(try client.read(&attachment, count: 3) == [1, 2, 3])
    withExtendedLifetime(more) {}
  }

  @Test(.timeLimit(.minutes(1)))
  func aTelnetPeerThatFloodsIsLoggedAndNobodyWaits() throws {
    let client = try owner.client()
    let (wire, more) = try hold(.telnet, client)
    // Data, escaped bytes, offers and subnegotiations without end; it never reads our answers.
    let piece: [UInt8] =
      Array("0123456789abcdef\r\n".utf8) + [255, 255, 255, 251, 99, 255, 250, 44, 1, 255, 240]
    let count = 40_000
    let flood = [[UInt8]](repeating: piece, count: 1000).flatMap { $0 }
    let writer = try NamedThread("flood") {
      for _ in 0..<(count / 1000) { _ = try? wire.write(flood, until: .after(seconds: 30)) }
    }
    let other = try owner.client("other")
    let begin = MonotonicTime.now
    _ = try other.list(until: limit)
    #expect(MonotonicTime.now - begin < 5_000_000_000)
    var attachment = try client.attach("a", from: .first, until: limit)
    let data = Array("0123456789abcdef\r\n".utf8) + [255]
    let read = try client.read(&attachment, count: data.count * count, seconds: 50)
    writer.join()
    #expect(read.count == data.count * count)
    #expect(read.suffix(data.count).elementsEqual(data))
    #expect(try client.list(until: limit).first?.lost == 0)
    withExtendedLifetime(more) {}
  }

  @Test(.timeLimit(.minutes(1)))
  func linesAndBreaksAreRefusedWhereThereAreNone() throws {
    let client = try owner.client()
    let (wire, more) = try hold(.socket, client)
    try client.takeWriter("a", until: limit)
    for attempt in [
      { try client.set(ControlLines(dtr: false), of: "a", until: limit) },
      { try client.sendBreak(to: "a", until: limit) }
    ] {
      #expect {
        try attempt()
      } throws: { ($0 as? OwnerFailure)?.code == .unsupported }
    }
    withExtendedLifetime((wire, more)) {}
  }

  @Test(.timeLimit(.minutes(1)))
  func aBreakOverTelnetIsItsCommand() throws {
    let client = try owner.client()
    let (wire, more) = try hold(.telnet, client)
    try client.takeWriter("a", until: limit)
    try client.sendBreak(to: "a", until: limit)
    let wanted: [UInt8] = [255, 243]
    #expect(try wire.read(through: wanted).suffix(2).elementsEqual(wanted))
    withExtendedLifetime(more) {}
  }
}
