import Glibc
import KelvinConnections
import KelvinModel
import KelvinTargets
import Synchronization

@testable import KelvinExecution

/// A board of a bench whose kernel's files are a recorded tree, and whose other commands are run here.
///
/// Nothing of it ever reboots this machine: what would is noted, and does what the test says.
struct FakeBoard: ForwardingConnection {
  let base: any Connection
  let tree: RecordedTree
  /// What the board's own reboot command does; by default nothing.
  var onReboot: @Sendable () -> Void = {}
  /// Whether its link is away: everything throws.
  let isAway = Flag()

  /// Something that threads set and read.
  final class Flag: Sendable {
    private let state = Mutex(false)
    var isSet: Bool {
      get { state.withLock { $0 } }
      set { state.withLock { $0 = newValue } }
    }
  }

  static let bootIDPath = "/proc/sys/kernel/random/boot_id"

  init() throws {
    tree = try RecordedTree([Self.bootIDPath: Self.bootID(1) + "\n"])
    base = LocalConnection(root: tree.root)
  }

  /// The boot id of its n-th boot.
  static func bootID(_ boot: Int) -> String {
    let digits = String(boot)
    return "0b4d1a1c-0000-4000-8000-" + String(repeating: "0", count: 12 - digits.count) + digits
  }

  /// Begins another boot.
  func boot(_ number: Int) { try? tree.write([Self.bootIDPath: Self.bootID(number) + "\n"]) }

  /// Words of a command of this host that begin another boot.
  func bootingWords(_ number: Int, also: String = "true") -> [Value] {
    ["sh", "-c", .text("\(also) && echo \(Self.bootID(number)) > \(tree.root)\(Self.bootIDPath)")]
  }

  /// A switch whose programs are these.
  func control(
    on: [Value], off: [Value] = ["true"], state: [Value]? = nil, _ kind: Declaration.Kind = .power
  ) throws -> PowerControl {
    let place = SourceLocation(file: "bench.yaml", line: 7)
    var options: [String: Value] = ["on": .list(on), "off": .list(off), "measured": false]
    if let state { options["state"] = .list(state) }
    let choice = DriverChoice("command", options: options, location: place)
    return try PowerControl(
      BoardEntry(
        name: "rock", profile: "generic-linux", power: choice, reset: choice, location: place), kind
    )
  }

  var name: String { "fake" }
  var capabilities: Capabilities {
    var capabilities = base.capabilities
    capabilities.isThisMachine = false
    return capabilities
  }

  private func check() throws(ConnectionFailure) {
    if isAway.isSet { throw ConnectionFailure(.connectionLost, "\(name): the link is away") }
  }

  func start(
    _ command: Command, until deadline: Deadline
  ) async throws(ConnectionFailure) -> any RemoteProcess {
    try check()
    return try await base.start(tamed(command), until: deadline)
  }
  func execute(
    _ command: Command, until deadline: Deadline
  ) async throws(ConnectionFailure) -> CommandResult {
    try check()
    return try await base.execute(tamed(command), until: deadline)
  }

  /// A command without what would reboot this machine, or would ask how far it has booted.
  private func tamed(_ command: Command) -> Command {
    guard let script = command.argv.last else { return command }
    var tamed = command
    if script.contains("reboot") {
      onReboot()
      tamed.argv = ["true"]
    } else if script.contains("is-system-running"), let end = script.ranges(of: "\nfi").last {
      let probe = String(script[end.upperBound...])
      tamed.argv = ["sh", "-c", probe.isEmpty ? "true" : probe]
    }
    return tamed
  }

  func read(
    _ paths: [TargetPath], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [Result<[UInt8], Errno>] {
    try check()
    return try await base.read(paths, until: deadline)
  }
  func write(
    _ values: [(path: TargetPath, bytes: [UInt8])], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [Result<Void, Errno>] {
    try check()
    return try await base.write(values, until: deadline)
  }
  func settle(
    _ steps: [ValueStep], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [ValueOutcome] {
    try check()
    return try await base.settle(steps, until: deadline)
  }
  func list(
    _ directory: TargetPath, depth: Int, until deadline: Deadline
  ) async throws(ConnectionFailure) -> [FileEntry] {
    try check()
    return try await base.list(directory, depth: depth, until: deadline)
  }
  func findExecutables(
    _ names: [String], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [TargetPath?] {
    try check()
    return try await base.findExecutables(names, until: deadline)
  }
  func close() async {}
}
