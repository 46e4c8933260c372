import CLinux
import Glibc
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Testing

@testable import KelvinDevices

/// Ports that are lent to clients, while the owner keeps them open.
@Suite(.serialized, .timeLimit(.minutes(1))) struct HeldLinksTests {
  private let scratch: OwnerScratch
  private let owner: OwnerInThread
  private var limit: Deadline { .after(seconds: 20) }

  init() throws {
    scratch = try OwnerScratch()
    owner = try OwnerInThread(scratch.places)
  }

  private func code(_ body: () throws -> Void) -> OwnerFailure.Code? {
    do { try body() } catch { return (error as? OwnerFailure)?.code }
    return nil
  }

  @Test(arguments: [true, false])
  func aLinkIsUsedByOneAtATimeAndStaysOpen(isTerminal: Bool) throws {
    let pair = try TerminalPair()
    let listener = try WireListener.tcp()
    let address: ConsoleAddress =
      isTerminal
      ? .serial(path: pair.path, baud: 9600) : .tcp(host: "127.0.0.1", port: listener.port)
    let client = try owner.client("first")
    let held = try client.open(link: "supply", at: address, keep: true, until: limit)
    #expect(held.kind == .link && held.state == .open && held.keep)
    let wire = isTerminal ? pair.wire : try listener.accept()
    let all = (0...255).map { UInt8($0) }
    for _ in 0..<3 {
      let user = try owner.client("user")
      let link = try user.borrow("supply", until: limit)
      #expect {
        _ = try client.borrow("supply", until: limit)
      } throws: { "\($0)".contains("user (\(getpid()))") }
      let own = ConsoleWire(kelvin_duplicate(link.descriptor), name: "link")
      try own.write(all)
      #expect(try wire.read(count: all.count) == all)
      try wire.write(all)
      #expect(try own.read(count: all.count) == all)
      // The client goes without a word; who comes next need not wait for its end to be noticed.
      own.close()
    }
    while try client.list(until: limit).first?.writer != nil {}
    let link = try client.borrow("supply", until: limit)
    try client.giveBack(link, until: limit)
    #expect(try client.list(until: limit).first?.serial == 1, "it was never closed")
    // What nobody borrowed is thrown away, so that the far end can go on.
    let flood = [UInt8](repeating: 7, count: 1 << 20)
    #expect(try wire.write(flood, until: limit) == flood.count)
    #expect(code { try client.close("supply", until: limit) } == .inUse)
  }

  @Test func aFloodGoesToItsUserWhole() throws {
    let listener = try WireListener.tcp()
    let client = try owner.client()
    _ = try client.open(
      link: "meter", at: .tcp(host: "127.0.0.1", port: listener.port), keep: false, until: limit)
    let wire = try listener.accept()
    let link = try client.borrow("meter", until: limit)
    let own = ConsoleWire(kelvin_duplicate(link.descriptor), name: "link")
    let flood = (0..<4_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    let writer = try NamedThread("flood") { _ = try? wire.write(flood, until: .after(seconds: 20)) }
    let got = try own.read(count: flood.count, until: limit)
    writer.join()
    #expect(got == flood)
    #expect(try client.list(until: limit).first?.readers.count == 1)
  }

  @Test func aFarEndThatGoesIsNoticedWhileItIsLent() throws {
    let link = scratch.path + "/tty"
    let first = try TerminalPair()
    try first.link(at: link)
    let client = try owner.client()
    _ = try client.open(link: "a", at: .pty(path: link), keep: true, until: limit)
    let lent = try client.borrow("a", until: limit)
    first.wire.close()
    let lost = limit
    while try client.list(until: limit).first?.state.name != "lost" {
      try #require(!lost.hasPassed)
    }
    #expect(code { _ = try client.borrow("a", until: limit) } == .writerTaken)
    try client.giveBack(lent, until: limit)
    #expect(code { _ = try client.borrow("a", until: limit) } == .lost)
    let second = try TerminalPair()
    try second.link(at: link)
    let back = limit
    while try client.list(until: limit).first?.state != .open { try #require(!back.hasPassed) }
    let again = try client.borrow("a", until: limit)
    let own = ConsoleWire(kelvin_duplicate(again.descriptor), name: "link")
    try own.write([1, 2, 3])
    #expect(try second.wire.read(count: 3) == [1, 2, 3])
  }

  @Test func aLinkIsNoConsole() throws {
    let pair = try TerminalPair()
    let client = try owner.client()
    let address = ConsoleAddress.pty(path: pair.path)
    _ = try client.open(link: "a", at: address, keep: false, until: limit)
    #expect(code { _ = try client.open("a", at: address, until: limit) } == .conflict)
    #expect(code { _ = try client.open("b", at: address, until: limit) } == .conflict)
    #expect(code { _ = try client.attach("a", until: limit) } == .unsupported)
    #expect(code { try client.takeWriter("a", until: limit) } == .unsupported)
    #expect(code { _ = try client.borrow("b", until: limit) } == .unknownConsole)
    let link = try client.borrow("a", until: limit)
    #expect(code { try client.write([1], to: "a", until: limit) } == .unsupported)
    withExtendedLifetime(link) {}
    for wrong in ["telnet:h:1", "rfc2217:h:1"] {
      let address = try ConsoleAddress(wrong)
      #expect(
        code { _ = try client.open(link: "c", at: address, keep: false, until: limit) } == .invalid)
    }
    let other = try TerminalPair()
    _ = try client.open("console", at: .pty(path: other.path), until: limit)
    #expect(code { _ = try client.borrow("console", until: limit) } == .unsupported)
  }
}
