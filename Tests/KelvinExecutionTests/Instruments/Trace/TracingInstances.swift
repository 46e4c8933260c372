import Glibc
import Testing

/// Tracing instances of this machine's kernel.
enum TracingInstances {
  static let folder = "/sys/kernel/tracing/instances"

  /// Those that this process has made.
  static func ownNames() throws -> [String] {
    let directory = try #require(opendir(folder))
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      names.append(
        withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        })
    }
    return names.filter { $0.contains("-\(getpid())-") }
  }
}
