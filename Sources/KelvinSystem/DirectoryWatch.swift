internal import Glibc
package import KelvinModel

/// Tells that files of a directory grew, came or went: inotify(7), so that nobody has to look.
///
/// Used by one thread.
package final class DirectoryWatch {
  /// To be polled for POLLIN.
  package let descriptor: Int32

  /// Watches a directory.
  ///
  /// - Throws: when it is not there, or the system has no watch left (fs.inotify.max_user_instances).
  package init(_ directory: String) throws(Errno) {
    let descriptor = inotify_init1(Int32(O_NONBLOCK) | Int32(O_CLOEXEC))
    guard descriptor >= 0 else { throw .current }
    // Values of linux/inotify.h: MODIFY, MOVED_TO, CREATE, DELETE, DELETE_SELF.
    guard inotify_add_watch(descriptor, directory, 0x2 | 0x80 | 0x100 | 0x200 | 0x400) >= 0 else {
      let error = Errno.current
      close(descriptor)
      throw error
    }
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  /// Forgets what was told; whoever does so looks afterwards for what has changed.
  package func silence() {
    var buffer = [UInt8](repeating: 0, count: 4096)
    while read(descriptor, &buffer, buffer.count) > 0 {}
  }
}
