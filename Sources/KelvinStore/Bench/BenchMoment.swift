internal import KelvinModel

/// A moment, as it can be compared across reboots and changes of the clock.
public struct BenchMoment: Sendable, Hashable {
  /// Nanoseconds since 1970 UTC.
  public var wallNanoseconds: Int64
  public var bootID: String
  /// CLOCK_BOOTTIME, which no change of the clock moves; comparable within one boot only.
  public var boottimeNanoseconds: Int64

  /// Creates a moment.
  public init(wallNanoseconds: Int64, bootID: String, boottimeNanoseconds: Int64) {
    self.wallNanoseconds = wallNanoseconds
    self.bootID = bootID
    self.boottimeNanoseconds = boottimeNanoseconds
  }

  /// Now, on this host.
  public static func now(on host: HostIdentity) -> BenchMoment {
    BenchMoment(
      wallNanoseconds: MonotonicTime.wallNanoseconds, bootID: host.bootID,
      boottimeNanoseconds: MonotonicTime.boottimeNanoseconds)
  }

  /// A time after this moment.
  public func advanced(byNanoseconds nanoseconds: Int64) -> BenchMoment {
    BenchMoment(
      wallNanoseconds: wallNanoseconds.addingReportingOverflow(nanoseconds).partialValue,
      bootID: bootID,
      boottimeNanoseconds: boottimeNanoseconds.addingReportingOverflow(nanoseconds).partialValue)
  }

  /// Whether this moment is over at `now`: by CLOCK_BOOTTIME within one boot, else by the wall
  /// clock.
  public func isPast(at now: BenchMoment) -> Bool {
    now.bootID == bootID
      ? now.boottimeNanoseconds >= boottimeNanoseconds : now.wallNanoseconds >= wallNanoseconds
  }

  /// The same moment by the wall clock as it is set at `now`, when it was set by more than a second
  /// since; within one boot only.
  public func told(at now: BenchMoment) -> BenchMoment {
    guard now.bootID == bootID else { return self }
    let left = boottimeNanoseconds.subtractingReportingOverflow(now.boottimeNanoseconds)
    let told = now.wallNanoseconds.addingReportingOverflow(left.partialValue)
    let shift = told.partialValue.subtractingReportingOverflow(wallNanoseconds)
    guard !left.overflow, !told.overflow, !shift.overflow,
      shift.partialValue.magnitude > 1_000_000_000
    else { return self }
    var moment = self
    moment.wallNanoseconds = told.partialValue
    return moment
  }
}
