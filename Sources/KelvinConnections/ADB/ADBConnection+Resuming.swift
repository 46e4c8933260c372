internal import Glibc
public import KelvinModel
internal import Synchronization

/// Large files, whose copies go on where a broken link ended them. adb's sync knows no offsets, so the
/// rest goes through a shell; see ``PartialCopy``.
extension ADBConnection {
  public func push(
    _ hostPath: String, to path: TargetPath, mode: UInt16, until deadline: Deadline,
    progress: @escaping TransferProgress
  ) async throws(ConnectionFailure) {
    try push(
      hostPath, to: path, mode: mode, until: deadline, progress: ADBConnection.told(progress))
  }

  public func pull(
    _ path: TargetPath, to hostPath: String, until deadline: Deadline,
    progress: @escaping TransferProgress
  ) async throws(ConnectionFailure) {
    try pull(path, to: hostPath, until: deadline, progress: ADBConnection.told(progress))
  }

  private static func told(_ progress: @escaping TransferProgress) -> ADBSync.Progress {
    { done, total in progress(Int64(clamping: done), Int64(clamping: total)) }
  }

  /// Shells without shell_v2 carry no bytes as they are.
  private func carriesBytes(until deadline: Deadline) throws(ConnectionFailure) -> Bool {
    try sync.withLock { sync throws(ConnectionFailure) in
      try sync.has("shell_v2", until: deadline)
    }
  }

  /// Pushes a file that is large.
  ///
  /// adbd removes a file that a broken link has cut short, by its name: so the file has another one
  /// while most of it is on its way.
  ///
  /// - Returns: false when it is not, or the device's shells do not carry bytes; nothing was done then.
  func pushLarge(
    _ hostPath: String, to path: TargetPath, mode: UInt16, until deadline: Deadline,
    progress: ADBSync.Progress?
  ) throws(ConnectionFailure) -> Bool {
    let source = open(hostPath, O_RDONLY | O_CLOEXEC)
    guard source >= 0 else { throw ConnectionFailure(hostFile: hostPath, .current) }
    defer { Glibc.close(source) }
    var status = stat()
    guard fstat(source, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
      status.st_size > PartialCopy.threshold, try carriesBytes(until: deadline)
    else { return false }
    let temporary = PartialCopy.temporary(for: path, isLarge: true)
    let aside = temporary + "k"
    do throws(ConnectionFailure) {
      if let head = try shell.claim(
        path, as: temporary, for: source, hostPath, until: deadline)
      {
        let told = progress.map { progress -> TransferProgress in
          { done, total in progress(UInt64(max(0, done)), UInt64(max(0, total ?? done))) }
        }
        try shell.push(
          source, hostPath, after: head, by: temporary, to: path, mode: mode,
          meter: TransferMeter(total: Int64(status.st_size), told), isLarge: true, until: deadline)
        return true
      }
      let (here, there) = (ShellWords.quote(temporary), ShellWords.quote(aside))
      try sync.withLock { sync throws(ConnectionFailure) in
        try sync.push(
          [ADBPushItem(.file(hostPath), to: TargetPath(temporary), mode: mode)], until: deadline,
          progress: progress
        ) { goes throws(ConnectionFailure) in
          let (from, to) = goes ? (here, there) : (there, here)
          do throws(ConnectionFailure) {
            return try self.shell.run("mv -f \(from) \(to)", until: deadline).status == 0
          } catch {
            // adb's server says "offline" of a device whose link broke under the file.
            guard case .unreachable = error.code else { throw error }
            throw ConnectionFailure(
              .connectionLost, "\(path): was not copied: \(error.message)", hint: error.hint)
          }
        }
      }
      try move(TargetPath(temporary), to: path, mode: mode, until: deadline)
      return true
    } catch {
      if !PartialCopy.mayGoOn(after: error) {
        discard([TargetPath(temporary), TargetPath(aside)])
      }
      throw error
    }
  }

  /// Goes on with a pull that broke off.
  ///
  /// - Returns: false when there was none, or it was of something else; nothing is left of it then.
  func pullRest(
    _ path: TargetPath, to hostPath: String, until deadline: Deadline, progress: ADBSync.Progress?
  ) throws(ConnectionFailure) -> Bool {
    guard access(hostPath + PartialCopy.suffix, F_OK) == 0, try carriesBytes(until: deadline) else {
      return false
    }
    let part = try HostPart(hostPath)
    let start = try shell.resume(part, path, until: deadline)
    guard start > 0 else { return false }
    let told = progress.map { progress -> TransferProgress in
      { done, total in progress(UInt64(max(0, done)), UInt64(max(0, total ?? done))) }
    }
    try shell.pull(
      path, part, from: start, meter: TransferMeter(total: nil, told), until: deadline)
    return true
  }
}
