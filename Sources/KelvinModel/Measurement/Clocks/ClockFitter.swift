/// Fits a meter's clock to the host's from when its samples arrived: host = a + b·meter.
///
/// An arrival is late, never early. So the line sought lies under all of them, as close as it can: the edge
/// of their lower convex hull above which their mean time is (S. B. Moon, P. Skelly, D. Towsley, "Estimation
/// and removal of clock skew from network delay measurements", INFOCOM 1999; L. Zhang, Z. Liu,
/// C. H. Xia, "Clock synchronization algorithms for network measurements", INFOCOM 2002). Memory is
/// bounded. A clock that is set begins a new piece. Used by one caller at a time.
public struct ClockFitter: Sendable {
  /// By how much one clock can run faster than the other at most: 1e-3 is 1,000 ppm.
  public let greatestSkew: Double
  /// In nanoseconds: a jump that is taken for a clock that was set, not for a delay.
  public let smallestStep: Double
  /// In nanoseconds: between what the shortest way from the meter to the host can take.
  public let leastDelay: ClosedRange<Double>
  /// The jumps that were found; each begins a new piece.
  public private(set) var steps: [CaptureEvent] = []
  /// The pieces before the last: up to which time of the meter each holds.
  public private(set) var pieces: [(until: Int64, fit: ClockFit)] = []

  private var piece: ClockPiece?
  private var late: [(meter: Int64, host: Int64)] = []

  private static let enough = 16

  /// Begins without any observation.
  public init(
    greatestSkew: Double = 1e-3, smallestStep: Double = 50e6,
    leastDelay: ClosedRange<Double> = 0...0
  ) {
    self.greatestSkew = greatestSkew
    self.smallestStep = smallestStep
    self.leastDelay = leastDelay
  }

  /// Takes the time of a sample on the meter's clock, and when it arrived at the host.
  public mutating func observe(meter: Int64, host: Int64) {
    // Within about ±146 years, so that no difference overflows.
    guard abs(Double(meter)) < 4.6e18, abs(Double(host)) < 4.6e18 else { return }
    guard let last = piece?.lastMeter else {
      piece = ClockPiece(meter: meter, host: host)
      return
    }
    if meter == last { return }
    guard meter > last else {
      restart(at: [(meter, host)])
      return
    }
    if let piece, piece.count >= 8, let line = piece.line(greatestSkew: greatestSkew) {
      let point = piece.point(meter: meter, host: host)
      let drift = greatestSkew * (point.x - piece.lastX)
      let ahead = point.y - line.y(at: point.x)
      if ahead < -(smallestStep + drift) {
        restart(at: [(meter, host)])
        return
      }
      if ahead > smallestStep + drift {
        late.append((meter, host))
        if late.count >= Self.enough { restart(at: late) }
        return
      }
      // Those were delays after all: above the line, they say nothing of it.
      late.removeAll(keepingCapacity: true)
    }
    piece?.add(meter: meter, host: host, greatestSkew: greatestSkew)
  }

  /// The mapping of the last piece; nil before the second observation.
  public var fit: ClockFit? {
    piece?.fit(greatestSkew: greatestSkew, leastDelay: leastDelay)
  }

  private mutating func restart(at observations: [(meter: Int64, host: Int64)]) {
    guard let old = piece else { return }
    if let fit = old.fit(greatestSkew: greatestSkew, leastDelay: leastDelay) {
      pieces.append((old.lastMeter, fit))
    }
    late.removeAll(keepingCapacity: true)
    guard let first = observations.first else { return }
    steps.append(
      CaptureEvent(
        .clockStep, from: min(old.lastMeter, first.meter), to: first.meter,
        note: first.meter < old.lastMeter ? "the meter's clock went back" : "a clock was set"))
    var next = ClockPiece(meter: first.meter, host: first.host)
    for (meter, host) in observations.dropFirst() {
      next.add(meter: meter, host: host, greatestSkew: greatestSkew)
    }
    piece = next
  }
}
