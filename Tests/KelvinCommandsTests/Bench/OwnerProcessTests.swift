import Glibc
import KelvinConnections
import KelvinDevices
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Synchronization
import Testing

/// The owner as a process of its own: who dies, when, and what is left.
@Suite(.serialized) struct OwnerProcessTests {
  private var limit: Deadline { .after(seconds: 30) }

  @Test(.timeLimit(.minutes(2)))
  func ofManyStartersAtATimeAllFindOneOwner() async throws {
    let bench = try OwnerBench()
    for _ in 0..<3 {
      let found = Mutex<[Int32]>([])
      let threads = try (0..<6).map { _ in
        try NamedThread("starter") {
          let client = try? bench.client()
          found.withLock { $0.append(client?.processID ?? -1) }
        }
      }
      for thread in threads { thread.join() }
      let owners = Set(found.withLock { $0 })
      #expect(owners.count == 1 && !owners.contains(-1), "\(owners)")
      // It is nobody's child, and its session is its own.
      let owner = try #require(owners.first)
      let entry = try #require(ProcessEntry(processID: owner))
      #expect(entry.parent != getpid())
      #expect(entry.session == owner)
      _ = try bench.client(starts: false).shutDown(until: limit)
      #expect(ProcessIdentity(processID: owner) == nil || waitForEnd(of: entry.identity))
    }
  }

  @Test(.timeLimit(.minutes(2)))
  func theOwnerCarriesNoMarkOfTheRunThatStartedIt() async throws {
    let bench = try OwnerBench()
    let ran = try await KelvinBinary.run(
      ["bench", "up", "--format", "json"] + bench.arguments, in: bench.scratch.path,
      environment: ["KELVIN_RUN": "some-run"])
    #expect(ran.code == 0, "\(ran.both)")
    let client = try bench.client(starts: false)
    let entry = try #require(ProcessEntry(processID: client.processID))
    #expect(!entry.hasVariable("KELVIN_RUN"))
    #expect(entry.hasEnvironment(Array("KELVIN_COMMAND=owner".utf8)))
    #expect(ran.output.contains("\"pid\":\(client.processID)"))
  }

  /// Killed at some moment between bytes, in the middle of a flood.
  @Test(.timeLimit(.minutes(3)), arguments: 1...6)
  func noByteThatTheOwnerTookIsLostByItsDeath(seed: UInt64) throws {
    var numbers = SeededNumbers(state: seed)
    let bench = try OwnerBench()
    let listener = try WireListener.unix(bench.scratch.path + "/far.sock")
    let address = ConsoleAddress.socket(path: bench.scratch.path + "/far.sock")
    var sent: [UInt8] = []
    var seen: [UInt8] = []
    var position: UInt64 = 0
    for life in 0..<3 {
      let client = try bench.client()
      _ = try client.open("a", at: address, until: limit)
      let wire = try listener.accept()
      var attachment = try client.attach("a", from: .position(position), until: limit)
      let owner = try #require(ProcessIdentity(processID: client.processID))
      let killAfter = Int.random(in: 0...40, using: &numbers)
      for number in 0..<40 {
        if number == killAfter { kill(owner.processID, SIGKILL) }
        let piece =
          Array("\(life).\(number) ".utf8)
          + [UInt8](repeating: 46, count: Int.random(in: 0...3000, using: &numbers))
        // What a dead owner's socket still takes is what nobody received: only whole writes before
        // the kill count, which the reader's own view tells.
        guard (try? wire.write(piece, until: .after(seconds: 1))) == piece.count else { break }
        sent += piece
        if Bool.random(using: &numbers),
          let news = try? client.news(of: &attachment, until: .after(seconds: 0.01))
        {
          seen += news.bytes
        }
      }
      if killAfter == 40 { kill(owner.processID, SIGKILL) }
      #expect(waitForEnd(of: owner))
      // Everything that any reader was shown is in the log, in its place.
      let logged = bench.logged("a")
      #expect(logged.count >= seen.count, "seed \(seed)")
      #expect(logged.prefix(seen.count).elementsEqual(seen), "seed \(seed)")
      // And what is logged is what was sent, without a hole: it was received in order.
      #expect(sent.starts(with: logged), "seed \(seed)")
      // A reader that comes back gets the rest from the next owner.
      position = attachment.position
      sent = logged
      seen = Array(logged.prefix(Int(position)))
      wire.close()
    }
    let client = try bench.client()
    _ = try client.open("a", at: address, until: limit)
    let wire = try listener.accept()
    var attachment = try client.attach("a", from: .position(position), until: limit)
    try wire.write(Array("end".utf8))
    seen += try client.read(&attachment, count: sent.count - Int(position) + 3)
    #expect(seen == sent + Array("end".utf8), "seed \(seed)")
    let gaps = bench.log(of: "a").entries.filter { $0.event == "gap" }
    #expect(gaps.count == 3)
  }

