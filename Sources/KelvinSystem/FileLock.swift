internal import Glibc

/// Locks of flock(2), as /proc/locks tells them (proc(5)).
package enum FileLock {
  /// A process that holds one on the file, or device, at a path; nil: none, or none that can be seen
  /// from here.
  package static func holder(of path: String) -> Int32? {
    var status = stat()
    guard stat(path, &status) == 0, let text = SmallFile.text("/proc/locks") else { return nil }
    return holder(
      major: UInt32(truncatingIfNeeded: status.st_dev >> 8) & 0xFFF,
      minor: UInt32(truncatingIfNeeded: (status.st_dev & 0xFF) | (status.st_dev >> 12) & 0xFFF00),
      inode: UInt64(status.st_ino), in: text)
  }

  /// Lines are `1: FLOCK  ADVISORY  WRITE 1234 00:06:1090 0 EOF`, with the file system's device in
  /// hexadecimal and the inode in decimal digits; `->` marks one that waits.
  package static func holder(
    major: UInt32, minor: UInt32, inode: UInt64, in text: String
  ) -> Int32? {
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ")
      guard words.count >= 6, words[1] == "FLOCK", let processID = Int32(words[4]), processID > 0
      else { continue }
      let parts = words[5].split(separator: ":")
      guard parts.count == 3, UInt32(parts[0], radix: 16) == major,
        UInt32(parts[1], radix: 16) == minor, UInt64(parts[2]) == inode
      else { continue }
      return processID
    }
    return nil
  }
}
