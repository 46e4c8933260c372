internal import CLinux
internal import Glibc
internal import KelvinModel

/// A file of this machine that is not whole yet, under a name of its own beside its place. Used by one
/// thread.
final class HostPart {
  let destination: String
  private let temporary: String
  private(set) var descriptor: Int32
  private var isOpen = true

  /// Creates an empty one.
  init(_ destination: String) throws(ConnectionFailure) {
    self.destination = destination
    temporary = destination + ".kelvin-\(getpid())"
    descriptor = HostPart.create(temporary)
    if descriptor < 0, errno == ENOENT, let slash = destination.lastIndex(of: "/") {
      HostDirectories.make(String(destination[..<slash]))
      descriptor = HostPart.create(temporary)
    }
    guard descriptor >= 0 else { throw ConnectionFailure(hostFile: temporary, .current) }
  }

  private static func create(_ path: String) -> Int32 {
    kelvin_open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
  }

  deinit { close(keeps: false) }

  /// Its bytes.
  var count: Int64 {
    var status = stat()
    return fstat(descriptor, &status) == 0 ? Int64(status.st_size) : 0
  }

  /// Puts in its place what a copy that broke off has left, if there is anything: renamed, so that no
  /// other copy takes it, too. What is written next goes to its end.
  ///
  /// - Returns: whether there was something.
  func claim() throws(ConnectionFailure) -> Bool {
    let old = destination + PartialCopy.suffix
    var status = stat()
    guard lstat(old, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size > 0,
      rename(old, temporary) == 0
    else { return false }
    // The empty one has lost its name to it.
    Glibc.close(descriptor)
    descriptor = kelvin_open(temporary, O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0)
    guard descriptor < 0 else { return lseek(descriptor, 0, SEEK_END) > 0 }
    // Another user's: it must not be given out for what comes now.
    unlink(temporary)
    descriptor = HostPart.create(temporary)
    guard descriptor >= 0 else { throw ConnectionFailure(hostFile: temporary, .current) }
    return false
  }

  /// Whether all of it is what the target says it is.
  func matches(
    _ check: PartialCopy.Check, until deadline: Deadline
  ) throws(ConnectionFailure) -> Bool {
    guard check.count == count else { return false }
    return try check.matches(descriptor, temporary, until: deadline) != nil
  }

  /// Starts over.
  func truncate() throws(ConnectionFailure) {
    guard ftruncate(descriptor, 0) == 0, lseek(descriptor, 0, SEEK_SET) == 0 else {
      throw ConnectionFailure(hostFile: temporary, .current)
    }
  }

  /// Gives it its name.
  func finish() throws(ConnectionFailure) {
    guard rename(temporary, destination) == 0 else {
      throw ConnectionFailure(hostFile: destination, .current)
    }
    isOpen = false
  }

  /// Lets go of it, if it was not finished. Idempotent.
  ///
  /// - Parameter keeps: whether a later copy is to find it, if it is large enough.
  func close(keeps: Bool) {
    if isOpen {
      isOpen = false
      if !keeps || count <= PartialCopy.threshold
        || rename(temporary, destination + PartialCopy.suffix) != 0
      {
        unlink(temporary)
      }
    }
    if descriptor >= 0 { Glibc.close(descriptor) }
    descriptor = -1
  }
}
