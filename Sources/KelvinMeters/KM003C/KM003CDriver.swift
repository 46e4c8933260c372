public import KelvinConnections
internal import KelvinDevices
public import KelvinModel

/// `driver: km003c`: ChargerLAB's USB testers POWER-Z KM003C and KM002C, on this machine's USB.
public struct KM003CDriver: MeterDriver {
  /// Creates the driver.
  public init() {}

  static let verified = "simulator only"
  private static let places = MeterPlaces(driver: "km003c", title: "POWER-Z")

  public let declaration = Declaration(
    .meter, "km003c", summary: "ChargerLAB's USB testers POWER-Z KM003C and KM002C.",
    description: """
      Voltage and current of what goes through it, up to 1000 times a second by its own clock, and the \
      voltages of CC1, CC2, D+ and D-. Samples that are missing are told by a counter in each of them.
      Source: okhsunrog/km003c-protocol-research; Linux, drivers/hwmon/powerz.c.
      """,
    options: KM003COptions.declared,
    alternatives: [.init(["match"], required: false)], verified: KM003CDriver.verified)

  /// Those that are plugged into this machine.
  public func find(
    through connection: any Connection, until deadline: Deadline
  ) async throws(MeterFailure) -> [FoundMeter] {
    try Self.places.all(
      through: connection, opening: .usbDevice,
      channels: KM003COptions([:], of: declaration.name).channels)
  }

  /// A device of this host.
  public func needsLink(_ options: [String: Value]) -> Bool { false }

  public func open(
    name: String, options: [String: Value], through connection: any Connection,
    until deadline: Deadline
  ) async throws(MeterFailure) -> any Meter {
    let choices = try KM003COptions(options, of: name)
    let found: HostDevice
    do throws(DeviceFailure) {
      found = try Self.places.usbDevice(match: DeviceMatch(options["match"]))
    } catch { throw MeterFailure(error, of: name) }
    let port = try KM003CPort(name: name, found, until: deadline)
    do throws(MeterFailure) {
      let session = KM003CSession(name: name, port)
      try session.drain(until: deadline)
      try session.connect(until: deadline)
      let says = try Self.identity(session, until: deadline)
      return Self.meter(port, session, says, choices)
    } catch {
      port.close()
      throw error
    }
  }

  private static func identity(
    _ session: KM003CSession, until deadline: Deadline
  ) throws(MeterFailure) -> KM003CIdentity {
    var says = KM003CIdentity()
    for place in [KM003CMemory.device, .firmware, .calibration] {
      // One that does not let its memory be read is a meter all the same.
      guard let bytes = try session.memory(place, until: deadline) else { continue }
      says.take(place, bytes)
    }
    return says
  }

  private static func meter(
    _ port: KM003CPort, _ session: KM003CSession, _ says: KM003CIdentity, _ options: KM003COptions
  ) -> KM003CMeter {
    let info = port.device.info
    let range =
      options.reading == .queue
      ? "its queue, \(options.queueRate.hertz) samples a second"
      : "values of the moment, \(options.rate) times a second"
    // By its USB id (Linux, drivers/hwmon/powerz.c), where it does not say itself.
    let model = says.model.isEmpty ? info.productID == 0x61 ? "KM002C" : "KM003C" : says.model
    return KM003CMeter(
      MeterIdentity(
        name: port.name, driver: "km003c", model: "POWER-Z \(model)",
        serial: says.serial.isEmpty ? info.serialNumber ?? "" : says.serial,
        firmware: says.firmware, location: "\(info)", range: range, verified: verified),
      session, says, options, release: { port.close() })
  }
}
