public import KelvinConnections
public import KelvinModel

/// `driver: um25c`: RuiDeng's USB testers UM24C, UM25C and UM34C, over Bluetooth's serial port.
public struct UMDriver: MeterDriver {
  /// Creates the driver.
  public init() {}

  static let verified = "simulator only"
  private static let places = MeterPlaces(driver: "um25c", title: "UM24C, UM25C or UM34C")

  public let declaration = Declaration(
    .meter, "um25c", summary: "RuiDeng's USB testers UM24C, UM25C and UM34C.",
    description: """
      Voltage and current of what passes through it, of its data lines the voltage, and its temperature, ten \
      times a second unless 'rate' says otherwise: it is asked for each reading, over a serial port that \
      Bluetooth makes (rfcomm bind). Which of them it is, it says itself. The UM24C and UM25C send no \
      checksum. Nothing of it is changed.
      Source: sigrokproject/libsigrok, src/hardware/rdtech-um.
      """,
    options: TesterOptions.declared(baud: 9600, isAsked: true),
    alternatives: [.init(["path", "match"], required: true)], verified: UMDriver.verified)

  /// A device of this host.
  public func needsLink(_ options: [String: Value]) -> Bool { false }

  public func open(
    name: String, options: [String: Value], through connection: any Connection,
    until deadline: Deadline
  ) async throws(MeterFailure) -> any Meter {
    try TesterMeter.open(
      name, options, at: Self.places, verified: Self.verified, speaking: UMLanguage(),
      refined: { reading in UMLanguage(UMModel.allCases.first { $0.name == reading.model }) },
      until: deadline)
  }
}
