public import KelvinConnections
public import KelvinModel

/// `driver: yzxstudio`: YZXStudio's USB testers, on a serial port of this machine.
public struct YZXDriver: MeterDriver {
  /// Creates the driver.
  public init() {}

  static let verified = "simulator only"
  private static let places = MeterPlaces(driver: "yzxstudio", title: "YZXStudio tester")

  public let declaration = Declaration(
    .meter, "yzxstudio", summary: "YZXStudio's USB testers with a serial port (ZY1280 and others).",
    description: """
      Voltage and current of what passes through it, and of its data lines the voltage, as often as it sends \
      them. Readings have a checksum, and no number: nothing tells of readings that never came, and only \
      the host knows when one was taken. Its USB identity is that of its serial adapter, which other devices \
      have, too: so 'path' or 'match' must name it. Over Bluetooth, 'baud: 9600'. Nothing of it is changed.
      Source: CursedHardware/yzx-usb-meter; fqueze/usb-power-profiling.
      """,
    options: TesterOptions.declared(baud: 115_200, isAsked: false),
    alternatives: [.init(["path", "match"], required: true)], verified: YZXDriver.verified)

  /// A device of this host.
  public func needsLink(_ options: [String: Value]) -> Bool { false }

  public func open(
    name: String, options: [String: Value], through connection: any Connection,
    until deadline: Deadline
  ) async throws(MeterFailure) -> any Meter {
    try TesterMeter.open(
      name, options, at: Self.places, verified: Self.verified, speaking: YZXLanguage(),
      until: deadline)
  }
}
