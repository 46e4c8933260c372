public import KelvinModel

/// A file that is copied with others.
public struct FileCopy: Sendable, Hashable {
  public var hostPath: String
  public var path: TargetPath
  /// Permission bits on the target; means nothing to a pull.
  public var mode: UInt16
  /// Bytes as far as they are known; only how files are grouped depends on it.
  public var size: Int64?

  /// Describes a copy.
  public init(hostPath: String, path: TargetPath, mode: UInt16 = 0o644, size: Int64? = nil) {
    self.hostPath = hostPath
    self.path = path
    self.mode = mode
    self.size = size
  }

  /// Files of at most so many bytes are worth being copied together.
  static let smallSize: Int64 = 1 << 20

  /// Parts a list, in order, into groups for ``Connection/push(_:until:)`` and
  /// ``Connection/pull(_:until:)``: small files together, up to 256 of them and 16 MiB, large ones, and
  /// those whose size is not known, alone.
  public static func groups(_ files: [FileCopy]) -> [[FileCopy]] {
    var groups: [[FileCopy]] = []
    var isOpen = false
    var bytes: Int64 = 0
    for file in files {
      guard let size = file.size, size <= smallSize else {
        groups.append([file])
        isOpen = false
        continue
      }
      bytes += size
      if isOpen, bytes <= 16 << 20, groups[groups.count - 1].count < 256 {
        groups[groups.count - 1].append(file)
      } else {
        groups.append([file])
        (isOpen, bytes) = (true, size)
      }
    }
    return groups
  }
}

extension Connection {
  public func push(
    _ files: [FileCopy], until deadline: Deadline
  ) async throws(ConnectionFailure) {
    for file in files {
      try await push(file.hostPath, to: file.path, mode: file.mode, until: deadline)
    }
  }

  public func pull(
    _ files: [FileCopy], until deadline: Deadline
  ) async throws(ConnectionFailure) {
    for file in files { try await pull(file.path, to: file.hostPath, until: deadline) }
  }
}
