internal import Glibc
public import KelvinModel
internal import Synchronization

/// A target through adb: commands and values by shells, files by adb's own sync.
public final class ADBConnection: Connection {
  /// What it leads to, for reboot and root.
  package let device: any ADBDevice
  let shell: ShellConnection
  private let restartsAsRoot: Bool
  /// One push or pull at a time.
  let sync: Mutex<ADBSync>

  public var name: String { shell.name }
  public var capabilities: Capabilities { shell.capabilities }

  /// Creates the connection; nothing is reached yet.
  ///
  /// - Parameters:
  ///   - environment: added to that of every command.
  ///   - root: how its shell's user becomes root, for commands that ask for it.
  ///   - restartsAsRoot: whether adbd itself is restarted as root for the first such command.
  package init(
    _ device: any ADBDevice, environment: [String: String] = [:], root: RootAccess? = nil,
    restartsAsRoot: Bool = false
  ) {
    self.device = device
    self.restartsAsRoot = restartsAsRoot
    shell = ShellConnection(ADBTransport(device), environment: environment, root: root)
    sync = Mutex(ADBSync(device))
  }

  // MARK: Files

  public func push(
    _ hostPath: String, to path: TargetPath, mode: UInt16, until deadline: Deadline
  ) async throws(ConnectionFailure) {
    try push(hostPath, to: path, mode: mode, until: deadline, progress: nil)
  }

  /// Copies a host file to the target, and tells how far it is.
  ///
  /// adb's sync writes where it is told to, and leaves what a broken link cut short: so the file goes
  /// to a temporary name, its size is verified, and only then it takes its name.
  package func push(
    _ hostPath: String, to path: TargetPath, mode: UInt16, until deadline: Deadline,
    progress: ADBSync.Progress?
  ) throws(ConnectionFailure) {
    if try pushLarge(hostPath, to: path, mode: mode, until: deadline, progress: progress) { return }
    let temporary = TargetPath(path.string + ".kelvin-part")
    do throws(ConnectionFailure) {
      try sync.withLock { sync throws(ConnectionFailure) in
        try sync.push(
          [ADBPushItem(.file(hostPath), to: temporary, mode: mode)], until: deadline,
          progress: progress)
      }
      try move(temporary, to: path, mode: mode, until: deadline)
    } catch {
      if case .hostFile = error.code { throw error }
      discard([temporary])
      throw error
    }
  }

  /// Copies a tree of this host to the target: to a temporary directory beside it, whose files then
  /// take their names. What is there already and has no counterpart stays.
  package func pushTree(
    _ hostPath: String, to path: TargetPath, until deadline: Deadline,
    progress: ADBSync.Progress? = nil
  ) throws(ConnectionFailure) {
    let temporary = TargetPath(path.string + ".kelvin-part")
    let tree = try ADBHostTree(hostPath, to: temporary)
    do throws(ConnectionFailure) {
      try sync.withLock { sync throws(ConnectionFailure) in
        try sync.push(tree.items, until: deadline, progress: progress)
      }
      try merge(tree, from: temporary, into: path, until: deadline)
    } catch {
      discard([temporary])
      throw error
    }
  }

  public func pull(
    _ path: TargetPath, to hostPath: String, until deadline: Deadline
  ) async throws(ConnectionFailure) {
    try pull(path, to: hostPath, until: deadline, progress: nil)
  }

  /// Copies a target file to the host, and tells how far it is.
  package func pull(
    _ path: TargetPath, to hostPath: String, until deadline: Deadline, progress: ADBSync.Progress?
  ) throws(ConnectionFailure) {
    if try pullRest(path, to: hostPath, until: deadline, progress: progress) { return }
    try sync.withLock { sync throws(ConnectionFailure) in
      let size = progress == nil ? 0 : try? sync.status([path], until: deadline)[0].get().size
      try sync.pull(
        [ADBPullItem(path, to: hostPath, size: size ?? 0)], keepsParts: true, until: deadline,
        progress: progress)
    }
  }

