internal import CLinux
internal import Glibc
internal import KelvinModel

/// Copies of files on this host.
enum HostCopy {
  /// Copies a file over another, or onto a device: everything is on the medium when this returns.
  ///
  /// - Parameter replaces: whether a file is put in the place of another at once; a device is written as
  ///   it is.
  static func copy(
    _ source: String, to destination: String, replaces: Bool = true
  ) throws(KelvinModel.Errno) {
    let input = kelvin_open(source, O_RDONLY | O_CLOEXEC, 0)
    guard input >= 0 else { throw .current }
    defer { close(input) }
    let place = replaces ? destination + ".partial" : destination
    let flags = replaces ? O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC : O_WRONLY | O_CLOEXEC
    let output = kelvin_open(place, flags, 0o644)
    guard output >= 0 else { throw .current }
    var failure: KelvinModel.Errno?
    do throws(KelvinModel.Errno) {
      try pour(input, output)
      // TFTP servers serve what everybody may read.
      if replaces { fchmod(output, 0o644) }
      // A character device, such as a test's, has nothing to be flushed.
      if fsync(output) != 0, errno != EINVAL { throw .current }
    } catch {
      failure = error
    }
    close(output)
    if failure == nil, replaces, rename(place, destination) != 0 { failure = .current }
    guard let failure else { return }
    if replaces { unlink(place) }
    throw failure
  }

  static func remove(_ path: String) { unlink(path) }

  private static func pour(_ input: Int32, _ output: Int32) throws(KelvinModel.Errno) {
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    while true {
      let count = read(input, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw .current }
      if count == 0 { return }
      var done = 0
      while done < count {
        let written = buffer.withUnsafeBytes {
          write(output, $0.baseAddress?.advanced(by: done), count - done)
        }
        if written < 0, errno == EINTR { continue }
        guard written > 0 else { throw .current }
        done += written
      }
    }
  }
}
