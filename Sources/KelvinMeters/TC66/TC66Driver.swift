public import KelvinConnections
public import KelvinModel

/// `driver: tc66`: RuiDeng's USB tester TC66C, on a serial port of this machine.
public struct TC66Driver: MeterDriver {
  /// Creates the driver.
  public init() {}

  static let verified = "simulator only"
  private static let places = MeterPlaces(driver: "tc66", title: "TC66C")

  public let declaration = Declaration(
    .meter, "tc66", summary: "RuiDeng's USB tester TC66C (RD, RDTech, Joy-IT).",
    description: """
      Voltage and current of what passes through it, and of its data lines the voltage, ten times a second \
      unless 'rate' says otherwise: it is asked for each reading. Answers are checked by their checksums. \
      Its USB identity is that of its microcontroller, which other devices have, too: so 'path' or 'match' \
      must name it. Nothing of it is changed.
      Source: sigrokproject/libsigrok, src/hardware/rdtech-tc.
      """,
    options: TesterOptions.declared(baud: 115_200, isAsked: true),
    alternatives: [.init(["path", "match"], required: true)], verified: TC66Driver.verified)

  /// A device of this host.
  public func needsLink(_ options: [String: Value]) -> Bool { false }

  public func open(
    name: String, options: [String: Value], through connection: any Connection,
    until deadline: Deadline
  ) async throws(MeterFailure) -> any Meter {
    try TesterMeter.open(
      name, options, at: Self.places, verified: Self.verified, speaking: TC66Language(),
      until: deadline)
  }
}
