internal import Glibc

/// An errno value of a failed system call, on this machine or on a target.
public struct Errno: Error, Hashable, Sendable, CustomStringConvertible {
  public let rawValue: Int32

  /// Creates an error from errno's value.
  public init(_ rawValue: Int32) { self.rawValue = rawValue }

  /// The calling thread's errno.
  public static var current: Errno { Errno(errno) }

  public static let notFound = Errno(ENOENT)
  public static let permissionDenied = Errno(EACCES)
  public static let notPermitted = Errno(EPERM)
  public static let io = Errno(EIO)
  public static let noSpace = Errno(ENOSPC)

  /// The C library's text: `No such file or directory`.
  public var description: String {
    var buffer = [CChar](repeating: 0, count: 128)
    // The XSI variant, which Swift imports, fills the buffer.
    _ = strerror_r(rawValue, &buffer, buffer.count)
    return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}
