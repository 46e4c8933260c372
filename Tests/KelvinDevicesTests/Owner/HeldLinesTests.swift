import CLinux
import Glibc
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Testing

@testable import KelvinDevices

/// Lines that an owner holds, as far as pseudo terminals go, which have none: ports, names, who is
/// refused what. Real lines: ``HeldLinesOnBenchHost``.
@Suite(.serialized, .timeLimit(.minutes(1))) struct HeldLinesTests {
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

  private func line(_ pair: TerminalPair) -> PortAddress {
    .console(.serial(path: pair.path, baud: 9600))
  }

  /// Holds a terminal for its lines, without any.
  private func hold(
    _ address: PortAddress, as name: String, powers: Bool?, _ client: Owner.Client
  ) throws -> Holding {
    let drive = LineDrive(
      name: name, address: address.description, powers: powers, milliseconds: 5000)
    let answer = try client.call(.drive(drive), until: limit)
    return try Holding(answer.header["holding"] ?? .null)
  }

  @Test func aPortWithoutLinesIsRefusedAndLetGo() throws {
    let client = try owner.client()
    let pair = try TerminalPair()
    #expect(
      code {
        _ = try client.drive(
          ControlLines(dtr: true), at: line(pair), as: "rock.power", powers: true, until: limit)
      } == .unsupported)
    while try !client.list(until: limit).isEmpty {}
    // A line of no chip, and a port that is not there.
    for address in [PortAddress.gpio(chip: "no such chip", line: 1), try .init("serial:/dev/nix")] {
      #expect {
        _ = try client.drive(
          ControlLines(dtr: true), at: address, as: "rock.power", powers: true, until: limit)
      } throws: {
        guard let failure = $0 as? OwnerFailure else { return false }
        return failure.code == .lost && failure.message.contains("rock.power")
      }
      while try !client.list(until: limit).isEmpty {}
    }
  }

  @Test func whatIsNotHeldIsNotTakenByAsking() throws {
    let client = try owner.client()
    let pair = try TerminalPair()
    #expect(try client.lines(at: line(pair), until: limit) == nil)
    #expect(try client.list(until: limit).isEmpty)
    let descriptor = open(pair.path, O_RDWR | O_NOCTTY | O_NONBLOCK)
    #expect(flock(descriptor, LOCK_EX | LOCK_NB) == 0)
    close(descriptor)
  }

  @Test func whatPowersABoardIsKeptAndWhatDoesNotIsLetGo() throws {
    let client = try owner.client()
    let pair = try TerminalPair()
    let held = try hold(line(pair), as: "rock.power", powers: true, client)
    #expect(
      held.kind == .line && held.keep && held.drivers == ["rock.power": true] && held.state == .open
    )
    #expect(code { try client.close("rock.power", until: limit) } == .inUse)
    #expect {
      _ = try client.shutDown(until: limit)
    } throws: { "\($0)".contains("'rock.power' powers a board") }
    // It says nothing, and nobody reads it or writes to it.
    #expect(code { _ = try client.attach("rock.power", until: limit) } == .unsupported)
    #expect(access(owner.places.consoleDirectory("rock.power"), F_OK) != 0)
    // Asking changes nothing; switching off does.
    #expect(try client.lines(at: line(pair), until: limit)?.drivers == ["rock.power": true])
    #expect(try hold(line(pair), as: "rock.power", powers: false, client).keep == false)
    // Another line of the same port is another thing.
    #expect(try hold(line(pair), as: "rock.reset", powers: true, client).name == "rock.power")
    #expect(try hold(line(pair), as: "rock.power", powers: false, client).keep)
    #expect {
      try client.close("rock.power", until: limit)
    } throws: { "\($0)".contains("'rock.power' drives 'rock.reset', which powers a board") }
    #expect(try hold(line(pair), as: "rock.reset", powers: false, client).keep == false)
    try client.close("rock.power", until: limit)
    #expect(try client.list(until: limit).isEmpty)
  }

  @Test func aConsoleAndALineShareTheirPortWhicheverComesFirst() throws {
    let client = try owner.client()
    let pair = try TerminalPair()
    _ = try hold(line(pair), as: "rock.reset", powers: true, client)
    #expect(kelvin_tty_rate(pair.wire.descriptor) == 9600)
    try pair.wire.write(Array("nobody hears this".utf8))
    // The console comes: same port, its own rate and name, and what was kept stays so.
    let console = try client.open(
      "rock", at: .serial(path: pair.path, baud: 1_500_000), until: limit)
    #expect(console.kind == .console && console.state == .open && console.keep)
    #expect(console.serial == 1, "it was never closed")
    #expect(try client.list(until: limit).map(\.name) == ["rock"])
    var attachment = try client.attach("rock", from: .first, until: limit)
    let adapted = limit
    while kelvin_tty_rate(pair.wire.descriptor) != 1_500_000 { try #require(!adapted.hasPassed) }
    try pair.wire.write(Array("login:".utf8))
    #expect(try client.read(&attachment, count: 6) == Array("login:".utf8))
    #expect(code { try client.close("rock", until: limit) } == .inUse)
    // And the line again, which needs no right to write.
    let writer = try owner.client("writer")
    try writer.takeWriter("rock", until: limit)
    #expect(try hold(line(pair), as: "rock.reset", powers: false, client).name == "rock")
    // A pseudo terminal has none, which the console survives.
    #expect(
      code {
        _ = try client.drive(
          ControlLines(rts: true), at: line(pair), as: "rock.reset", powers: true, until: limit)
      } == .unsupported)
    #expect(try client.list(until: limit).map(\.state) == [.open])
  }

  @Test func aNameIsOneThing() throws {
    let client = try owner.client()
    let (first, second) = (try TerminalPair(), try TerminalPair())
    _ = try hold(line(first), as: "rock", powers: false, client)
    #expect(code { _ = try hold(line(second), as: "rock", powers: true, client) } == .conflict)
    #expect(
      code { _ = try client.open("rock", at: .pty(path: second.path), until: limit) } == .conflict)
    _ = try client.open("other", at: .pty(path: second.path), until: limit)
    // Both are taken.
    #expect(
      code { _ = try client.open("other", at: .pty(path: first.path), until: limit) } == .conflict)
    // Its own console may have the line's name.
    #expect(try client.open("rock", at: .pty(path: first.path), until: limit).kind == .console)
  }

  @Test func anOwnerThatDrivesALineIsNotIdle() throws {
    let other = try OwnerScratch()
    let owner = try OwnerInThread(other.places, OwnerServer.Options(idleSeconds: 0.2))
    let pair = try TerminalPair()
    do {
      let client = try owner.client()
      _ = try hold(line(pair), as: "rock.power", powers: false, client)
    }
    // Its level may change with its holder's end, whatever it powers.
    #expect(Deadline.after(seconds: 0.8).wait(for: owner.ended.descriptor) == .passed)
    do {
      let client = try owner.client()
      try client.close("rock.power", until: limit)
    }
    #expect(limit.wait(for: owner.ended.descriptor) == .ready)
  }

  @Test func aKeeperWithoutAnOwnerSaysSo() throws {
    let other = try OwnerScratch()
    let keeper = LineKeeper(
      as: "test", places: other.places, starter: OwnerStarter(program: "/bin/false"))
    let pair = try TerminalPair()
    guard
      case .unavailable(let failure) = try keeper.drive(
        ControlLines(dtr: true), at: line(pair), as: "a", powers: true, until: limit)
    else {
      Issue.record("held")
      return
    }
    #expect(failure.code == .notRunning)
    #expect(try keeper.lines(at: line(pair), until: limit) == nil)
  }

  // MARK: Two owners of one user

  @Test func anotherOwnersLogIsRefusedWithTheWayToIt() throws {
    let pair = try TerminalPair()
    let client = try owner.client()
    _ = try client.open("a", at: .pty(path: pair.path), until: limit)
    let places = OwnerPlaces(
      runtimeDirectory: scratch.path + "/other/kelvin", stateDirectory: scratch.path + "/state")
    let other = try OwnerInThread(places)
    #expect {
      _ = try other.client().open("a", at: .pty(path: "/dev/pts/nix"), until: limit)
    } throws: {
      guard let failure = $0 as? OwnerFailure else { return false }
      return failure.code == .conflict && failure.message.contains("process \(getpid())")
        && failure.message.contains(owner.places.socketPath)
        && failure.hint.contains("--runtime-directory '\(scratch.path)/run'")
    }
    // The other way round, with a directory as XDG_RUNTIME_DIR has it.
    _ = try other.client().open("b", at: .pty(path: "/dev/pts/nix"), until: limit)
    #expect {
      _ = try client.open("b", at: .pty(path: "/dev/pts/nix"), until: limit)
    } throws: {
      ($0 as? OwnerFailure)?.hint.contains(
        "XDG_RUNTIME_DIR='\(scratch.path)/other' kelvin bench up")
        == true
    }
  }

  @Test func anotherOwnersPortIsRefusedWithItsProcess() throws {
    let pair = try TerminalPair()
    let client = try owner.client()
    _ = try client.open("a", at: .pty(path: pair.path), until: limit)
    let scratch = try OwnerScratch()
    let other = try OwnerInThread(scratch.places)
    let status = try other.client().open("a", at: .pty(path: pair.path), until: limit)
    #expect(status.state.reason?.contains("process \(getpid()) has it") == true, "\(status.state)")
  }

  @Test(arguments: [
    ("{}", nil), ("", nil), ("{\"pid\":0}", nil), ("{\"pid\":-3,\"socket\":\"/x\"}", nil),
    ("{\"pid\":12,\"socket\":\"/run/user/7/kelvin/owner.sock\"}", "XDG_RUNTIME_DIR='/run/user/7'"),
    ("{\"pid\":12,\"socket\":\"/x/owner.sock\"}", "--runtime-directory '/x'"),
    ("{\"pid\":12,\"socket\":\"/x/other\"}", "kill 12"), ("{\"pid\":12}", "kill 12"),
    ("{\"pid\":12,\"sock", nil)
  ])
  func aLocksContentsMayBeAnything(text: String, hint: String?) throws {
    let path = scratch.path + "/lock"
    let descriptor = kelvin_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    defer { close(descriptor) }
    #expect(write(descriptor, text, text.utf8.count) == text.utf8.count)
    let other = OtherOwner(lockFile: path)
    #expect((other == nil) == (hint == nil))
    if let hint { #expect(other?.hint.contains(hint) == true, "\(other?.hint ?? "")") }
  }
}
