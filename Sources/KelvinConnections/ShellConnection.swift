internal import Glibc
public import KelvinModel
internal import Synchronization

/// A target through a POSIX shell on pipes: one persistent shell for short commands, files and
/// values, and a further shell for each command that is started.
///
/// Needs on the target: sh, cat, head, dd, mv, rm, mkdir, find, stat, chmod, readlink; sha256sum
/// for ``checksum(_:until:)``, and taskset, nice or chrt where a command asks for them. Works with
/// dash, bash and busybox ash.
public final class ShellConnection: Connection {
  public let name: String
  public let capabilities = Capabilities(
    separateStreams: true, fastSampling: false, scheduling: false, isThisMachine: true)
  let launcher: ProcessLauncher
  let argv: [String]
  /// The persistent shell; opened at first use, and again after it broke. The connection is used by
  /// one thread at a time, so the lock is never waited for.
  private let channel = Mutex<ChannelBox?>(nil)

  /// A channel is used by the board's thread alone.
  private struct ChannelBox: @unchecked Sendable { let channel: ShellChannel }

  /// Creates the connection.
  ///
  /// - Parameters:
  ///   - argv: starts the shell on this machine; what follows it is `-c` and a script.
  ///   - environment: added to that of every command.
  public init(argv: [String] = ["sh"], environment: [String: String] = [:]) {
    self.argv = argv
    name = "shell '\(argv.joined(separator: " "))'"
    launcher = ProcessLauncher(environment: environment.merging(["LC_ALL": "C"]) { own, _ in own })
  }

  /// Runs a script in the persistent shell.
  func run(
    _ script: String, until deadline: Deadline
  ) throws(ConnectionFailure) -> ShellChannel.Reply {
    let box = try openChannel()
    return try box.channel.run(script, until: deadline)
  }

  private func openChannel() throws(ConnectionFailure) -> ChannelBox {
    if let box = channel.withLock({ $0 }), !box.channel.isBroken { return box }
    let box = ChannelBox(channel: try ShellChannel(launcher, argv: argv))
    channel.withLock { $0 = box }
    return box
  }

  // MARK: Commands

  public func start(
    _ command: Command, until deadline: Deadline
  ) async throws(ConnectionFailure) -> any RemoteProcess {
    guard let program = command.argv.first else {
      throw ConnectionFailure(.unsupported, "a command without a program")
    }
    if deadline.isInterrupted { throw ConnectionFailure(.interrupted, "\(program): stopped") }
    if deadline.hasPassed {
      throw ConnectionFailure(.timedOut, "\(program): no time was left to start it")
    }
    guard try await findExecutables([program], until: deadline)[0] != nil else {
      throw ConnectionFailure(.notFound, "\(program): not found (\(name))")
    }
    let prefix = try await scheduling(of: command, until: deadline)
    var remote = command
    // The shell replaces itself by the program, so its process id and its end are the program's.
    remote.argv =
      argv + ["-c", ShellConnection.preamble(of: command) + "exec \"$@\"", "sh"] + prefix
      + command.argv
    remote.environment = [:]
    remote.workingDirectory = nil
    remote.affinity = nil
    remote.niceness = nil
    remote.realtimePriority = nil
    return try launcher.start(remote)
  }

  public func execute(
    _ command: Command, until deadline: Deadline
  ) async throws(ConnectionFailure) -> CommandResult {
    guard let script = try await script(for: command, until: deadline) else {
      return try await start(command, until: deadline).wait(until: deadline)
    }
    let begin = MonotonicTime.now
    let reply = try run(script, until: deadline)
    func captured(_ bytes: [UInt8], _ output: Command.Output) -> CapturedOutput {
      guard case .capture(let limit) = output else {
        return CapturedOutput(totalBytes: Int64(bytes.count))
      }
      let kept = Array(bytes.prefix(limit))
      return CapturedOutput(
        bytes: kept, totalBytes: Int64(bytes.count), keptBytes: Int64(kept.count))
    }
    return CommandResult(
      // A shell reports a signal as 128 + its number.
      termination: reply.status > 128 ? .signaled(reply.status - 128) : .exited(reply.status),
      standardOutput: captured(reply.output, command.standardOutput),
      standardError: captured(reply.error, command.standardError), startTime: begin,
      endTime: .now)
  }

