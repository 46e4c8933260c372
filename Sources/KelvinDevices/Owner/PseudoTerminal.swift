internal import Glibc
internal import KelvinSystem

/// Which pseudo terminal a path led to. The kernel gives a number that became free to the next
/// program that asks, so that the same path may lead to a stranger's terminal a moment later.
struct PseudoTerminal: Hashable {
  private let device: UInt64
  /// The symbolic link that the path is, as it was made; nil when it is the device itself.
  private let link: Link?

  private struct Link: Hashable {
    let inode: UInt64
    let changed: Int64
  }

  /// Looks at what was opened; nil: it is no pseudo terminal.
  init?(descriptor: Int32, path: String) {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return nil }
    // Slaves have the major numbers 136 to 143 (Documentation/admin-guide/devices.txt of Linux).
    guard (136...143).contains((status.st_rdev >> 8) & 0xFFF) else { return nil }
    device = UInt64(status.st_rdev)
    var own = stat()
    if lstat(path, &own) == 0, own.st_mode & S_IFMT == S_IFLNK {
      link = Link(
        inode: UInt64(own.st_ino),
        changed: Int64(own.st_ctim.tv_sec) * 1_000_000_000 + Int64(own.st_ctim.tv_nsec))
    } else {
      link = nil
    }
  }

  /// A process whose terminal it is; nil: nobody sits at it.
  var user: Int32? {
    // Field 7 of /proc/PID/stat packs the number as the kernel does inside: minor's low byte, major,
    // minor's rest (proc(5)), which is how small numbers look in st_rdev.
    ProcessEntry.all().first { $0.terminal != 0 && UInt64($0.terminal) == device }?.processID
  }
}
