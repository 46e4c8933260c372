import Foundation
import KelvinConnections
import KelvinMeters
import KelvinModel
import KelvinSystem
import Synchronization
import Testing

/// A part of /sys in a directory of its own, removed at the end.
final class RecordedTree: Sendable {
  let root: String

  /// - Parameters:
  ///   - files: contents by path; directories are made.
  ///   - links: by path, to a path of the same tree.
  init(_ files: [String: String], links: [String: String] = [:]) throws {
    root = FileManager.default.temporaryDirectory.path + "/kelvin-tree-\(UUID().uuidString)"
    for (path, content) in files { try write(content, to: path) }
    for (path, target) in links {
      try makeDirectory(of: path)
      // Relative, as the kernel's own: from its directory up to the root, and down again.
      let depth = path.split(separator: "/").count - 1
      try FileManager.default.createSymbolicLink(
        atPath: root + path,
        withDestinationPath: String(repeating: "../", count: depth) + target.dropFirst())
    }
  }

  deinit { try? FileManager.default.removeItem(atPath: root) }

  /// Writes in place, as a kernel's value changes: open descriptors see it.
  func write(_ content: String, to path: String) throws {
    try makeDirectory(of: path)
    if let handle = FileHandle(forWritingAtPath: root + path) {
      try handle.truncate(atOffset: 0)
      try handle.write(contentsOf: Data(content.utf8))
      try handle.close()
    } else {
      try content.write(toFile: root + path, atomically: false, encoding: .utf8)
    }
  }

  var connection: LocalConnection { LocalConnection(root: root) }

  private func makeDirectory(of path: String) throws {
    let folder = (root + path as NSString).deletingLastPathComponent
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  }
}

/// Keeps all that a meter gives.
final class KeepingSink: BlockSink {
  private let kept = Mutex((blocks: [SampleBlock](), events: [CaptureEvent]()))

  func take(_ blocks: [SampleBlock]) { kept.withLock { $0.blocks += blocks } }
  func take(_ event: CaptureEvent) { kept.withLock { $0.events.append(event) } }

  var events: [CaptureEvent] { kept.withLock { $0.events } }

  /// Times and codes of a channel.
  func samples(_ channel: Int) -> (times: [Int64], codes: [Int64]) {
    let blocks = kept.withLock { $0.blocks.filter { $0.channel == channel } }
    return (blocks.flatMap { Array($0.times) }, blocks.flatMap(\.codes))
  }

  /// Waits until a channel has so many samples.
  func wait(for count: Int, of channel: Int = 0, seconds: Double = 20) throws {
    let deadline = Deadline.after(seconds: seconds)
    while samples(channel).codes.count < count {
      try #require(!deadline.hasPassed, "\(count) samples did not come")
      _ = Deadline.after(seconds: 0.01).wait()
    }
  }
}
