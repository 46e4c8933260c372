internal import Glibc

/// Which processes are meant.
public enum ProcessMatch: Sendable, Hashable {
  case all
  case id(Int32)
  /// The kernel's name for it, its first argument, or that without directories: `sshd`,
  /// `/usr/sbin/sshd`, `com.example.app`.
  case name(String)
  /// The same by a pattern with `*`, `?` and `[...]` as a shell has it; also the whole command line.
  case pattern(String)

  /// What a user wrote: nothing, a number, a pattern or a name.
  public init(_ text: String) {
    if text.isEmpty {
      self = .all
    } else if let id = Int32(text), id > 0 {
      self = .id(id)
    } else {
      self = text.contains(where: { "*?[".contains($0) }) ? .pattern(text) : .name(text)
    }
  }

  /// Whether a process is one of them.
  public func matches(_ process: TargetProcess) -> Bool {
    switch self {
    case .all: return true
    case .id(let id): return process.processID == id
    case .name(let name): return ProcessMatch.names(of: process).contains(name)
    case .pattern(let pattern):
      let whole = process.arguments.joined(separator: " ")
      return (ProcessMatch.names(of: process) + [whole]).contains { fnmatch(pattern, $0, 0) == 0 }
    }
  }

  /// For messages: `'sshd'`.
  public var text: String {
    switch self {
    case .all: "every process"
    case .id(let id): "process \(id)"
    case .name(let name), .pattern(let name): "'\(name)'"
    }
  }

  private static func names(of process: TargetProcess) -> [String] {
    guard let first = process.arguments.first else { return [process.name] }
    let base = first.split(separator: "/").last.map(String.init) ?? first
    return [process.name, first, base]
  }
}
