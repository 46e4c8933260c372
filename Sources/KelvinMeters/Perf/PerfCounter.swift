internal import CLinux
internal import Glibc
internal import KelvinModel

/// An open counter of the kernel, of one event on one CPU or its package.
struct PerfCounter: ~Copyable, Sendable {
  private let descriptor: Int32

  /// Opens it; it counts from now on.
  init(_ event: PerfEvent, cpu: Int) throws(Errno) {
    descriptor = kelvin_perf_open(event.type, event.config, Int32(cpu))
    guard descriptor >= 0 else { throw Errno.current }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// A reading, and when it was taken.
  struct Reading: Sendable, Hashable {
    var time: Int64
    var count: Int64
    /// For how long others had its place since it was opened, in nanoseconds.
    var idle: Int64
  }

  func read() throws(Errno) -> Reading {
    var reading = kelvin_perf_reading()
    let before = MonotonicTime.now.nanoseconds
    guard kelvin_perf_read(descriptor, &reading) == 0 else { throw Errno.current }
    let after = MonotonicTime.now.nanoseconds
    return Reading(
      time: before + (after - before) / 2, count: Int64(truncatingIfNeeded: reading.count),
      idle: Int64(truncatingIfNeeded: reading.enabled &- reading.running))
  }
}
