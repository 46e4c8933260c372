public import KelvinModel

/// Notices that this machine was suspended: CLOCK_MONOTONIC stands still then, CLOCK_BOOTTIME does not
/// (clock_gettime(2)). Used by one thread; a look costs one reading of a clock, about 30 ns.
public struct SuspendWatch: Sendable {
  /// Both clocks, read one after the other; in nanoseconds.
  public struct Reading: Sendable {
    public var monotonic: Int64
    public var boottime: Int64

    /// States what clocks showed.
    public init(monotonic: Int64, boottime: Int64) {
      self.monotonic = monotonic
      self.boottime = boottime
    }

    /// Reads them so that the monotonic time is of the moment of the other, as closely as it can be had in a few
    /// tries: a thread that is put aside between two readings is no suspend.
    public static func precise() -> Reading {
      var best = Reading(monotonic: 0, boottime: 0)
      var least = Int64.max
      for _ in 0..<8 where least > 20_000 {
        let before = MonotonicTime.now.nanoseconds
        let boottime = MonotonicTime.boottimeNanoseconds
        let width = MonotonicTime.now.nanoseconds &- before
        guard width < least else { continue }
        (least, best) = (width, Reading(monotonic: before &+ width / 2, boottime: boottime))
      }
      return best
    }
  }

  /// Nanoseconds asleep since the first look.
  public private(set) var asleep: Int64 = 0
  private var difference: Int64
  private var last: Int64

  /// Less is the time between two readings. A suspend as short is none that anybody would notice: it takes longer to
  /// freeze the processes.
  public static let shortest: Int64 = 1_000_000

  /// Begins with a first look.
  public init(_ first: Reading = .precise()) {
    difference = first.boottime &- first.monotonic
    last = first.monotonic
  }

  /// Looks again.
  ///
  /// - Parameter now: CLOCK_MONOTONIC, read just now.
  /// - Returns: the suspend since the last look, on this machine's monotonic clock, which does not count it; nil when
  ///   there was none, as nearly always.
  public mutating func look(at now: Int64) -> Suspension? {
    let boottime = MonotonicTime.boottimeNanoseconds
    guard boottime &- now &- difference > SuspendWatch.shortest else {
      last = now
      return nil
    }
    return look(.precise())
  }

  /// The same with what the clocks show.
  public mutating func look(_ reading: Reading) -> Suspension? {
    let slept = reading.boottime &- reading.monotonic &- difference
    defer { last = reading.monotonic }
    guard slept > SuspendWatch.shortest else { return nil }
    difference &+= slept
    asleep &+= slept
    return Suspension(
      .host, from: last, to: reading.monotonic, asleep: slept, unseen: slept)
  }
}
