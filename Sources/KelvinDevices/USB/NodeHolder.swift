internal import Glibc
internal import KelvinSystem

/// A process that has a device's node open.
public struct NodeHolder: Sendable, Hashable, CustomStringConvertible {
  public let processID: Int32
  /// The program's name, as the kernel keeps it: 15 bytes.
  public let name: String

  /// The other processes that have a node open, as far as this user may see: root's only by root.
  public static func all(of node: String) -> [NodeHolder] {
    SmallFile.names(in: "/proc").compactMap { Int32($0) }.sorted()
      .filter { $0 != getpid() && holds(node, $0) }
      .map { NodeHolder(processID: $0, name: SmallFile.text("/proc/\($0)/comm") ?? "?") }
  }

  private static func holds(_ node: String, _ processID: Int32) -> Bool {
    let directory = "/proc/\(processID)/fd"
    return SmallFile.names(in: directory).contains {
      SmallFile.target(of: "\(directory)/\($0)") == node
    }
  }

  public var description: String { "'\(name)' (process \(processID))" }
}
