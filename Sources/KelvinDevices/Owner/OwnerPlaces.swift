internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// Where the owner of this user listens, and where it keeps its logs.
package struct OwnerPlaces: Sendable, Hashable {
  /// Holds the socket and the locks; this user's own, mode 0700.
  package let runtimeDirectory: String
  /// Holds the consoles' directories and the owner's own log.
  package let stateDirectory: String

  /// Creates places; for tests and for those who keep several owners.
  package init(runtimeDirectory: String, stateDirectory: String) {
    self.runtimeDirectory = runtimeDirectory
    self.stateDirectory = stateDirectory
  }

  /// What the environment says: `$XDG_RUNTIME_DIR/kelvin`, else `/tmp/kelvin-UID`;
  /// `$XDG_STATE_HOME/kelvin`, else `~/.local/state/kelvin` (XDG Base Directory Specification:
  /// relative paths are ignored).
  package static var standard: OwnerPlaces {
    let runtime = variable("XDG_RUNTIME_DIR").map { $0 + "/kelvin" } ?? "/tmp/kelvin-\(geteuid())"
    let state =
      variable("XDG_STATE_HOME") ?? (variable("HOME") ?? "/tmp/kelvin-\(geteuid())")
      + "/.local/state"
    return OwnerPlaces(runtimeDirectory: runtime, stateDirectory: state + "/kelvin")
  }

  private static func variable(_ name: String) -> String? {
    guard let value = getenv(name).map({ String(cString: $0) }), value.hasPrefix("/") else {
      return nil
    }
    return value
  }

  package static let socketName = "owner.sock"
  package var socketPath: String { runtimeDirectory + "/" + OwnerPlaces.socketName }
  /// The directory of a console's log.
  package func consoleDirectory(_ name: String) -> String { stateDirectory + "/consoles/" + name }
  var logPath: String { stateDirectory + "/owner.log" }

  /// Opens the runtime directory and makes sure that it is nobody else's: in /tmp anyone may have
  /// put something under its name.
  ///
  /// - Parameter makes: whether a missing one is made.
  /// - Returns: a descriptor; everything in the directory is reached through it.
  /// - Throws: `denied` when it is another user's, open to others or a symbolic link; `notRunning`
  ///   when there is none.
  func openRuntimeDirectory(makes: Bool) throws(OwnerFailure) -> Int32 {
    if makes {
      try OwnerPlaces.makeDirectories(OwnerPlaces.parent(of: runtimeDirectory))
      if mkdir(runtimeDirectory, 0o700) != 0, errno != EEXIST {
        throw OwnerFailure(.system, "\(runtimeDirectory): cannot be made: \(Errno.current)")
      }
    }
    let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
    let descriptor = kelvin_open(runtimeDirectory, flags, 0)
    guard descriptor >= 0 else {
      let error = Errno.current
      if error == .notFound { throw OwnerFailure(.notRunning, "no owner of ports runs") }
      throw OwnerFailure(
        .denied, "\(runtimeDirectory): is not a directory of this user's",
        evidence: "\(error)", hint: "set XDG_RUNTIME_DIR to one that is")
    }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_uid == geteuid(), status.st_mode & 0o077 == 0
    else {
      close(descriptor)
      throw OwnerFailure(
        .denied, "\(runtimeDirectory): belongs to another user, or is open to others",
        evidence: "uid \(status.st_uid), mode \(String(status.st_mode & 0o7777, radix: 8))",
        hint: "it must be yours with mode 700; or set XDG_RUNTIME_DIR to such a directory")
    }
    return descriptor
  }

  /// Makes a directory and those above it that are missing, for this user alone.
  static func makeDirectories(_ path: String) throws(OwnerFailure) {
    if mkdir(path, 0o700) == 0 || errno == EEXIST { return }
    if errno == ENOENT {
      let above = parent(of: path)
      if above != path {
        try makeDirectories(above)
        if mkdir(path, 0o700) == 0 || errno == EEXIST { return }
      }
    }
    throw OwnerFailure(.system, "\(path): cannot be made: \(Errno.current)")
  }

  private static func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
    return String(path[..<slash])
  }
}
