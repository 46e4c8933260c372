internal import CLinux
internal import Glibc
public import KelvinModel
internal import KelvinSystem

/// The rules as a file in udev's directory: written whole or not at all, and compared.
public struct UDevRulesFile: Sendable {
  /// Where udevd looks: /etc/udev/rules.d, unless a test says otherwise.
  public let directory: String

  /// Names the directory.
  public init(directory: String = UDevRules.directory) { self.directory = directory }

  public var path: String { "\(directory)/\(UDevRules.fileName)" }

  public enum State: String, Sendable {
    case installed, missing, different
  }

  /// Compares the file with what this Kelvin would install.
  public var state: State {
    guard let bytes = SmallFile.read(path, limit: 1 << 20) else { return .missing }
    return bytes.elementsEqual(UDevRules.text().utf8) ? .installed : .different
  }

  /// Writes the file, for all to read and root to change.
  ///
  /// - Throws: when it cannot be written; what was there stays.
  public func install() throws(PlainFailure) {
    let temporary = "\(directory)/.\(UDevRules.fileName).\(getpid())"
    let descriptor = kelvin_open(
      temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o644)
    guard descriptor >= 0 else { throw failure(.current) }
    var rest = Array(UDevRules.text().utf8)[...]
    var error: Errno?
    while !rest.isEmpty, error == nil {
      let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 {
        if errno != EINTR { error = .current }
      } else {
        rest = rest.dropFirst(count)
      }
    }
    // Whatever the umask: udevd reads it as root, and users may look.
    if error == nil, fchmod(descriptor, 0o644) != 0 || fsync(descriptor) != 0 { error = .current }
    close(descriptor)
    if error == nil, rename(temporary, path) != 0 { error = .current }
    if let error {
      unlink(temporary)
      throw failure(error)
    }
  }

  private func failure(_ error: Errno) -> PlainFailure {
    let isPermission = error == .permissionDenied || error == .notPermitted
    return PlainFailure(
      .configuration, "\(path): cannot be written", evidence: "\(error)",
      hint: isPermission
        ? "run 'kelvin bench udev --install' as root, or install what 'kelvin bench udev --print' "
          + "prints"
        : error == .notFound ? "is udev installed? \(directory) is not there" : "")
  }
}

/// Whether this user is in the groups that the rules name.
public enum UDevGroups {
  public enum State: String, Sendable {
    /// The user is root or a member; or the seat's user gets what he needs by `uaccess`.
    case member
    case notMember
    case noSuchGroup
  }

  /// Looks one group up.
  public static func state(of group: String) -> State {
    guard let entry = getgrnam(group) else { return .noSuchGroup }
    let id = entry.pointee.gr_gid
    if geteuid() == 0 || getegid() == id { return .member }
    var groups = [gid_t](repeating: 0, count: 65_536)
    let count = getgroups(Int32(groups.count), &groups)
    return groups.prefix(Int(max(0, count))).contains(id) ? .member : .notMember
  }
}
