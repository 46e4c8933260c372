import Glibc
import KelvinModel

@testable import KelvinConnections

/// A directory that is removed with the last reference to it.
final class Scratch: Sendable {
  let path: String

  init() throws {
    var template = Array("/tmp/kelvin-conn-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Errno.current }
    path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  deinit { try? LocalFile.remove(path) }

  func write(_ name: String, _ bytes: [UInt8]) throws {
    let descriptor = open(path + "/" + name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw Errno.current }
    defer { close(descriptor) }
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      guard count > 0 else { throw Errno.current }
      rest = rest.dropFirst(count)
    }
  }

  func read(_ name: String) throws -> [UInt8] { try LocalFile.read(path + "/" + name) }
}
