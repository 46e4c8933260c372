import Glibc
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Testing

@testable import KelvinConnections

/// Android's own adbd on this machine, as scripts/build-adbd builds it.
final class RealADBD: Sendable {
  let port: UInt16
  private let process: LocalProcess

  /// Where it is: $KELVIN_ADBD, or where the script leaves it; nil when it was not built.
  static let path: String? = {
    if let named = getenv("KELVIN_ADBD").map({ String(cString: $0) }), !named.isEmpty {
      return named
    }
    let home = getenv("HOME").map { String(cString: $0) } ?? "/"
    let cache = getenv("XDG_CACHE_HOME").map { String(cString: $0) } ?? home + "/.cache"
    return SmallFile.names(in: cache + "/kelvin/adbd").map { "\(cache)/kelvin/adbd/\($0)/adbd" }
      .last { access($0, X_OK) == 0 }
  }()
  static let isThere = path != nil

  /// - Parameters:
  ///   - properties: Android's, `NAME=VALUE`.
  ///   - environment: `ADBD_KEYS`, `ADBD_HOOK`.
  ///   - mounts: a script of what it mounts in a namespace of its own; needs root.
  init(
    _ properties: [String] = [], environment: [String: String] = [:], mounts: String? = nil
  ) throws {
    guard let path = RealADBD.path else {
      throw PlainFailure(.infrastructure, "no adbd: run scripts/build-adbd")
    }
    port = try freeADBPort()
    let all = ["service.adb.listen_addrs=tcp:localhost:\(port)"] + properties
    process = try ProcessLauncher(
      environment: environment.merging(["ADBD_PROPERTIES": all.joined(separator: ",")]) { a, _ in a
      }
    ).start(
      Command(
        endsWithUs
          + (mounts.map { ["unshare", "-m", "sh", "-ec", $0 + "\nexec \"$@\"", "sh"] } ?? [])
          + [path],
        standardInput: .bytes([]), standardOutput: .discard, standardError: .discard))
    let deadline = adbSoon(5)
    while true {
      if let socket = try? TCPSocket.connect(host: "127.0.0.1", port: port, until: deadline) {
        close(socket)
        return
      }
      guard deadline.limited(toSeconds: 0.02).wait() == .passed, !deadline.hasPassed else {
        throw PlainFailure(.timeout, "adbd did not start")
      }
    }
  }

  func stop() { process.abandon() }
}

/// Kelvin and adb's own client against Android's own adbd: both must say the same.
@Suite(
  .enabled(if: RealADBD.isThere, "needs adbd from scripts/build-adbd"), .timeLimit(.minutes(2)))
struct ADBRealDaemonTests {
  /// Runs with the daemon, by both ways.
  func withBoth(_ body: (any ADBDevice, RealADB, String) async throws -> Void) async throws {
    let daemon = try RealADBD()
    let adb = try RealADB()
    defer {
      daemon.stop()
      adb.stop()
    }
    let serial = try adb.connect(daemon.port)
    let served = ADBServerDevice(adb.server, .serial(serial))
    try await body(served, adb, serial)
    let direct = ADBDirectDevice(
      host: "127.0.0.1", port: daemon.port, keys: ADBKeyStore(directory: adb.home.path))
    try await body(direct, adb, serial)
    direct.close()
  }

  @Test(
    arguments: [
      "exit 300", "echo o; echo e >&2; exit 7", "printf 'a\\000\\377\\r\\n'", "kill -9 $$",
      "head -c 300000 /dev/zero; false", "exec >&-; exit 5"
    ])
  func shellsSayWhatAdbSays(script: String) async throws {
    try await withBoth { device, adb, serial in
      let own = try adbShell(device, script)
      let theirs = try await adb.run(["-s", serial, "shell", script])
      #expect(own.output == theirs.standardOutput.bytes)
      #expect(own.error == theirs.standardError.bytes)
      #expect(theirs.termination == .exited(own.status ?? -1))
    }
  }