  /// The client is a process that reads and writes; the port must not notice its end.
  @Test(.timeLimit(.minutes(2)), arguments: 1...4)
  func theDeathOfAClientLeavesThePortOpenAndTheLogGoingOn(seed: UInt64) async throws {
    var numbers = SeededNumbers(state: seed)
    let bench = try OwnerBench()
    let pair = try TerminalPair()
    let client = try bench.client()
    _ = try client.open("a", at: .pty(path: pair.path), until: limit)
    var expected: [UInt8] = []
    for round in 0..<3 {
      let user = try await KelvinBinary.start(
        ["bench", "console", "a", "--from", "first"] + bench.arguments, in: bench.scratch.path)
      // Attached, writing and being written to.
      #expect(try eventually { try client.list(until: limit).first?.writer != nil })
      for _ in 0..<Int.random(in: 1...20, using: &numbers) {
        let piece = [UInt8](
          repeating: UInt8(97 + round), count: Int.random(in: 1...2000, using: &numbers))
        try pair.wire.write(piece)
        expected += piece
      }
      try await user.signal(SIGKILL)
      _ = try await user.wait(until: limit)
      try pair.wire.write([10])
      expected.append(10)
      #expect(try eventually { try client.list(until: limit).first?.readers.isEmpty == true })
      let status = try #require(try client.list(until: limit).first)
      #expect(status.state == .open)
      #expect(status.serial == 1, "it was never closed")
      #expect(status.writer == nil)
    }
    var attachment = try client.attach("a", from: .first, until: limit)
    #expect(try client.read(&attachment, count: expected.count) == expected)
  }

  @Test(.timeLimit(.minutes(1)))
  func aSignalEndsItInOrder() throws {
    let bench = try OwnerBench()
    let pair = try TerminalPair()
    let client = try bench.client()
    _ = try client.open("a", at: .pty(path: pair.path), keep: true, until: limit)
    let owner = try #require(ProcessIdentity(processID: client.processID))
    // The end of a terminal that it was started from is none of its business.
    kill(owner.processID, SIGHUP)
    #expect(try client.list(until: limit).count == 1)
    kill(owner.processID, SIGTERM)
    #expect(waitForEnd(of: owner))
    #expect(bench.log(of: "a").entries.last?.event == "closed")
    #expect(access(bench.places.socketPath, F_OK) != 0)
  }

  @Test(.timeLimit(.minutes(1)))
  func anOwnerThatCannotBeginSaysWhy() throws {
    let bench = try OwnerBench()
    #expect(symlink("/tmp", bench.places.runtimeDirectory) == 0)
    #expect {
      _ = try bench.client()
    } throws: { ($0 as? OwnerFailure)?.code == .denied }
    unlink(bench.places.runtimeDirectory)
    #expect {
      _ = try Owner.Client.connect(
        to: bench.places, as: "test", starter: OwnerStarter(program: "/nonexistent"),
        until: limit)
    } throws: { "\($0)".contains("/nonexistent") }
    // A program that is no Kelvin.
    #expect {
      _ = try Owner.Client.connect(
        to: bench.places, as: "test", starter: OwnerStarter(program: "/bin/true"), until: limit)
    } throws: { ($0 as? OwnerFailure)?.code == .notRunning }
  }

  @Test(.timeLimit(.minutes(1)))
  func aStoppedOwnerIsATimeoutAndNotAHang() throws {
    let bench = try OwnerBench()
    let client = try bench.client()
    let owner = client.processID
    kill(owner, SIGSTOP)
    defer { kill(owner, SIGCONT) }
    #expect(eventually { ProcessEntry(processID: owner)?.state == UInt8(ascii: "T") })
    #expect {
      _ = try bench.client(seconds: 0.5)
    } throws: { ($0 as? OwnerFailure)?.code == .timeout }
    #expect {
      _ = try client.list(until: .after(seconds: 0.5))
    } throws: { ($0 as? OwnerFailure)?.code == .timeout }
  }

  /// A login at the machine and one over the network have an XDG_RUNTIME_DIR each, and one home.
  @Test(.timeLimit(.minutes(2)))
  func twoSessionsOfOneUserAreToldOfEachOther() async throws {
    let scratch = try Scratch()
    let pair = try TerminalPair()
    let base = ["XDG_STATE_HOME": scratch.path + "/state"]
    let first = base.merging(["XDG_RUNTIME_DIR": scratch.path + "/one"]) { $1 }
    let second = base.merging(["XDG_RUNTIME_DIR": scratch.path + "/two"]) { $1 }
    for name in ["state", "one", "two"] { mkdir(scratch.path + "/" + name, 0o700) }
    func run(_ words: [String], _ environment: [String: String]) async throws -> Ran {
      try await KelvinBinary.run(["bench"] + words, in: scratch.path, environment: environment)
    }
    let held = try await run(["up", "--console", "a=pty:\(pair.path)"], first)
    #expect(held.code == 0, "\(held.both)")
    // The same log, and under another name the same port.
    let log = try await run(["up", "--console", "a=pty:\(pair.path)"], second)
    let port = try await run(["up", "--console", "b=pty:\(pair.path)"], second)
    let way = "XDG_RUNTIME_DIR='\(scratch.path)/one' kelvin bench up"
    for refused in [log, port] {
      #expect(refused.code == 1)
      #expect(refused.errors.contains(way), "\(refused.errors)")
      #expect(refused.errors.contains("\(scratch.path)/one/kelvin/owner.sock"), "\(refused.errors)")
    }
    // The way that it tells leads there.
    let used = try await run(["up"], first)
    #expect(used.output.contains("a  pty:\(pair.path)  open"), "\(used.both)")
    for session in [second, first] {
      let ended = try await run(["down", "--force"], session)
      #expect(ended.code == 0, "\(ended.both)")
    }
  }
}
