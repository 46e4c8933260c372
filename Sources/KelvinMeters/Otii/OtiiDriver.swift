public import KelvinConnections
public import KelvinModel

/// `driver: otii`: Qoitech's Otii Arc and Ace, through Otii's own TCP server.
public struct OtiiDriver: MeterDriver {
  /// Creates the driver.
  public init() {}

  static let verified = "simulator only"

  public let declaration = Declaration(
    .meter, "otii", summary: "Qoitech's Otii Arc and Ace, through Otii's server.",
    description: """
      Otii has to run, with its TCP server on, and its account needs a license to automate (Automation Toolbox): it is \
      logged in where nobody has, and the license is reserved and given back. A recording is made and read \
      while it grows; it is deleted after it was read, unless 'keep-recording' says otherwise. Voltage, \
      current limit, range and output can be set, within 'max-voltage' and 'max-current', and are put back at its \
      end unless 'at-end' says otherwise.
      Source: qoitech/otii-tcp-client-python (hardware/meters/otii.md).
      """,
    options: OtiiOptions.declared, verified: OtiiDriver.verified)

  /// A machine of its own.
  public func needsLink(_ options: [String: Value]) -> Bool { false }

  public func open(
    name: String, options: [String: Value], through connection: any Connection,
    until deadline: Deadline
  ) async throws(MeterFailure) -> any Meter {
    try OtiiMeter(
      name: name, OtiiOptions(options, of: name), verified: Self.verified, until: deadline)
  }
}
