import Glibc
import KelvinModel

/// A directory that is removed with the last reference to it.
final class TemporaryDirectory: Sendable {
  let path: String

  init() throws {
    var template = Array("/tmp/kelvin-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw PlainFailure(.infrastructure, "mkdtemp: \(Errno.current)")
    }
    path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  deinit { _ = try? runToEnd(["rm", "-rf", path], in: "/") }
}
