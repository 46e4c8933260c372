internal import Glibc
internal import KelvinModel

/// An empty directory for a moment; the files in it go with it.
final class ScratchDirectory {
  let path: String

  /// Makes the directory below $TMPDIR.
  init() throws(PlainFailure) {
    let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var template = Array("\(parent)/kelvin-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw PlainFailure(.infrastructure, "\(parent): no temporary directory: \(Errno.current)")
    }
    path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  deinit {
    if let stream = opendir(path) {
      while let entry = readdir(stream) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        unlink(path + "/" + name)
      }
      closedir(stream)
    }
    rmdir(path)
  }
}
