public import KelvinConnections
internal import KelvinDevices
public import KelvinModel

/// `driver: fnirsi`: FNIRSI's USB testers FNB48, FNB48S, FNB58 and C1, on this machine's USB.
public struct FNIRSIDriver: MeterDriver {
  /// Creates the driver.
  public init() {}

  static let verified = "simulator only"
  private static let places = MeterPlaces(driver: "fnirsi", title: "FNIRSI tester")

  public let declaration = Declaration(
    .meter, "fnirsi", summary: "FNIRSI's USB testers FNB48, FNB48S, FNB58 and C1.",
    description: """
      Voltage and current of what passes through it, of its data lines the voltage, and its temperature, 100 times \
      a second. Samples have neither number nor time: when they were taken, and whether some never came, is told \
      by the host's clock alone. Nothing of it is changed.
      Source: baryluk/fnirsi-usb-power-data-logger; PyPI's usb-multimeter; fqueze/usb-power-profiling.
      """,
    options: [
      DeviceMatch.option(of: "meter"),
      .init(
        "checksum", .boolean, default: .boolean(true), isDetail: true,
        "Whether reports with a wrong checksum are left out."),
      AccuracyOptions.option
    ], alternatives: [.init(["match"], required: false)], verified: FNIRSIDriver.verified)

  /// Those that are plugged into this machine.
  public func find(
    through connection: any Connection, until deadline: Deadline
  ) async throws(MeterFailure) -> [FoundMeter] {
    Self.places.all(through: connection, opening: .usbDevice, channels: FNIRSIReport.channels)
  }

  /// A device of this host.
  public func needsLink(_ options: [String: Value]) -> Bool { false }

  public func open(
    name: String, options: [String: Value], through connection: any Connection,
    until deadline: Deadline
  ) async throws(MeterFailure) -> any Meter {
    let accuracy = try AccuracyOptions.read(options["accuracy"], of: name)
    let found: HostDevice
    do throws(DeviceFailure) {
      found = try Self.places.usbDevice(match: DeviceMatch(options["match"]))
    } catch { throw MeterFailure(error, of: name) }
    let port = try FNIRSIPort(name: name, found, until: deadline)
    return FNIRSIMeter(
      MeterIdentity(
        name: name, driver: "fnirsi", model: port.model.rawValue,
        serial: found.serialNumber ?? "", firmware: "", location: "\(port.device.info)", range: "",
        verified: Self.verified),
      port, isChecked: options["checksum"]?.boolean ?? true, accuracy: accuracy)
  }
}