  /// Copies a tree of the target to a host directory.
  ///
  /// - Returns: what was left out: sockets, devices, links to directories.
  @discardableResult
  package func pullTree(
    _ path: TargetPath, to hostPath: String, until deadline: Deadline,
    progress: ADBSync.Progress? = nil
  ) throws(ConnectionFailure) -> [String] {
    try sync.withLock { sync throws(ConnectionFailure) in
      try sync.pullTree(path, to: hostPath, until: deadline, progress: progress)
    }
  }

  /// By `tar` where the device's shells carry any byte, or sent in one go by adb's sync, and renamed by
  /// one script.
  public func push(
    _ files: [FileCopy], until deadline: Deadline
  ) async throws(ConnectionFailure) {
    let nonce = String(ShellChannel.nonce().suffix(12))
    guard files.count > 1, let staged = StagedFiles(files, nonce: nonce) else {
      for file in files {
        try await push(file.hostPath, to: file.path, mode: file.mode, until: deadline)
      }
      return
    }
    let hasShells = try sync.withLock { sync throws(ConnectionFailure) in
      try sync.has("shell_v2", until: deadline)
    }
    if hasShells, try shell.pushTogether(files, until: deadline) { return }
    do throws(ConnectionFailure) {
      try sync.withLock { sync throws(ConnectionFailure) in
        try sync.push(
          zip(files, staged.paths).map {
            ADBPushItem(.file($0.hostPath), to: TargetPath($1), mode: $0.mode)
          }, until: deadline)
      }
      let reply = try shell.run(staged.moving(setsModes: true), until: deadline)
      guard reply.status == 0 else {
        throw ConnectionFailure(
          ShellReply.errno(inMessage: reply.error) ?? .io,
          path: TargetPath(staged.places[0].directory), connection: name)
      }
    } catch {
      _ = try? shell.run(staged.removing, until: .after(seconds: 5))
      throw error
    }
  }

  public func pull(
    _ files: [FileCopy], until deadline: Deadline
  ) async throws(ConnectionFailure) {
    try sync.withLock { sync throws(ConnectionFailure) in
      try sync.pull(files.map { ADBPullItem($0.path, to: $0.hostPath) }, until: deadline)
    }
  }

  /// adbd gives group and others what it gives the owner, so the mode is set here.
  func move(
    _ from: TargetPath, to path: TargetPath, mode: UInt16, until deadline: Deadline
  ) throws(ConnectionFailure) {
    let (source, target) = (ShellWords.quote(from.string), ShellWords.quote(path.string))
    // A directory of that name would take the file in.
    let reply = try shell.run(
      "if [ -d \(target) ]; then echo ': Is a directory' >&2; (exit 1); "
        + "else chmod \(String(mode, radix: 8)) \(source) && mv -f \(source) \(target); fi",
      until: deadline)
    guard reply.status == 0 else {
      throw ConnectionFailure(
        ShellReply.errno(inMessage: reply.error) ?? .io, path: path, connection: name)
    }
  }

  /// One `mv` for each directory, not for each file, and one `chmod` for some hundred.
  private func merge(
    _ tree: ADBHostTree, from: TargetPath, into: TargetPath, until deadline: Deadline
  ) throws(ConnectionFailure) {
    let words = tree.directories.map { ShellWords.quote($0) }.joined(separator: " ")
    let files = tree.items.filter { if case .link = $0.source { false } else { true } }
    var modes = ""
    for (mode, items) in Dictionary(grouping: files, by: \.mode) {
      for start in stride(from: 0, to: items.count, by: 200) {
        let some = items[start..<min(start + 200, items.count)]
        modes += "chmod \(String(mode, radix: 8)) "
        modes +=
          some.map { ShellWords.quote($0.path.string) }.joined(separator: " ") + " || bad=x\n"
      }
    }
    let reply = try shell.run(
      """
      ( from=\(ShellWords.quote(from.string)); to=\(ShellWords.quote(into.string)); bad=
      mkdir -p "$from" "$to" || bad=x
      for d in \(words); do mkdir -p "$from/$d" "$to/$d" || bad=x; done
      \(modes)
      for d in . \(words); do
      set --; for f in "$from/$d"/* "$from/$d"/.[!.]* "$from/$d"/..?*; do
      if [ -L "$f" ] || { [ -e "$f" ] && [ ! -d "$f" ]; }; then set -- "$@" "$f"; fi; done
      if [ $# -gt 0 ]; then mv -f "$@" "$to/$d/" || bad=x; fi; done
      rm -rf "$from"; [ -z "$bad" ] )
      """, until: deadline)
    guard reply.status == 0 else {
      throw ConnectionFailure(
        ShellReply.errno(inMessage: reply.error) ?? .io, path: into, connection: name)
    }
  }

