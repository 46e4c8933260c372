/// What an error hangs on: two figures whose components have the same key err in the same way.
public struct CorrelationKey: Sendable, Hashable, Codable {
  /// Which meter, by driver, serial number or place.
  public var meter: String
  public var range: String
  public var calibration: String
  /// Empty for what concerns all channels of the meter.
  public var channel: String
  /// `gain`, `offset`, `time base`, `assumed voltage`.
  public var effect: String

  /// Describes a common cause.
  public init(
    meter: String, range: String = "", calibration: String = "", channel: String = "",
    effect: String
  ) {
    self.meter = meter
    self.range = range
    self.calibration = calibration
    self.channel = channel
    self.effect = effect
  }

  /// Of one meter in the range and with the calibration that it had.
  public init(_ meter: MeterIdentity, channel: String = "", effect: String) {
    self.init(
      meter: [meter.driver, meter.model, meter.serial, meter.location].joined(separator: "/"),
      range: meter.range, calibration: meter.calibration, channel: channel, effect: effect)
  }
}

/// One contribution to the uncertainty of a figure, in the figure's unit.
public struct UncertaintyComponent: Sendable, Hashable, Codable {
  /// For people: `gain of vdd.current`.
  public var name: String
  /// The standard uncertainty times its sensitivity: c·u(x). Its sign is the sensitivity's, so that
  /// components with one key cancel or add up.
  public var value: Double
  public var kind: Kind
  /// Nil for what is random: independent of all other components.
  public var key: CorrelationKey?
  /// Of an estimate by statistics; nil when it is taken as known (JCGM 100:2008, G.4.3).
  public var degreesOfFreedom: Double?

  /// How it was evaluated (JCGM 100:2008, 4.2 and 4.3).
  public enum Kind: String, Sendable, Codable {
    /// By statistics of observations.
    case a = "A"
    /// By other means: what a maker or a certificate states.
    case b = "B"
  }

  /// Describes a contribution.
  public init(
    _ name: String, _ value: Double, _ kind: Kind, key: CorrelationKey? = nil,
    degreesOfFreedom: Double? = nil
  ) {
    self.name = name
    self.value = value
    self.kind = kind
    self.key = key
    self.degreesOfFreedom = degreesOfFreedom
  }

  /// Whether other figures may share it.
  public var isSystematic: Bool { key != nil }

  /// Names of what is of when an interval was, rather than of what was measured.
  enum OfTime {
    static let alignment = "alignment"
    static let ends = "ends of the interval"
    static let clockRate = "rate of the meter's clock"
  }

  /// Whether it is of when an interval was: random from one interval to the next, and the same for all that
  /// is measured in one.
  public var isOfTime: Bool {
    key == nil && [OfTime.alignment, OfTime.ends, OfTime.clockRate].contains(name)
  }
}

/// All contributions to the uncertainty of one figure.
public struct UncertaintyBudget: Sendable, Hashable, Codable {
  public var components: [UncertaintyComponent]

  /// Creates a budget; none is a figure without known errors.
  public init(_ components: [UncertaintyComponent] = []) { self.components = components }

  /// Combined standard uncertainty: components of one key add up with their signs, since they are
  /// fully correlated; everything else by squares (JCGM 100:2008, 5.1.2 and 5.2.2, note 1).
  public var standard: Double {
    (squareOfSystematic + squareOfRandom).squareRoot()
  }

  /// What figures of the same meter have in common.
  public var systematic: Double { squareOfSystematic.squareRoot() }

  /// What differs from one figure to the next.
  public var random: Double { squareOfRandom.squareRoot() }

  /// Expanded by k = 2 (JCGM 100:2008, 6.2.1): about 95 % where several components matter.
  public var expanded: Double { 2 * standard }

  /// By the Welch-Satterthwaite formula (JCGM 100:2008, G.4.1); nil for infinitely many.
  public var effectiveDegreesOfFreedom: Double? {
    var sum = 0.0
    for component in components {
      guard let freedom = component.degreesOfFreedom, freedom > 0 else { continue }
      let square = component.value * component.value
      sum += square * square / freedom
    }
    let square = standard * standard
    return sum > 0 ? square * square / sum : nil
  }

  /// Expanded by the factor of Student's distribution for the effective degrees of freedom (JCGM
  /// 100:2008, G.6.4): more than k = 2 where a few repeats are all there is.
  public var expandedByStudent: Double {
    guard let freedom = effectiveDegreesOfFreedom else { return expanded }
    return StudentFactor.twoSided(freedom) * standard
  }

  /// The budget of Σ sensitivity·figure. What is random is taken as independent: figures must not
  /// share samples.
  public static func combining(
    _ terms: [(sensitivity: Double, budget: UncertaintyBudget)]
  ) -> UncertaintyBudget {
    var systematic: [CorrelationKey: Int] = [:]
    var random: [String: Int] = [:]
    var result: [UncertaintyComponent] = []
    for (sensitivity, budget) in terms {
      for var component in budget.components {
        component.value *= sensitivity
        if let key = component.key {
          guard let index = systematic[key] else {
            systematic[key] = result.count
            result.append(component)
            continue
          }
          result[index].value += component.value
        } else {
          guard let index = random[component.name] else {
            random[component.name] = result.count
            component.value = abs(component.value)
            result.append(component)
            continue
          }
          result[index].join(component)
        }
      }
    }
    return UncertaintyBudget(result)
  }

  private var squareOfRandom: Double {
    components.reduce(0) { $0 + ($1.key == nil ? $1.value * $1.value : 0) }
  }

  private var squareOfSystematic: Double {
    var sums: [CorrelationKey: Double] = [:]
    for component in components {
      if let key = component.key { sums[key, default: 0] += component.value }
    }
    return sums.values.reduce(0) { $0 + $1 * $1 }
  }
}

extension UncertaintyComponent {
  /// Adds an independent contribution of the same name by squares.
  fileprivate mutating func join(_ other: UncertaintyComponent) {
    let mine = value * value
    let others = other.value * other.value
    let sum = mine + others
    var inverse = 0.0
    if let freedom = degreesOfFreedom, freedom > 0 { inverse += mine * mine / freedom }
    if let freedom = other.degreesOfFreedom, freedom > 0 { inverse += others * others / freedom }
    degreesOfFreedom = inverse > 0 ? sum * sum / inverse : nil
    value = sum.squareRoot()
    if other.kind == .a { kind = .a }
  }
}
