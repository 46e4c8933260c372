import Glibc
import KelvinModel
import KelvinTargets
import Synchronization

@testable import KelvinConnections

/// The connections that every test of this room is run through.
let connectionNames = ["local", "shell"]

func makeConnection(_ name: String, environment: [String: String] = [:]) -> any Connection {
  name == "local"
    ? LocalConnection(environment: environment) : ShellConnection(environment: environment)
}

/// A deadline for what takes milliseconds on a quiet machine.
var soon: Deadline { .after(seconds: 20) }

/// A directory that is removed with the last reference to it.
final class Directory: Sendable {
  let path: String

  init() throws {
    var template = Array("/tmp/kelvin-targets-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw PlainFailure(.infrastructure, "mkdtemp: \(Errno.current)")
    }
    path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  deinit { try? LocalFile.remove(path) }

  /// Writes a file, with the directories above it.
  @discardableResult
  func write(_ name: String, _ text: String, mode: mode_t = 0o644) throws -> String {
    let file = path + "/" + name
    var directory = path
    for part in name.split(separator: "/").dropLast() {
      directory += "/" + part
      mkdir(directory, 0o755)
    }
    let descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
    guard descriptor >= 0 else { throw PlainFailure(.infrastructure, "\(file): \(Errno.current)") }
    defer { close(descriptor) }
    let bytes = Array(text.utf8)
    guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else {
      throw PlainFailure(.infrastructure, "\(file): \(Errno.current)")
    }
    fchmod(descriptor, mode)
    return file
  }
}

/// Counts what goes over another connection, and can damage what arrives.
final class CountingConnection: Connection {
  let base: any Connection
  let pushes = Atomic<Int>(0)
  let lookUps = Atomic<Int>(0)
  /// Whether the link goes each time that something was removed.
  let losesRemovals = Atomic<Bool>(false)
  /// Pushes bring this file instead of the one that was asked for.
  let replacement: String?
  /// Values replace what files below this directory hold, as they do in sysfs: a write into an ordinary
  /// file leaves the rest of a longer value.
  let tree: String?

  init(_ base: any Connection, replacement: String? = nil, tree: String? = nil) {
    self.base = base
    self.replacement = replacement
    self.tree = tree
  }

  var name: String { base.name }
  var capabilities: Capabilities { base.capabilities }

  func start(
    _ command: Command, until deadline: Deadline
  ) async throws(ConnectionFailure) -> any RemoteProcess {
    try await base.start(command, until: deadline)
  }
  func read(
    _ paths: [TargetPath], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [Result<[UInt8], Errno>] {
    try await base.read(paths, until: deadline)
  }
  func write(
    _ values: [(path: TargetPath, bytes: [UInt8])], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [Result<Void, Errno>] {
    guard let tree else { return try await base.write(values, until: deadline) }
    return values.map { path, bytes in
      Result { () throws(Errno) in
        guard access(tree + path.string, W_OK) == 0 else { throw Errno.current }
        try LocalFile.replace(tree + path.string, with: bytes)
      }
    }
  }
  func list(
    _ directory: TargetPath, depth: Int, until deadline: Deadline
  ) async throws(ConnectionFailure) -> [FileEntry] {
    try await base.list(directory, depth: depth, until: deadline)
  }
  func push(
    _ hostPath: String, to path: TargetPath, mode: UInt16, until deadline: Deadline
  ) async throws(ConnectionFailure) {
    pushes.add(1, ordering: .relaxed)
    try await base.push(replacement ?? hostPath, to: path, mode: mode, until: deadline)
  }
  func pull(
    _ path: TargetPath, to hostPath: String, until deadline: Deadline
  ) async throws(ConnectionFailure) {
    try await base.pull(path, to: hostPath, until: deadline)
  }
  func remove(_ path: TargetPath, until deadline: Deadline) async throws(ConnectionFailure) {
    try await base.remove(path, until: deadline)
    if losesRemovals.load(ordering: .relaxed) {
      throw ConnectionFailure(.connectionLost, "\(name): the link went before the answer came")
    }
  }
  func checksum(
    _ paths: [TargetPath], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [Result<String, Errno>] {
    try await base.checksum(paths, until: deadline)
  }
  func findExecutables(
    _ names: [String], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [TargetPath?] {
    lookUps.add(1, ordering: .relaxed)
    return try await base.findExecutables(names, until: deadline)
  }
  func sampler(_ plan: SamplePlan) async throws(ConnectionFailure) -> any SampleSource {
    try await base.sampler(plan)
  }
  func close() async { await base.close() }
}