  /// Removes what a failed push left; a lost link leaves it, under a name that says whose it is.
  func discard(_ paths: [TargetPath]) {
    let words = paths.map { ShellWords.quote($0.string) }.joined(separator: " ")
    _ = try? shell.run("rm -rf \(words)", until: .after(seconds: 5))
  }

  /// Restarts adbd as root where that is the way; the link, and what runs over it, ends with the one
  /// before. Does nothing where its shell is root.
  private func prepareRoot(until deadline: Deadline) throws(ConnectionFailure) {
    // adbd's user changes with a reboot, and by whoever else speaks to it.
    shell.forgetUser()
    guard restartsAsRoot, try device.userID(until: deadline) != 0 else { return }
    sync.withLock { $0.close() }
    _ = try device.root(until: deadline)
  }

  // MARK: By shells

  public func start(
    _ command: Command, until deadline: Deadline
  ) async throws(ConnectionFailure) -> any RemoteProcess {
    if command.asRoot { try prepareRoot(until: deadline) }
    return try await shell.start(command, until: deadline)
  }

  public func execute(
    _ command: Command, until deadline: Deadline
  ) async throws(ConnectionFailure) -> CommandResult {
    if command.asRoot { try prepareRoot(until: deadline) }
    return try await shell.execute(command, until: deadline)
  }

  public func read(
    _ paths: [TargetPath], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [Result<[UInt8], Errno>] {
    try await shell.read(paths, until: deadline)
  }

  public func write(
    _ values: [(path: TargetPath, bytes: [UInt8])], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [Result<Void, Errno>] {
    try await shell.write(values, until: deadline)
  }

  public func settle(
    _ steps: [ValueStep], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [ValueOutcome] {
    if restartsAsRoot { try prepareRoot(until: deadline) }
    return try await shell.settle(steps, until: deadline)
  }

  public func list(
    _ directory: TargetPath, depth: Int, until deadline: Deadline
  ) async throws(ConnectionFailure) -> [FileEntry] {
    try await shell.list(directory, depth: depth, until: deadline)
  }

  public func remove(_ path: TargetPath, until deadline: Deadline) async throws(ConnectionFailure) {
    try await shell.remove(path, until: deadline)
  }

  public func checksum(
    _ paths: [TargetPath], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [Result<String, Errno>] {
    try await shell.checksum(paths, until: deadline)
  }

  public func findExecutables(
    _ names: [String], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [TargetPath?] {
    try await shell.findExecutables(names, until: deadline)
  }

  public func sampler(_ plan: SamplePlan) async throws(ConnectionFailure) -> any SampleSource {
    try await shell.sampler(plan)
  }

  public func endProcesses(
    withEnvironment assignment: String, grace: Double, until deadline: Deadline
  ) async throws(ConnectionFailure) -> Int {
    try await shell.endProcesses(withEnvironment: assignment, grace: grace, until: deadline)
  }

  public func terminal(
    for command: [String], until deadline: Deadline
  ) async throws(ConnectionFailure) -> TargetTerminal {
    _ = try device.features(until: deadline)
    return .relayed(ADBTerminal(device, command: command))
  }

  public func close() async {
    sync.withLock { $0.close() }
    await shell.close()
  }
}
