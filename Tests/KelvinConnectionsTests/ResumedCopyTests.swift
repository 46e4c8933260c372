import Glibc
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Testing

@testable import KelvinConnections

/// Large copies whose link is cut in the middle, and their next attempts.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct ResumedCopyTests {
  enum Way: String, CaseIterable, Sendable {
    case sshd, sshdBusybox, dropbear, adb, adbd, adbdByServer
    static var possible: [Way] {
      allCases.filter { way in
        switch way {
        case .sshd, .sshdBusybox, .dropbear: SSHServer.obstacle == nil
        case .adb: true
        case .adbd: RealADBD.isThere
        case .adbdByServer: RealADBD.isThere && hasADB
        }
      }
    }
  }

  /// A board behind a relay, and a large file.
  final class Bench {
    let connection: any Connection
    let relay: CountingRelay
    let scratch: Scratch
    static let size = 40_000_000
    private var kept: [AnyObject] = []
    private var stops: [() -> Void] = []

    init(_ way: Way) throws {
      scratch = try Scratch()
      switch way {
      case .sshd, .sshdBusybox, .dropbear:
        let server = try SSHServer(
          way == .dropbear ? .dropbear : .sshd, login: way == .sshdBusybox ? .busybox : .dash)
        relay = try CountingRelay(to: server.port)
        // The known key is of the server's own port.
        var options = try server.options()
        let known = try String(decoding: LocalFile.read(server.knownHosts()), as: UTF8.self)
        try scratch.write(
          "known", Array(known.replacing("\(server.port)", with: "\(relay.port)").utf8))
        options.port = Int(relay.port)
        options.hostKey = .file(scratch.path + "/known")
        connection = ShellConnection(SSHTransport(options))
        kept.append(server)
      case .adb, .adbd, .adbdByServer:
        let port: UInt16
        if way == .adb {
          let daemon = try SimulatedADBD()
          port = daemon.port
          stops.append { daemon.stop() }
        } else {
          let daemon = try RealADBD()
          port = daemon.port
          stops.append { daemon.stop() }
        }
        relay = try CountingRelay(to: Int(port))
        if way == .adbdByServer {
          let adb = try RealADB()
          stops.append { adb.stop() }
          let serial = try adb.connect(relay.port)
          connection = ADBConnection(ADBServerDevice(adb.server, .serial(serial)))
          reconnect = { _ = try adb.connect($0) }
        } else {
          connection = ADBConnection(
            ADBDirectDevice(
              host: "127.0.0.1", port: relay.port, keys: ADBKeyStore(directory: scratch.path)))
        }
      }
      try change(first: 1)
      mkdir(scratch.path + "/there", 0o755)
    }

    private var reconnect: (UInt16) throws -> Void = { _ in }

    /// Waits until the way is there again, and leaves nothing of that in the counts.
    func comeBack() async throws {
      try reconnect(relay.port)
      let deadline = Deadline.after(seconds: 20)
      while true {
        do {
          _ = try await connection.read(["/proc/uptime"], until: deadline.limited(toSeconds: 5))
          break
        } catch  where !deadline.hasPassed { continue }
      }
      _ = relay.take()
    }

    /// Makes the file anew.
    func change(first: UInt8) throws {
      var state = UInt64(first) &* 0x9E37_79B9_7F4A_7C15
      // One block after the other, each with its own number in front.
      var block: [UInt8] = []
      for _ in 0..<100_000 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        withUnsafeBytes(of: state) { block.append(contentsOf: $0) }
      }
      var bytes: [UInt8] = []
      while bytes.count < Bench.size {
        block[0] = UInt8(truncatingIfNeeded: bytes.count / block.count)
        bytes += block
      }
      try scratch.write("big", bytes)
    }

    func isCopied(from: String, to: String) throws -> Bool {
      try Checksum.sha256(ofFile: scratch.path + "/" + from)
        == Checksum.sha256(ofFile: scratch.path + "/" + to)
    }

    func push() async throws(ConnectionFailure) {
      try await connection.push(
        scratch.path + "/big", to: TargetPath(scratch.path + "/there/file"), mode: 0o640,
        until: .after(seconds: 30))
    }

    func pull() async throws(ConnectionFailure) {
      try await connection.pull(
        TargetPath(scratch.path + "/big"), to: scratch.path + "/there/file",
        until: .after(seconds: 30))
    }

    func end() async {
      await connection.close()
      relay.close()
      for stop in stops { stop() }
    }
  }

  private func isCut(_ body: () async throws(ConnectionFailure) -> Void) async -> Bool {
    do {
      try await body()
      return false
    } catch {
      if error.code != .connectionLost { Issue.record("\(error.code): \(error.message)") }
      return error.code == .connectionLost
    }
  }

  @Test(arguments: Way.possible)
  func aPushGoesOnWhereTheLinkWasCut(way: Way) async throws {
    let bench = try Bench(way)
    try bench.scratch.write("there/file", Array("old".utf8))
    try await bench.comeBack()
    bench.relay.cut(afterSending: 30_000_000)
    #expect(await isCut { () throws(ConnectionFailure) in try await bench.push() })
    // The old file is what it was, and what there is of the new one has another name.
    #expect(try bench.scratch.read("there/file") == Array("old".utf8))
    try await bench.comeBack()
    try await bench.push()
    let sent = bench.relay.take().sent
    #expect(sent > 8_000_000 && sent < 25_000_000, "\(sent)")
    #expect(try bench.isCopied(from: "big", to: "there/file"))
    #expect(SmallFile.names(in: bench.scratch.path + "/there") == ["file"])
    var status = stat()
    #expect(stat(bench.scratch.path + "/there/file", &status) == 0)
    #expect(status.st_mode & 0o777 == 0o640)
    await bench.end()
  }

  /// The file is there, and nothing else.
  private func expectWhole(_ bench: Bench) async throws {
    #expect(try bench.isCopied(from: "big", to: "there/file"))
    #expect(SmallFile.names(in: bench.scratch.path + "/there") == ["file"])
    await bench.end()
  }

  @Test(arguments: Way.possible)
  func aPushOfAChangedFileStartsOver(way: Way) async throws {
    let bench = try Bench(way)
    try await bench.comeBack()
    bench.relay.cut(afterSending: 20_000_000)
    #expect(await isCut { () throws(ConnectionFailure) in try await bench.push() })
    try bench.change(first: 2)
    try await bench.comeBack()
    try await bench.push()
    #expect(bench.relay.take().sent > Int64(Bench.size))
    try await expectWhole(bench)
  }

  @Test(arguments: Way.possible)
  func aPullGoesOnWhereTheLinkWasCut(way: Way) async throws {
    let bench = try Bench(way)
    try await bench.comeBack()
    bench.relay.cut(receiving: 30_000_000)
    #expect(await isCut { () throws(ConnectionFailure) in try await bench.pull() })
    #expect(SmallFile.names(in: bench.scratch.path + "/there") == ["file.kelvin-part"])
    try await bench.comeBack()
    try await bench.pull()
    let received = bench.relay.take().received
    #expect(received > 8_000_000 && received < 25_000_000, "\(received)")
    try await expectWhole(bench)
  }

  @Test(arguments: Way.possible)
  func aPullOfAChangedFileStartsOver(way: Way) async throws {
    let bench = try Bench(way)
    try await bench.comeBack()
    bench.relay.cut(receiving: 20_000_000)
    #expect(await isCut { () throws(ConnectionFailure) in try await bench.pull() })
    try bench.change(first: 2)
    try await bench.comeBack()
    try await bench.pull()
    #expect(bench.relay.take().received > Int64(Bench.size))
    try await expectWhole(bench)
  }

  /// One whose writer still has it open, but for longer than any live one would be silent, is taken
  /// from it; a fresh one is left to it.
  @Test(arguments: [true, false])
  func whatAWriterHasOpenIsTakenOnlyWhenItIsSilent(isSilent: Bool) async throws {
    let scratch = try Scratch()
    let connection = ShellConnection(argv: ["dash"])
    let bytes = (0..<9_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
    try scratch.write("big", bytes)
    let part = scratch.path + "/file.kelvin-part-abcdef"
    try scratch.write("file.kelvin-part-abcdef", Array(bytes[..<8_500_000]))
    let writer = try await connection.start(
      Command(["sh", "-c", "exec cat >>\(part)"], standardInput: .descriptor(try silence())),
      until: soon())
    if isSilent {
      var times = [timespec(), timespec()]
      for index in 0...1 { times[index].tv_sec = time(nil) - 60 }
      #expect(utimensat(AT_FDCWD, part, &times, 0) == 0)
    }
    try await connection.push(
      scratch.path + "/big", to: TargetPath(scratch.path + "/file"), mode: 0o600, until: soon())
    #expect(try scratch.read("file") == bytes)
    #expect((access(part, F_OK) != 0) == isSilent)
    if isSilent {
      #expect(try await writer.wait(until: soon()).termination == .signaled(9))
    }
    await connection.close()
  }

  /// The reading end of a pipe that says nothing until this process ends.
  private func silence() throws -> Int32 {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw Errno.current }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return ends[0]
  }

  /// What another user left can be renamed, but not written to.
  @Test(.enabled(if: getuid() != 0, "root may write to every file"))
  func aPartThatCannotBeWrittenToIsNotTakenForTheFile() async throws {
    let scratch = try Scratch()
    let connection = ShellConnection(argv: ["dash"])
    try scratch.write("new", Array("new".utf8))
    let part = scratch.path + "/file.kelvin-part"
    try scratch.write("file.kelvin-part", Array("of another copy".utf8))
    #expect(chmod(part, 0o400) == 0)
    try await connection.pull(
      TargetPath(scratch.path + "/new"), to: scratch.path + "/file", until: soon())
    #expect(try scratch.read("file") == Array("new".utf8))
    #expect(Set(SmallFile.names(in: scratch.path)) == ["file", "new"])
    await connection.close()
  }

  /// The link is still away, or there is no time: the next attempt finds it again.
  @Test func aPartThatCannotBeComparedIsKept() async throws {
    let scratch = try Scratch()
    let connection = ShellConnection(argv: ["dash"])
    let bytes = [UInt8](repeating: 7, count: 9_000_000)
    for name in ["big", "file.kelvin-part"] { try scratch.write(name, bytes) }
    let error = await #expect(throws: ConnectionFailure.self) {
      try await connection.pull(
        TargetPath(scratch.path + "/big"), to: scratch.path + "/file", until: .after(seconds: 0))
    }
    #expect(error?.code == .timedOut)
    #expect(Set(SmallFile.names(in: scratch.path)) == ["big", "file.kelvin-part"])
    let part = try HostPart(scratch.path + "/file")
    #expect(try part.claim())
    let check = try #require(PartialCopy.Check(Array("1 9000000".utf8)))
    let late = #expect(throws: ConnectionFailure.self) {
      try part.matches(check, until: .after(seconds: 0))
    }
    #expect(late?.code == .timedOut)
    await connection.close()
  }

  @Test func checksOfTheTargetAreReadAndNothingElse() {
    #expect(PartialCopy.Check(Array("4294967295 0\n".utf8))?.sum == .posix(4_294_967_295))
    let digest = String(repeating: "a", count: 64)
    let check = PartialCopy.Check(Array("\(digest)  -\n17\n".utf8))
    #expect(check?.sum == .sha256(digest) && check?.count == 17)
    for text in [
      "", "\n", "1", "x y", "\(digest)", "4294967296 1", "1 -1", "1 99999999999999999999"
    ] {
      #expect(PartialCopy.Check(Array(text.utf8)) == nil, "\(text)")
    }
  }
}
