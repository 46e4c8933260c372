import Foundation

extension Scratch {
  /// Writes a file of a recorded tree, with a line end behind it.
  func writeTree(_ content: String, to file: String) throws {
    let path = "\(path)/tree/\(file)"
    try FileManager.default.createDirectory(
      atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    try Data((content + "\n").utf8).write(to: URL(fileURLWithPath: path))
  }
}
