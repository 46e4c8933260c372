import Glibc
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Synchronization
import Testing

@testable import KelvinConnections

let hasADB = access("/usr/bin/adb", X_OK) == 0

func adbSoon(_ seconds: Double = 20) -> Deadline { .after(seconds: seconds) }

/// Before the words of a daemon: it ends when nobody holds its input's other end any more, which is at
/// the latest when this process ends, however it does.
/// A shell's background commands ignore SIGINT, and so would all that a daemon starts.
let endsWithUs = [
  "sh", "-c", "env --default-signal=INT,QUIT \"$@\" & read line; kill -9 $!", "sh"
]

/// A port of 127.0.0.1 that was free a moment ago, and none that adb servers take for emulators.
func freeADBPort() throws -> UInt16 {
  let device = try SimulatedADBD()
  defer { device.stop() }
  return device.port
}

/// Debian's own adb: a server on a port of its own, with keys of its own, and the client to ask it.
final class RealADB: Sendable {
  let port: UInt16
  let home: Scratch
  private let process: LocalProcess

  init(home: Scratch? = nil) throws {
    let home = try home ?? Scratch()
    self.home = home
    let port = try freeADBPort()
    self.port = port
    process = try ProcessLauncher(environment: RealADB.environment(home)).start(
      Command(
        endsWithUs + ["adb", "-P", "\(port)", "nodaemon", "server"], standardInput: .bytes([]),
        standardOutput: .discard, standardError: .discard))
    let server = ADBServer(port: port, startsServer: false)
    let deadline = adbSoon()
    while (try? server.version(until: deadline)) == nil {
      guard deadline.limited(toSeconds: 0.02).wait() == .passed, !deadline.hasPassed else {
        throw PlainFailure(.timeout, "the adb server did not start")
      }
    }
  }

  static func environment(_ home: Scratch) -> [String: String] {
    // Beyond 5585 no emulators are looked for, and below there is none.
    ["HOME": home.path, "ADB_LOCAL_TRANSPORT_MAX_PORT": "5554", "ANDROID_SERIAL": ""]
  }

  var server: ADBServer { ADBServer(port: port, startsServer: false) }

  /// Runs adb's own client.
  func run(_ arguments: [String], input: [UInt8]? = nil) async throws -> CommandResult {
    var command = Command(["adb", "-P", "\(port)"] + arguments)
    command.environment = RealADB.environment(home).filter { $0.key != "ANDROID_SERIAL" }
    if let input { command.standardInput = .bytes(input) }
    return try await LocalConnection().execute(command, until: adbSoon(60))
  }

  /// Connects the server to a device; gives its serial number.
  func connect(_ port: UInt16) throws -> String {
    let serial = "127.0.0.1:\(port)"
    // It says so before a device has had the time to accept its key.
    do throws(ConnectionFailure) {
      try server.connectDevice(serial, until: adbSoon())
    } catch {
      guard error.code == .unreachable(.notAdmitted) else { throw error }
    }
    try server.wait(for: "device", of: .serial(serial), until: adbSoon())
    return serial
  }

  func stop() { process.abandon() }
}

/// How a test reaches a simulated device.
enum ADBRoute: String, CaseIterable, Sendable { case server, direct }

/// What kind of device it is.
enum ADBGeneration: String, CaseIterable, Sendable {
  case new, old
  var settings: SimulatedADBD.Settings { self == .new ? SimulatedADBD.Settings() : .old }
}

/// A simulated device with a way to it.
final class ReachedADB: Sendable {
  let daemon: SimulatedADBD
  let device: any ADBDevice
  let adb: RealADB?
  let keys: Scratch

  init(_ route: ADBRoute, _ settings: SimulatedADBD.Settings = .init()) async throws {
    daemon = try SimulatedADBD(settings)
    keys = try Scratch()
    switch route {
    case .direct:
      adb = nil
      device = ADBDirectDevice(
        host: "127.0.0.1", port: daemon.port, keys: ADBKeyStore(directory: keys.path))
    case .server:
      let adb = try RealADB()
      self.adb = adb
      device = ADBServerDevice(adb.server, .serial(try adb.connect(daemon.port)))
    }
  }

  func stop() async {
    device.close()
    daemon.stop()
    adb?.stop()
  }

  /// Runs with a device, and stops it whatever comes of it.
  static func with(
    _ route: ADBRoute, _ settings: SimulatedADBD.Settings = .init(),
    _ body: (ReachedADB) async throws -> Void
  ) async throws {
    let reached = try await ReachedADB(route, settings)
    do {
      try await body(reached)
    } catch {
      await reached.stop()
      throw error
    }
    await reached.stop()
  }
}

/// Runs a script in a new shell to its end.
func adbShell(
  _ device: any ADBDevice, _ script: String, until deadline: Deadline = adbSoon()
) throws -> (output: [UInt8], error: [UInt8], status: Int32?) {
  let link = try ADBTransport(device).open(until: deadline)
  defer { link.abandon() }
  try link.send(all: Array((script + "\n").utf8), until: deadline)
  // As ShellPump has it: a shell may have ended by then, and whether the link is lost shows in what comes.
  try? link.closeInput()
  return try adbCollect(link, until: deadline)
}

/// Reads a link to its end.
func adbCollect(
  _ link: any ShellLink, until deadline: Deadline = adbSoon()
) throws -> (output: [UInt8], error: [UInt8], status: Int32?) {
  var (output, error): ([UInt8], [UInt8]) = ([], [])
  while true {
    if case .ended(let status) = try link.receive(into: &output, error: &error) {
      return (output, error, status)
    }
    guard link.wait(toSend: false, until: deadline) == .ready, !deadline.hasPassed else {
      throw ConnectionFailure(.timedOut, "no more came")
    }
  }
}

/// Devices that the conformance tests share; they end with this process.
enum ADBBoards {
  static let new = Result { try SimulatedADBD() }
  static let old = Result { try SimulatedADBD(.old) }
  static let real = Result { try RealADBD() }
  static let keys = Result { try Scratch() }
  /// Ends with its last reference.
  private static let server = Mutex<RealADB?>(nil)

  static func connection(_ kind: ConformanceKind) throws -> any Connection {
    let port =
      switch kind {
      case .adbOld: try old.get().port
      case .adbd, .adbdDirect: try real.get().port
      default: try new.get().port
      }
    guard kind == .adb || kind == .adbd else {
      return ADBConnection(
        ADBDirectDevice(
          host: "127.0.0.1", port: port,
          keys: ADBKeyStore(directory: try keys.get().path)))
    }
    let adb = try server.withLock { server in
      if let server { return server }
      let made = try RealADB()
      server = made
      return made
    }
    return ADBConnection(ADBServerDevice(adb.server, .serial(try adb.connect(port))))
  }
}

/// The failure of something that must fail.
func adbFailure<Result>(_ body: () throws -> Result) -> ConnectionFailure? {
  do {
    _ = try body()
    return nil
  } catch {
    return error as? ConnectionFailure
  }
}
