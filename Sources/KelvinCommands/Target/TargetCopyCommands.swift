internal import ArgumentParser
internal import Glibc
internal import KelvinConnections
internal import KelvinModel
internal import KelvinTargets

/// `kelvin target push`: files and directories to a board.
struct TargetPushCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "push",
    abstract: "Copies files and directories to a board.",
    discussion: """
      Each file goes to a temporary name beside its own, is compared by its checksum, and renamed: a \
      transfer that breaks leaves what was there. With several sources, or a destination that ends \
      with a slash or is a directory, each keeps its name below it. Modes are kept.

      EXAMPLES
        kelvin target push rock kernel.img /boot/kernel.img
        kelvin target push rock tests/ tools.tar /data/
      """)

  @Argument(help: "The board, by its name in the bench file; local is this machine.")
  var board: String

  @Argument(help: "Files and directories here, then the destination on the board.")
  var paths: [String]

  @OptionGroup var copy: CopyOptions

  func validate() throws {
    if paths.count < 2 { throw ValidationError("give what to copy, and where to") }
  }

  func run() async throws {
    let deadline = try copy.deadline()
    let sources = paths.dropLast().map { $0 }
    let destination = paths[paths.count - 1]
    // Before the board is touched.
    let plan = try HostTree.files(of: sources)
    let count = try await copy.target.withTarget(board, for: "push", until: deadline) { target in
      let connection = target.connection
      let isBelow = try await CopyPlace.isDirectory(
        destination, of: sources, on: connection, until: deadline)
      let meter = CopyMeter(total: plan.reduce(0) { $0 + $1.size }, files: plan.count)
      defer { meter.finish() }
      let copies = plan.map {
        FileCopy(
          hostPath: $0.path,
          path: TargetPath(CopyPlace.path($0.relative, in: destination, isBelow: isBelow)),
          mode: $0.mode, size: $0.size)
      }
      for group in FileCopy.groups(copies) {
        meter.begin(group[0].path.string)
        if group.count > 1 {
          try await connection.push(group, until: deadline)
        } else {
          try await connection.push(
            group[0].hostPath, to: group[0].path, mode: group[0].mode, until: deadline,
            progress: meter.tell)
        }
        for file in group { meter.end(size: file.size ?? 0) }
      }
      return meter.summary
    }
    copy.report(count)
  }
}

/// `kelvin target pull`: files and directories from a board.
struct TargetPullCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pull",
    abstract: "Copies files and directories from a board.",
    discussion: """
      Each file goes to a temporary name beside its own, and is renamed when it is whole. With several \
      sources, or a destination that is a directory or ends with a slash, each keeps its name below \
      it. Names on a board cannot lead out of the destination.

      EXAMPLES
        kelvin target pull rock /proc/config.gz .
        kelvin target pull rock /var/log /sys/fs/pstore logs/
      """)

  @Argument(help: "The board, by its name in the bench file; local is this machine.")
  var board: String

  @Argument(help: "Files and directories on the board, then the destination here.")
  var paths: [String]

  @OptionGroup var copy: CopyOptions

  func validate() throws {
    if paths.count < 2 { throw ValidationError("give what to copy, and where to") }
  }

  func run() async throws {
    let deadline = try copy.deadline()
    let sources = paths.dropLast().map { $0 }
    let destination = paths[paths.count - 1]
    let isBelow =
      HostTree.isDirectory(destination) || destination.hasSuffix("/") || sources.count > 1
    let count = try await copy.target.withTarget(board, for: "pull", until: deadline) { target in
      let connection = target.connection
      let files = try await TargetTree.files(of: sources, on: connection, until: deadline)
      let meter = CopyMeter(total: 0, files: files.count)
      defer { meter.finish() }
      let copies = files.map {
        FileCopy(
          hostPath: CopyPlace.path($0.relative, in: destination, isBelow: isBelow), path: $0.path,
          size: $0.size)
      }
      for copy in copies { try HostTree.makeParent(of: copy.hostPath) }
      var modes = files.map(\.mode)[...]
      for group in FileCopy.groups(copies) {
        meter.begin(group[0].path.string)
        if group.count > 1 {
          try await connection.pull(group, until: deadline)
        } else {
          try await connection.pull(
            group[0].path, to: group[0].hostPath, until: deadline, progress: meter.tell)
        }
        for file in group {
          if let mode = modes.removeFirst() { chmod(file.hostPath, mode_t(mode)) }
          meter.end(size: HostTree.size(of: file.hostPath))
        }
      }
      return meter.summary
    }
    copy.report(count)
  }
}

/// What both take.
struct CopyOptions: ParsableArguments {
  @Option(help: "How long it may take in all; default: without end.") var timeout: String?

  @Option(help: "Print as text or json.") var format = OutputFormat.text

  @OptionGroup var target: TargetOptions

  func deadline() throws -> Deadline {
    let seconds = try timeout.map { try DurationText.seconds($0, "--timeout") }
    return .after(seconds: seconds ?? .infinity, interrupt: SignalInterrupt.begin())
  }

  /// Prints what was copied.
  func report(_ summary: CopyMeter.Summary) {
    Terminal.standardOutput.line(format == .json ? summary.value.json : summary.text)
  }
}

/// Where a copy goes.
enum CopyPlace {
  /// Whether what is copied keeps its name below the destination on the board.
  static func isDirectory(
    _ destination: String, of sources: [String], on connection: any Connection,
    until deadline: Deadline
  ) async throws(ConnectionFailure) -> Bool {
    if destination.hasSuffix("/") || sources.count > 1 { return true }
    do {
      _ = try await connection.list(TargetPath(destination), depth: 1, until: deadline)
      return true
    } catch {
      switch error.code {
      case .notFound, .system, .permissionDenied: return false
      default: throw error
      }
    }
  }

  /// - Parameter relative: begins with the source's own name, which is dropped where the destination
  ///   is the name.
  static func path(_ relative: String, in destination: String, isBelow: Bool) -> String {
    if isBelow {
      return destination.hasSuffix("/") ? destination + relative : destination + "/" + relative
    }
    guard let slash = relative.firstIndex(of: "/") else { return destination }
    return destination + relative[slash...]
  }
}
