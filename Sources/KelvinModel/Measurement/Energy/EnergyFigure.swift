/// The energy of one interval at one site, and how far it can be trusted.
public struct EnergyFigure: Sendable, Hashable, Codable {
  /// On the meter's clock, in nanoseconds.
  public var from: Int64
  public var to: Int64
  /// In joules: what was measured in the time that is covered, and nothing else.
  public var measured: Double
  /// In nanoseconds: the time between samples that follow each other as they should.
  public var covered: Int64
  /// Time that is not covered; what is interpolated there is in ``energy``, not in ``measured``.
  public var losses: Losses
  /// In joules: what at least and at most was used in the lost time, by what power there can be. Nil
  /// when that is not known, or when the meter was at the end of its range and nothing else limits
  /// power; no limits are needed when nothing was lost.
  public var possibleLost: ClosedRange<Double>?
  /// In joules: lost time·(Pmax − Pmin), as far as the power in it was between what was measured in
  /// this interval; of the time of a suspend, time·Pmax. No limit: a burst may have been lost as a whole.
  public var likelyLost: Double
  /// In nanoseconds: time that was measured, and of which an event said too late that it does not
  /// count.
  public var doubtful: Int64
  /// Within the interval.
  public var samples: Int64
  /// In watts, of single samples: what a meter averages, they do not show. Nil without samples.
  public var least: Double?
  public var greatest: Double?
  /// In nanoseconds, between two samples that count as following each other.
  public var longestStep: Int64
  /// Events that touch the interval.
  public var events: [CaptureEvent.Kind: Int]
  /// Of ``measured``.
  public var budget: UncertaintyBudget
  /// How the meter's times became the host's.
  public var clock: ClockFit
  public var meter: MeterIdentity
  /// What was integrated: `vdd.voltage × vdd.current`.
  public var statement: String

  /// In nanoseconds, on the clock of the interval.
  public var duration: Int64 { to - from }
  /// In nanoseconds, as it passed: with what a machine slept and its clock did not count.
  public var elapsed: Int64 { duration &+ losses.unseen }
  /// In nanoseconds: within ``elapsed``, in which a suspend left nothing to be known.
  public var suspended: Int64 { losses.time[.suspend] ?? 0 }
  /// 0...1: by time.
  public var coverage: Double {
    elapsed > 0 ? Double(covered) / Double(elapsed) : 0
  }
  /// In joules, of the whole interval: measured, and interpolated where nothing was. Nothing is interpolated
  /// over a suspend, unless a counter counted on.
  public var energy: Double { measured + losses.interpolated }
  /// In watts, over the time that is covered; nil when there is none.
  public var mean: Double? { covered > 0 ? measured / (Double(covered) * 1e-9) : nil }

  /// By how much ``energy`` may be off because of lost time: a limit in joules; nil when there is
  /// none.
  public var lossBound: Double? {
    if losses.duration == 0 { return 0 }
    guard let possibleLost else { return nil }
    return max(
      possibleLost.upperBound - losses.interpolated, losses.interpolated - possibleLost.lowerBound)
  }

  /// ``energy`` for further calculations.
  public var estimate: Estimate {
    Estimate(energy, unit: "J", budget: budget, lossBound: lossBound, statement: statement)
  }
}

/// What an integrator cannot know by itself, for the uncertainty of its figures.
public struct FigureConditions: Sendable, Hashable {
  /// How the meter's clock follows the host's, on which the interval was set.
  public var clock: ClockFit
  /// Standard uncertainty of the alignment of the two clocks besides what ``clock`` says, common to both
  /// ends of the interval, in nanoseconds: of a time exchange with the board, or a load step.
  public var alignment: Double
  /// Standard uncertainty of each end by itself, in nanoseconds: of a signal that came too late.
  public var ends: Double
  /// Relative standard uncertainty of a duration on the host: 50e-6/√3 for a crystal within 50 ppm.
  public var timeBase: Double
  /// Standard uncertainty of the time stamp of a sample by itself, in nanoseconds.
  public var stamps: Double

  /// Describes conditions.
  public init(
    clock: ClockFit = .host, alignment: Double = 0, ends: Double = 0,
    timeBase: Double = 50e-6 / 1.732_050_807_568_877_2, stamps: Double = 0
  ) {
    self.clock = clock
    self.alignment = alignment
    self.ends = ends
    self.timeBase = timeBase
    self.stamps = stamps
  }
}