  @Test func filesAreThoseOfAdb() async throws {
    try await withBoth { device, adb, serial in
      let (host, target) = (try Scratch(), try Scratch())
      let sync = ADBSync(device)
      defer { sync.close() }
      for size in [0, 1, 65_536, 1_000_003] {
        let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 37) }
        try host.write("in", bytes)
        let path = target.path + "/new, dir/\(size)"
        try sync.push(
          [ADBPushItem(.file(host.path + "/in"), to: TargetPath(path), mode: 0o640)],
          until: adbSoon())
        let pulled = try await adb.run(["-s", serial, "pull", path, host.path + "/theirs"])
        #expect(pulled.isSuccess)
        #expect(try host.read("theirs") == bytes)
        let pushed = try await adb.run(["-s", serial, "push", host.path + "/in", path + "-theirs"])
        #expect(pushed.isSuccess)
        try sync.pull(
          [ADBPullItem(TargetPath(path + "-theirs"), to: host.path + "/own")], until: adbSoon())
        #expect(try host.read("own") == bytes)
        let status = try sync.status([TargetPath(path)], until: adbSoon())[0].get()
        #expect(status.size == UInt64(size))
        // adbd gives group and others what the owner has.
        #expect(status.mode == 0o100666)
      }
      let tree = try sync.tree(TargetPath(target.path), until: adbSoon())
      #expect(tree.directories == ["new, dir"])
      #expect(tree.files.count == 8)
      let missing = adbFailure {
        try sync.pull(
          [ADBPullItem(TargetPath(target.path + "/missing"), to: host.path + "/missing")],
          until: adbSoon())
      }
      #expect(missing?.code == .notFound)
      let again = try sync.status([TargetPath(target.path)], until: adbSoon())
      #expect(try again[0].get().isDirectory)
      mkdir(target.path + "/taken", 0o755)
      try host.write("big", [UInt8](repeating: 1, count: 5_000_000))
      let refused = adbFailure {
        try sync.push(
          [
            ADBPushItem(
              .file(host.path + "/big"), to: TargetPath(target.path + "/taken"), mode: 0o644)
          ], until: adbSoon())
      }
      #expect(refused?.code == .system(Errno(EISDIR)))
    }
  }

  @Test func filesGetTheirModesAndLinks() async throws {
    try await withBoth { device, _, _ in
      let (host, target) = (try Scratch(), try Scratch())
      let connection = ADBConnection(device)
      mkdir(host.path + "/d", 0o755)
      for (name, mode) in [("a", 0o640), ("d/b", 0o755), ("d/c", 0o600)] as [(String, mode_t)] {
        try host.write(name, Array(name.utf8))
        chmod(host.path + "/" + name, mode)
      }
      symlink("b", host.path + "/d/l")
      try connection.pushTree(host.path, to: TargetPath(target.path + "/t"), until: adbSoon())
      try await connection.push(
        host.path + "/a", to: TargetPath(target.path + "/one"), mode: 0o750, until: adbSoon())
      var modes: [mode_t] = []
      for name in ["t/a", "t/d/b", "t/d/c", "one"] {
        var status = stat()
        #expect(stat(target.path + "/" + name, &status) == 0)
        modes.append(status.st_mode & 0o777)
      }
      #expect(modes == [0o640, 0o755, 0o600, 0o750])
      #expect(LocalFile.link(target.path + "/t/d/l") == "b")
      #expect(LocalFile.names(in: target.path) == ["one", "t"])
      let sync = ADBSync(connection.device)
      try sync.pullTree(
        TargetPath(target.path + "/t"), to: host.path + "/back", until: adbSoon())
      sync.close()
      #expect(try host.read("back/d/b") == Array("d/b".utf8))
      connection.device.close()
    }
  }

  @Test func leadsPortsBothWays() async throws {
    let daemon = try RealADBD()
    let adb = try RealADB()
    defer {
      daemon.stop()
      adb.stop()
    }
    let selector = ADBSelector.serial(try adb.connect(daemon.port))
    let other = try SimulatedADBD()
    defer { other.stop() }
    let remote = try adb.server.reverse(
      "tcp:0", to: "tcp:\(other.port)", of: selector, until: adbSoon())
    let listed = try await adb.run(["reverse", "--list"]).standardOutput.text
    #expect(listed.contains("\(remote) tcp:\(other.port)"))
    #expect(
      try adb.server.reverses(of: selector, until: adbSoon()).map(\.local) == [remote])
    // The device is this machine: what listens there is reached here.
    let device = ADBDirectDevice(
      host: "127.0.0.1", port: try #require(UInt16(remote.dropFirst(4))),
      keys: ADBKeyStore(directory: adb.home.path))
    #expect(try device.features(until: adbSoon()).contains("shell_v2"))
    device.close()
    try adb.server.removeReverse(remote, of: selector, until: adbSoon())
    #expect(try adb.server.reverses(of: selector, until: adbSoon()).isEmpty)
  }

  @Test func trustsTheKeyThatItKnowsAndNoOther() async throws {
    let (known, unknown) = (try Scratch(), try Scratch())
    let store = ADBKeyStore(directory: known.path)
    _ = try store.keys()
    let daemon = try RealADBD(
      ["ro.adb.secure=1"], environment: ["ADBD_KEYS": known.path + "/adbkey.pub"])
    defer { daemon.stop() }
    let device = ADBDirectDevice(host: "127.0.0.1", port: daemon.port, keys: store)
    #expect(try adbShell(device, "exit 3").status == 3)
    device.close()
    let stranger = ADBDirectDevice(
      host: "127.0.0.1", port: daemon.port, keys: ADBKeyStore(directory: unknown.path))
    let failure = adbFailure { try stranger.features(until: adbSoon(3)) }
    #expect(failure?.code == .unreachable(.notAdmitted))
    stranger.close()
  }

  @Test func aDaemonThatIsKilledIsALostConnection() async throws {
    let daemon = try RealADBD()
    let adb = try RealADB()
    defer { adb.stop() }
    let device = ADBServerDevice(adb.server, .serial(try adb.connect(daemon.port)))
    let link = try ADBTransport(device).open(until: adbSoon())
    try link.send(all: Array("echo 0; exec sleep 60\n".utf8), until: adbSoon())
    #expect(link.wait(toSend: false, until: adbSoon()) == .ready)
    daemon.stop()
    let failure = adbFailure { try adbCollect(link) }
    #expect(failure?.code == .connectionLost)
  }

  @Test func rootIsSaidByTheDaemon() async throws {
    let scratch = try Scratch()
    try scratch.write("hook", Array("#!/bin/sh\necho 'adbd is already running as root'\n".utf8))
    chmod(scratch.path + "/hook", 0o755)
    let daemon = try RealADBD(environment: ["ADBD_HOOK": scratch.path + "/hook"])
    defer { daemon.stop() }
    let device = ADBDirectDevice(
      host: "127.0.0.1", port: daemon.port, keys: ADBKeyStore(directory: scratch.path))
    let result = try device.root(until: adbSoon())
    #expect(result == .unchanged)
    device.close()
  }
}
