internal import Glibc

/// A point on CLOCK_MONOTONIC of this machine, in nanoseconds; comparable within one life only.
public struct MonotonicTime: Hashable, Comparable, Sendable, Codable {
  public var nanoseconds: Int64

  /// Creates a time from nanoseconds of CLOCK_MONOTONIC.
  public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

  /// The time now; costs about 30 ns.
  public static var now: MonotonicTime { MonotonicTime(nanoseconds: read(CLOCK_MONOTONIC)) }

  /// CLOCK_BOOTTIME now, in nanoseconds; runs ahead of the monotonic clock by the time suspended.
  public static var boottimeNanoseconds: Int64 { read(CLOCK_BOOTTIME) }

  /// CLOCK_REALTIME now, in nanoseconds since 1970 UTC; for records only, never for intervals.
  public static var wallNanoseconds: Int64 { read(CLOCK_REALTIME) }

  /// CPU time that this process has used so far, all threads, in nanoseconds.
  public static var processCPUNanoseconds: Int64 { read(CLOCK_PROCESS_CPUTIME_ID) }

  private static func read(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
  }

  public static func < (a: MonotonicTime, b: MonotonicTime) -> Bool {
    a.nanoseconds < b.nanoseconds
  }

  /// The time from `b` to `a`, in nanoseconds.
  public static func - (a: MonotonicTime, b: MonotonicTime) -> Int64 {
    a.nanoseconds - b.nanoseconds
  }
}