  /// The script for the persistent shell; nil for what needs a shell of its own: input, files,
  /// descendants to be ended.
  private func script(
    for command: Command, until deadline: Deadline
  ) async throws(ConnectionFailure) -> String? {
    guard let program = command.argv.first, command.standardInput == .null,
      !command.endsDescendants, command.affinity == nil, command.niceness == nil,
      command.realtimePriority == nil
    else { return nil }
    for output in [command.standardOutput, command.standardError] {
      if case .file = output { return nil }
    }
    guard try await findExecutables([program], until: deadline)[0] != nil else {
      throw ConnectionFailure(.notFound, "\(program): not found (\(name))")
    }
    return "(" + ShellConnection.preamble(of: command) + "exec " + ShellWords.join(command.argv)
      + ")"
  }

  /// Directory and environment of a command, as script.
  private static func preamble(of command: Command) -> String {
    var script = ""
    if let directory = command.workingDirectory {
      script += "cd -- \(ShellWords.quote(directory.string)) || exit 126; "
    }
    for (name, value) in command.environment.sorted(by: { $0.key < $1.key }) {
      script += "export \(name)=\(ShellWords.quote(value)); "
    }
    return script
  }

  /// Words before the command that set its scheduling, by tools of the target.
  private func scheduling(
    of command: Command, until deadline: Deadline
  ) async throws(ConnectionFailure) -> [String] {
    var prefixes: [[String]] = []
    if let cpus = command.affinity {
      var mask = [UInt64](repeating: 0, count: 128)
      for cpu in cpus where cpu >= 0 && cpu < 8192 { mask[cpu / 64] |= 1 << UInt64(cpu % 64) }
      let words = Array(mask.reversed().drop { $0 == 0 })
      let hex = words.enumerated().map { index, word in
        let digits = String(word, radix: 16)
        return index == 0 ? digits : String(repeating: "0", count: 16 - digits.count) + digits
      }.joined()
      prefixes.append(["taskset", hex.isEmpty ? "0" : hex])
    }
    if let niceness = command.niceness { prefixes.append(["nice", "-n", "\(niceness)"]) }
    if let priority = command.realtimePriority {
      prefixes.append(["chrt", "-f", "\(priority)"])
    }
    guard !prefixes.isEmpty else { return [] }
    let found = try await findExecutables(prefixes.map { $0[0] }, until: deadline)
    for (prefix, path) in zip(prefixes, found) where path == nil {
      throw ConnectionFailure(
        .unsupported, "\(command.argv[0]): the target has no '\(prefix[0])' (\(name))",
        hint: "install util-linux on the target, or leave affinity and priority as they are")
    }
    return prefixes.flatMap(\.self)
  }

  public func findExecutables(
    _ names: [String], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [TargetPath?] {
    let words = names.map(ShellWords.quote).joined(separator: " ")
    let reply = try run(
      """
      kelvin_find() { case $1 in */*) [ -x "$1" ] && [ ! -d "$1" ] && printf '%s' "$1"; return;; esac
      kelvin_ifs=$IFS; IFS=:; for d in $PATH; do IFS=$kelvin_ifs
      [ -x "${d:-.}/$1" ] && [ ! -d "${d:-.}/$1" ] && { printf '%s' "${d:-.}/$1"; return; }
      done; IFS=$kelvin_ifs; }
      for n in \(words); do kelvin_find "$n"; printf '\\000'; done
      """, until: deadline)
    let paths = reply.output.split(separator: 0, omittingEmptySubsequences: false)
    return names.indices.map { index in
      guard index < paths.count, !paths[index].isEmpty else { return nil }
      return TargetPath(String(decoding: paths[index], as: UTF8.self))
    }
  }

  public func sampler(_ plan: SamplePlan) async throws(ConnectionFailure) -> any SampleSource {
    ShellSampler(plan, connection: ShellConnection(argv: argv))
  }

  public func close() async {
    let box = channel.withLock { box in
      defer { box = nil }
      return box
    }
    box?.channel.end()
  }
}
