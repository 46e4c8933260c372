public import KelvinConnections
public import KelvinModel

/// `driver: iiod`: IIO devices of another machine, through its iiod; BayLibre's ACME is one.
public struct IIODDriver: MeterDriver {
  /// Creates the driver.
  public init() {}

  static let verified = "a simulator, and Debian's iiod with the kernel's iio-dummy only"

  public let declaration = Declaration(
    .meter, "iiod", summary: "An IIO device of another machine, through its iiod.",
    description: """
      libiio's daemon sends what the kernel of its machine samples. Each probe of a BayLibre ACME is a \
      device of its own. Time stamps are of that machine's clock; how it maps to this one's is fitted to \
      when samples arrive, and is known to half the shortest round trip. What is changed for a capture is \
      put back at its end.
      Source: analogdevicesinc/libiio, iiod/parser.y and iiod-client.c (the text protocol of 0.x).
      """,
    options: [
      .init("host", .text, required: true, "Where iiod runs."),
      .init(
        "port", .integer, default: .integer(Int64(IIODClient.port)), range: 1...65_535,
        "Its TCP port.")
    ]
      + IIOOptions.declared(
        device: OptionDeclaration(
          "device", .text,
          "The device: its label, its chip's name ('ina226'), or 'iio:device0'; can be left out where "
            + "only one can be captured.")),
    verified: IIODDriver.verified)

  /// A machine of its own.
  public func needsLink(_ options: [String: Value]) -> Bool { false }

  public func open(
    name: String, options: [String: Value], through connection: any Connection,
    until deadline: Deadline
  ) async throws(MeterFailure) -> any Meter {
    guard let host = options["host"]?.text, !host.isEmpty else {
      throw MeterFailure(.invalid, "\(name): 'host' is missing")
    }
    guard let port = UInt16(exactly: options["port"]?.integer ?? Int64(IIODClient.port)) else {
      throw MeterFailure(.invalid, "\(name): 'port' must be 1 to 65535")
    }
    return try IIODMeter(
      name: name, host: host, port: port, options: IIOOptions(options), until: deadline)
  }
}
