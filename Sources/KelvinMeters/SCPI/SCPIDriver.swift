public import KelvinConnections
public import KelvinModel

/// `driver: scpi`: power supplies and multimeters that speak SCPI, on the network or on USB.
public struct SCPIDriver: MeterDriver {
  /// Creates the driver.
  public init() {}

  static let verified = "simulator only"

  public let declaration = Declaration(
    .meter, "scpi", summary: "A power supply or multimeter that speaks SCPI.",
    description: """
      It is asked for each value over its raw socket (port 5025 mostly), or over USB's class of \
      instruments (USBTMC), as fast as it answers or at 'rate'; a value's time is halfway between \
      question and answer, ± half of what is between them. Keysight's N6705 and Rohde & Schwarz's \
      NGM200 can log by their own clock instead ('logging'). Voltage, limits and output can be set, \
      within 'max-voltage' and 'max-current', and are put back at its end unless 'at-end' says otherwise.
      Source: IEEE 488.2, SCPI 1999; each profile names where its words come from (hardware/meters/scpi.md).
      """,
    options: SCPIOptions.declared, alternatives: [.init(["host", "match"], required: true)],
    verified: SCPIDriver.verified)

  /// A machine of its own.
  public func needsLink(_ options: [String: Value]) -> Bool { false }

  public func open(
    name: String, options: [String: Value], through connection: any Connection,
    until deadline: Deadline
  ) async throws(MeterFailure) -> any Meter {
    try await SCPIMeter(
      name: name, SCPIOptions(options, of: name), verified: Self.verified, until: deadline)
  }
}
