internal import KelvinModel

/// When samples were taken that a meter numbers but does not time: their number times the period, on a
/// clock whose zero is when sample 0 was taken, by the host's.
///
/// Samples arrive late by chance, and never early. So the zero is what the promptest arrival of the first
/// tenth of a second or so tells, and of later arrivals only the promptest of some in a row says anything of
/// the clock's skew. Used by one thread.
struct StreamClock: Sendable {
  /// From one sample to the next, in nanoseconds.
  let period: Double
  private var fitter: ClockFitter
  /// The host's time of sample 0; nil until it is known.
  private var origin: Int64?
  private var earliest: Int64?
  private var observations = 0
  private var promptest: (meter: Int64, host: Int64, others: Int)?

  /// That are looked at together, less one.
  private static let arrivals = 15

  /// - Parameters:
  ///   - period: of the samples, in nanoseconds.
  ///   - greatestSkew: by how much the meter's clock may differ from the host's: 5e-4 is 500 ppm.
  init(period: Double, greatestSkew: Double = 5e-4) {
    self.period = period
    fitter = ClockFitter(greatestSkew: greatestSkew)
  }

  /// Whether times are known.
  var isSet: Bool { origin != nil }

  /// Takes that `samples` whole ones had come by `arrival`, while times are not known.
  mutating func begin(samples: Int64, arrival: Int64) {
    let first = arrival &- Int64((Double(samples) * period).rounded())
    earliest = min(earliest ?? first, first)
  }

  /// Enough has come: the zero is what the promptest arrival told. Does nothing where nothing came.
  mutating func set() { origin = origin ?? earliest }

  /// Takes that a sample had arrived then, on the host's clock.
  mutating func observe(number: Int64, arrival: Int64) {
    let time = time(number)
    guard observations >= 2 else {
      observations += 1
      return fitter.observe(meter: time, host: arrival)
    }
    if let best = promptest, best.host &- best.meter <= arrival &- time {
      promptest?.others += 1
    } else {
      promptest = (time, arrival, (promptest?.others ?? -1) + 1)
    }
    guard let best = promptest, best.others >= Self.arrivals else { return }
    fitter.observe(meter: best.meter, host: best.host)
    promptest = nil
  }

  /// When a sample was taken, in nanoseconds on the meter's clock; that of number 0 while nothing is known.
  func time(_ number: Int64) -> Int64 {
    (origin ?? 0) &+ Int64((Double(number) * period).rounded())
  }

  /// How the meter's clock goes by the host's.
  var fit: ClockFit { fitter.fit ?? .host }
}
