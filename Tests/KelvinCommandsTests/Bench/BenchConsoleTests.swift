import CLinux
import Glibc
import KelvinConnections
import KelvinDevices
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Testing

/// `kelvin bench up`, `down` and `console`, as a person uses them.
@Suite(.serialized) struct BenchConsoleTests {
  private var limit: Deadline { .after(seconds: 30) }

  /// A process on a terminal of its own.
  private struct Session {
    let terminal: TerminalPair
    let process: ProcessIdentity
    let before: termios

    init(_ arguments: [String]) throws {
      terminal = try TerminalPair()
      // Held open, so that the settings stay when the process goes.
      slave = open(terminal.path, O_RDWR | O_NOCTTY)
      before = Session.settings(of: terminal)
      var words: [UnsafeMutablePointer<CChar>?] = ([KelvinBinary.path] + arguments).map {
        strdup($0)
      }
      words.append(nil)
      defer { for word in words { free(word) } }
      var processID = pid_t()
      let status = kelvin_spawn(
        KelvinBinary.path, words, kelvin_environment(), nil, slave, slave, slave, &processID)
      guard status == 0, let process = ProcessIdentity(processID: processID) else {
        throw Errno(status)
      }
      self.process = process
    }

    let slave: Int32

    static func settings(of terminal: TerminalPair) -> termios {
      var settings = termios()
      tcgetattr(terminal.wire.descriptor, &settings)
      return settings
    }

    var isRaw: Bool {
      Session.settings(of: terminal).c_lflag & tcflag_t(ICANON | ECHO | ISIG) == 0
    }

    var isRestored: Bool {
      let now = Session.settings(of: terminal)
      return now.c_lflag == before.c_lflag && now.c_iflag == before.c_iflag
        && now.c_oflag == before.c_oflag && now.c_cflag == before.c_cflag
    }

    /// Reads what it shows until a text came.
    func shows(_ text: String, seconds: Double = 20) throws -> String {
      let shown = try terminal.wire.read(through: Array(text.utf8), until: .after(seconds: seconds))
      let whole = String(decoding: shown, as: UTF8.self)
      #expect(whole.hasSuffix(text))
      return whole
    }

