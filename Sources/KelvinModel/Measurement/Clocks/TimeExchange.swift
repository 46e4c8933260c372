/// One question and answer between two clocks: four time stamps, as NTP takes them (RFC 5905, section 8).
public struct TimeExchange: Sendable, Hashable, Codable {
  /// When the question left, and when the answer arrived: on the asking clock, in nanoseconds.
  public var sent: Int64
  public var returned: Int64
  /// When the question arrived, and when the answer left: on the answering clock, in nanoseconds.
  public var received: Int64
  public var answered: Int64

  /// Describes an exchange.
  public init(sent: Int64, received: Int64, answered: Int64, returned: Int64) {
    self.sent = sent
    self.received = received
    self.answered = answered
    self.returned = returned
  }

  /// The answering clock less the asking one, in nanoseconds: ((t2 − t1) + (t3 − t4)) / 2.
  public var offset: Double {
    (Self.difference(received, sent) + Self.difference(answered, returned)) / 2
  }

  /// The time on the way, both ways together, in nanoseconds.
  public var roundTrip: Double {
    Self.difference(returned, sent) - Self.difference(answered, received)
  }

  /// By how much ``offset`` may be off at most, in nanoseconds: one way took all the time, the other
  /// none.
  public var bound: Double { roundTrip / 2 }

  /// Of a rectangular distribution within the bound (JCGM 100:2008, 4.3.7), in nanoseconds.
  public var standardUncertainty: Double { bound / 3.0.squareRoot() }

  /// Whether an answer came after its question, on both clocks.
  public var isPossible: Bool { roundTrip >= 0 && answered >= received && returned >= sent }

  /// The one that was on its way for the shortest time: its bound is the narrowest. Impossible
  /// ones do not count; nil when there are no others.
  public static func best(of exchanges: [TimeExchange]) -> TimeExchange? {
    exchanges.filter(\.isPossible).min { $0.roundTrip < $1.roundTrip }
  }

  /// Exact as far as a double is, and never an overflow.
  private static func difference(_ a: Int64, _ b: Int64) -> Double {
    let (difference, overflow) = a.subtractingReportingOverflow(b)
    return overflow ? Double(a) - Double(b) : Double(difference)
  }
}
