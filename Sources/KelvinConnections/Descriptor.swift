import CLinux
import Glibc
import KelvinModel
import Synchronization

/// Owns an open file descriptor: closed once, at the latest when the last reference goes.
final class Descriptor: Sendable {
  private let number: Atomic<Int32>

  /// Takes ownership of an open descriptor.
  init(_ number: Int32) { self.number = Atomic(number) }

  deinit { close() }

  /// The number; -1 once closed.
  var value: Int32 { number.load(ordering: .relaxed) }

  /// Closes it; idempotent.
  func close() {
    let value = number.exchange(-1, ordering: .relaxed)
    if value >= 0 { _ = Glibc.close(value) }
  }

  /// Opens a file, closed on exec.
  static func open(_ path: String, _ flags: Int32, mode: mode_t = 0) throws(Errno) -> Descriptor {
    let value = kelvin_open(path, flags | O_CLOEXEC, mode)
    if value < 0 { throw .current }
    return try aboveStandard(value)
  }

  /// A pipe, both ends closed on exec.
  static func pipe() throws(Errno) -> (read: Descriptor, write: Descriptor) {
    var ends: (Int32, Int32) = (-1, -1)
    let result = withUnsafeMutablePointer(to: &ends) { pair in
      pair.withMemoryRebound(to: Int32.self, capacity: 2) { kelvin_pipe($0) }
    }
    if result != 0 { throw .current }
    let first = Result { () throws(Errno) in try aboveStandard(ends.0) }
    let second = Result { () throws(Errno) in try aboveStandard(ends.1) }
    return (try first.get(), try second.get())
  }

  /// Moves a descriptor away from 0...2, which it can only get when Kelvin was started with a
  /// standard stream closed: a child's dup2 would overwrite it there.
  private static func aboveStandard(_ value: Int32) throws(Errno) -> Descriptor {
    guard value <= 2 else { return Descriptor(value) }
    let moved = fcntl(value, F_DUPFD_CLOEXEC, 3)
    let error = Errno.current
    _ = Glibc.close(value)
    if moved < 0 { throw error }
    return Descriptor(moved)
  }
}

/// Repeats a system call while a signal interrupts it.
@inline(__always)
func retrying(_ call: () -> Int) -> Int {
  while true {
    let result = call()
    if result >= 0 || errno != EINTR { return result }
  }
}
