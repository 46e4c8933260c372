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
      let info = port.device.info
      var plate = MeterIdentity(
        name: name, driver: declaration.name, serial: info.serialNumber ?? "", location: "\(info)",
        verified: Self.verified)
      // By its USB id (Linux, drivers/hwmon/powerz.c), where it does not say itself.
      plate.model = info.productID == 0x61 ? "KM002C" : "KM003C"
      return try Self.open(port, plate, choices, until: deadline) { port.close() }
    } catch {
      port.close()
      throw error
    }
  }

  /// Asks who it is; what it does not say is what the plate says.
  static func open(
    _ link: any KM003CLink, _ plate: MeterIdentity, _ options: KM003COptions,
    until deadline: Deadline, release: @escaping @Sendable () -> Void
  ) throws(MeterFailure) -> KM003CMeter {
    let session = KM003CSession(name: plate.name, link)
    try session.drain(until: deadline)
    try session.connect(until: deadline)
    var says = KM003CIdentity()
    for place in [KM003CMemory.device, .firmware, .calibration] {
      // One that does not let its memory be read is a meter all the same.
      guard let bytes = try session.memory(place, until: deadline) else { continue }
      says.take(place, bytes)
    }
    var identity = plate
    identity.model = "POWER-Z \(says.model.isEmpty ? plate.model : says.model)"
    if !says.serial.isEmpty { identity.serial = says.serial }
    identity.firmware = says.firmware
    identity.range =
      options.reading == .queue
      ? "its queue, \(options.queueRate.hertz) samples a second"
      : "values of the moment, \(options.rate) times a second"
    return KM003CMeter(identity, session, says, options, release: release)
  }
}