    /// - Returns: the exit code, or the signal's number plus 128.
    func end() -> Int32 {
      guard waitForEnd(of: process, seconds: 20) else {
        kill(process.processID, SIGKILL)
        return -1
      }
      var status: Int32 = 0
      waitpid(process.processID, &status, 0)
      close(slave)
      return status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F)
    }
  }

  @Test(.timeLimit(.minutes(1)))
  func aTerminalIsTheConsoleUntilItIsLeft() throws {
    let bench = try OwnerBench()
    let far = try WireListener.unix(bench.scratch.path + "/far.sock")
    let client = try bench.client()
    let session = try Session(
      ["bench", "console", "a", "--address", "socket:\(bench.scratch.path)/far.sock"]
        + bench.arguments)
    let board = try far.accept()
    #expect(try session.shows("leave with Ctrl-]\r\n").contains("Ctrl-]"))
    #expect(eventually { session.isRaw })
    try board.write(Array("login: ".utf8))
    #expect(try session.shows("login: ").hasSuffix("login: "))
    // Every byte but the one that leaves, Ctrl-C too.
    try session.terminal.wire.write([3, 26, 27, 91, 65, 13, 255])
    #expect(try board.read(count: 7) == [3, 26, 27, 91, 65, 13, 255])
    try session.terminal.wire.write(Array("last".utf8) + [0x1D])
    #expect(session.end() == 0)
    #expect(session.isRestored)
    #expect(try board.read(count: 4) == Array("last".utf8))
    #expect(try client.list(until: limit).first?.state == .open)
  }

  @Test(
    .timeLimit(.minutes(1)),
    arguments: [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGSEGV, SIGABRT, SIGILL, SIGBUS])
  func theTerminalIsGivenBackWhateverEndsIt(signal: Int32) throws {
    let bench = try OwnerBench()
    let pair = try TerminalPair()
    _ = try bench.client().open("a", at: .pty(path: pair.path), keep: true, until: limit)
    let session = try Session(["bench", "console", "a"] + bench.arguments)
    _ = try session.shows("leave with Ctrl-]\r\n")
    #expect(eventually { session.isRaw })
    kill(session.process.processID, signal)
    let code = session.end()
    #expect(code != 0 && code != -1)
    #expect(session.isRestored, "exit code \(code)")
  }

  @Test(.timeLimit(.minutes(1)))
  func theConsoleGoesOnThroughTheOwnersDeath() throws {
    let bench = try OwnerBench()
    let far = try WireListener.unix(bench.scratch.path + "/far.sock")
    let session = try Session(
      ["bench", "console", "a", "--address", "socket:\(bench.scratch.path)/far.sock"]
        + bench.arguments)
    let board = try far.accept()
    // Attached: from here on nothing may be missing.
    let client = try bench.client(starts: false)
    #expect(try eventually { try client.list(until: limit).first?.writer != nil })
    try board.write(Array("one.".utf8))
    _ = try session.shows("one.")
    let first = client.processID
    kill(first, SIGKILL)
    // The console finds or starts the next owner, which opens the port again.
    let again = try far.accept()
    try again.write(Array("two.".utf8))
    #expect(try session.shows("two.").contains("went away"))
    #expect(try bench.client(starts: false).processID != first)
    try session.terminal.wire.write([120, 0x1D])
    #expect(session.end() == 0)
    #expect(try again.read(count: 1) == [120])
    #expect(bench.logged("a") == Array("one.two.".utf8))
  }

  @Test(.timeLimit(.minutes(1)))
  func theSecondOneReadsAndSaysWhy() throws {
    let bench = try OwnerBench()
    let pair = try TerminalPair()
    let client = try bench.client("kelvin run")
    _ = try client.open("a", at: .pty(path: pair.path), until: limit)
    try client.takeWriter("a", until: limit)
    try pair.wire.write(Array("earlier ".utf8))
    #expect(try eventually { try client.list(until: limit).first?.end == 8 })
    let session = try Session(["bench", "console", "a", "--from", "-4"] + bench.arguments)
    #expect(try session.shows("only reading").contains("kelvin run"))
    #expect(try session.shows("ier ").contains("ier "))
    try session.terminal.wire.write([120, 0x1D])
    #expect(session.end() == 0)
    #expect(try pair.wire.read(count: 1, until: .after(seconds: 0.2)).isEmpty)
  }

  @Test(.timeLimit(.minutes(1)))
  func upHoldsAndDownRefusesWhatIsInUse() async throws {
    let bench = try OwnerBench()
    let pair = try TerminalPair()
    func run(_ words: [String]) async throws -> Ran {
      try await KelvinBinary.run(
        ["bench"] + words + bench.arguments, in: bench.scratch.path)
    }
    #expect(try await run(["down"]).output.contains("no owner of ports runs"))
    let up = try await run(["up", "--console", "rock=serial:\(pair.path)@9600"])
    #expect(up.code == 0, "\(up.both)")
    #expect(up.output.contains("rock  serial:\(pair.path)@9600  open"))
    let lost = try await run(["up", "--console", "gone=socket:/nonexistent/x"])
    #expect(lost.code == 1)
    #expect(lost.output.contains("gone  socket:/nonexistent/x  lost: "))
    let other = try await run(["up", "--console", "rock=socket:/x"])
    #expect(other.code == 1)
    #expect(other.errors.contains("is held at serial:"))
    #expect(try await run(["up", "--console", "rock=nonsense"]).code == 2)
    #expect(try await run(["console", "stone"]).code == 2)
    #expect(try await run(["down", "--console", "gone"]).code == 0)

    let client = try bench.client("kelvin run", starts: false)
    _ = try client.attach("rock", until: limit)
    let refused = try await run(["down"])
    #expect(refused.code == 2)
    #expect(refused.errors.contains("kelvin run") && refused.errors.contains("rock"))
    let forced = try await run(["down", "--force"])
    #expect(forced.code == 0, "\(forced.both)")
    #expect(forced.output.contains("closed rock"))
  }

  @Test(.timeLimit(.minutes(1)))
  func upOpensTheConsolesOfTheBench() async throws {
    let bench = try OwnerBench()
    let far = try WireListener.unix(bench.scratch.path + "/far.sock")
    let pair = try TerminalPair()
    let raw = try WireListener.tcp()
    let served = try WireListener.tcp()
    // Agrees to COM-PORT and confirms 9600 bits a second (RFC 2217).
    let server = try NamedThread("server") {
      guard let wire = try? served.accept() else { return }
      _ = try? wire.write([255, 253, 44, 255, 250, 44, 101, 0, 0, 37, 128, 255, 240])
      // Until the owner is gone.
      _ = try? wire.read(count: 1 << 20, until: .after(seconds: 50))
    }
    try bench.scratch.write(
      "bench.yaml",
      """
      boards:
        a: {profile: generic-linux, console: {socket: far.sock}}
        e: {profile: generic-linux, console: {tcp: {host: 127.0.0.1, port: \(raw.port)}}}
        f:
          profile: generic-linux
          console: {rfc2217: {host: 127.0.0.1, port: \(served.port), baud: 9600}}
        b: {profile: generic-linux, console: {serial: {path: \(pair.path), baud: 9600}}}
        c: {profile: generic-linux, connection: local}
        d: {profile: generic-linux, console: {serial: {match: {ID_SERIAL: nowhere}}}}
      """)
    let up = try await KelvinBinary.run(
      ["bench", "up"] + bench.arguments, in: bench.scratch.path,
      environment: ["KELVIN_HARDWARE": BenchConsoleTests.hardware])
    // One that is not plugged in is told, and does not stop the others.
    #expect(up.code == 1, "\(up.both)")
    #expect(up.errors.contains("kelvin: d: "))
    #expect(up.output.contains("a  socket:\(bench.scratch.path)/far.sock  open"))
    #expect(up.output.contains("b  serial:\(pair.path)@9600  open"))
    #expect(up.output.contains("e  tcp:127.0.0.1:\(raw.port)  open"), "\(up.both)")
    #expect(up.output.contains("f  rfc2217:127.0.0.1:\(served.port)@9600  open"), "\(up.both)")
    #expect(!up.output.contains("\nc  "))
    _ = try far.accept()
    let json = try await KelvinBinary.run(
      ["bench", "up", "--format", "json", "--console", "g=pty:/nonexistent"] + bench.arguments,
      in: bench.scratch.path)
    #expect(json.code == 1)
    #expect(json.output.contains("\"name\":\"a\""))
    _ = try bench.client(starts: false).shutDown(force: true, until: limit)
    server.join()
  }

  @Test(.timeLimit(.minutes(1)))
  func aBoardOfTheBenchIsOpenedWhenItIsNotHeld() async throws {
    let bench = try OwnerBench()
    let far = try WireListener.unix(bench.scratch.path + "/far.sock")
    try bench.scratch.write(
      "bench.yaml",
      """
      boards:
        a: {profile: generic-linux, console: {socket: far.sock}}
        d: {profile: generic-linux, console: {serial: {match: {ID_SERIAL: nowhere}}}}
      """)
    func console(_ name: String) async throws -> Ran {
      try await KelvinBinary.run(
        ["bench", "console", name, "--read-only", "--for", "0.1"] + bench.arguments,
        in: bench.scratch.path, environment: ["KELVIN_HARDWARE": BenchConsoleTests.hardware])
    }
    let ran = try await console("a")
    #expect(ran.code == 0, "\(ran.both)")
    _ = try far.accept()
    #expect(try bench.client(starts: false).list(until: limit).map(\.name) == ["a"])
    let absent = try await console("d")
    #expect(absent.code != 0)
    #expect(absent.errors.contains("{ID_SERIAL: nowhere}"), "\(absent.errors)")
  }

  /// The profiles of this checkout.
  private static let hardware =
    "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/") + "/hardware"
}
