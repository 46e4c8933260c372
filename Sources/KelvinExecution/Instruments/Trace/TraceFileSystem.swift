internal import Glibc
internal import KelvinConnections
internal import KelvinModel
internal import KelvinStore
internal import KelvinTargets

/// A target's tracefs, and the tracing instances in it that are Kelvin's.
struct TraceFileSystem: Sendable {
  let root: TargetPath
  /// Whether buffers beside the kernel's own can be made (since Linux 3.10).
  let hasInstances: Bool

  private static let places: [TargetPath] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"]

  /// Looks where it is mounted, and mounts it when it is nowhere.
  ///
  /// - Parameter say: told what was mounted.
  static func find(
    _ connection: any Connection, until deadline: Deadline, say: (String) -> Void
  ) async throws -> TraceFileSystem {
    if let found = try await look(connection, until: deadline) { return found }
    for (kind, place) in [("tracefs", places[0].string), ("debugfs", "/sys/kernel/debug")] {
      let result = try await connection.execute(
        Command(["mount", "-t", kind, kind, place], endsDescendants: false, asRoot: true),
        until: deadline)
      guard result.isSuccess else { continue }
      say("\(place): mounted \(kind) there; it stays mounted")
      if let found = try await look(connection, until: deadline) { return found }
    }
    throw InstrumentUnavailable(
      "tracefs: is not mounted on this target, and cannot be",
      hint: "the kernel must be built with CONFIG_FTRACE and CONFIG_ENABLE_DEFAULT_TRACERS, or "
        + "with a tracer; mounting takes root")
  }

  private static func look(
    _ connection: any Connection, until deadline: Deadline
  ) async throws -> TraceFileSystem? {
    let files = try await connection.read(
      places.map { $0.appending("events/header_page") }, until: deadline)
    for (place, file) in zip(places, files) where (try? file.get()) != nil {
      let names = try await connection.entries(of: place, until: deadline)
      return TraceFileSystem(root: place, hasInstances: names.contains("instances"))
    }
    let isForbidden = files.contains { file in
      if case .failure(let error) = file {
        return error == .permissionDenied || error == .notPermitted
      }
      return false
    }
    guard isForbidden else { return nil }
    throw InstrumentUnavailable(
      "\(places[0]): may not be read by who is logged in",
      hint: "tracing takes root: let Kelvin log in as root, or remount tracefs with a gid of that "
        + "user's and mode 770")
  }

  /// Where instances are.
  var instances: TargetPath { root.appending("instances") }

  // MARK: Kelvin's instances

  /// A name for an instance of this process; it says whose it is, so that the next run can tell a
  /// dead one's from one that is in use.
  static func newInstanceName() -> String {
    "kelvin-\(hostTag)-\(getpid())-\(String(UInt32.random(in: 0 ... .max), radix: 16))"
  }

  /// This boot of this machine.
  private static let hostTag: String = {
    let id = (try? HostFile.read("/proc/sys/kernel/random/boot_id", limit: 64)) ?? []
    return String(KernelText(id).trimmed.prefix(8))
  }()

  /// Whether an instance's name says that a process which is alive has made it: one of this machine.
  /// What other machines' Kelvins do is not known; a board is one's at a time.
  static func isInUse(_ name: String) -> Bool {
    let parts = name.split(separator: "-")
    guard parts.count == 4, parts[1] == hostTag, let process = Int32(parts[2]), process > 0 else {
      return false
    }
    return kill(process, 0) == 0 || errno == EPERM
  }

  /// Makes one.
  ///
  /// - Throws: what the kernel refused.
  func makeInstance(
    _ base: TargetPath, _ connection: any Connection, until deadline: Deadline
  ) async throws {
    let result = try await connection.execute(
      Command(["mkdir", base.string], environment: ["LC_ALL": "C"], endsDescendants: false),
      until: deadline)
    guard result.isSuccess else {
      throw PlainFailure(
        .target, "\(base): the kernel made no tracing instance",
        evidence: result.standardError.text.oneLine,
        hint: "an instance takes memory for each CPU: is there enough?")
    }
  }

  /// Finds it for a run, without what dead runs have left in it.
  ///
  /// - Parameter source: by which the run's log is told of either.
  static func prepared(
    for run: RunContext, source: String, until deadline: Deadline
  ) async throws -> TraceFileSystem {
    let connection = run.target.connection
    let place = try await find(connection, until: deadline) {
      run.log.log(.info, source: source, $0)
    }
    let leftovers = try await place.removeLeftovers(connection, until: deadline)
    if !leftovers.isEmpty {
      run.log.log(
        .warning, source: source, "removed what a dead run left tracing: \(leftovers.shortList)")
    }
    return place
  }

  /// Removes the instances that dead runs have left.
  ///
  /// - Returns: their names.
  func removeLeftovers(
    _ connection: any Connection, until deadline: Deadline
  ) async throws -> [String] {
    guard hasInstances else { return [] }
    let names = try await connection.entries(of: instances, until: deadline)
      .filter { $0.hasPrefix("kelvin-") && !TraceFileSystem.isInUse($0) }
    for name in names {
      try await removeInstance(instances.appending(name), connection, until: deadline)
    }
    return names
  }

  /// Removes one instance with its buffers; one that is not there counts as removed.
  func removeInstance(
    _ path: TargetPath, _ connection: any Connection, until deadline: Deadline
  ) async throws {
    let result = try await connection.execute(
      Command(["rmdir", path.string], environment: ["LC_ALL": "C"], endsDescendants: false),
      until: deadline)
    guard !result.isSuccess else { return }
    let left = try await connection.entries(of: instances, until: deadline)
    guard left.contains(where: { path == instances.appending($0) }) else { return }
    throw PlainFailure(
      .target, "\(path): cannot be removed", evidence: result.standardError.text.oneLine,
      hint: "does a program on the target read from it?")
  }
}

extension String {
  /// The text without line ends, for messages.
  var oneLine: String {
    split(whereSeparator: \.isNewline).map(String.init).joined(separator: " ")
  }
}
