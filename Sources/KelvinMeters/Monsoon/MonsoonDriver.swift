public import KelvinConnections
internal import KelvinDevices
public import KelvinModel

/// `driver: monsoon`: Monsoon Solutions' power monitors HVPM and LVPM, on this machine's USB.
public struct MonsoonDriver: MeterDriver {
  /// Creates the driver.
  public init() {}

  static let verified = "simulator only"
  private static let places = MeterPlaces(driver: "monsoon", title: "Monsoon Power Monitor")

  public let declaration = Declaration(
    .meter, "monsoon", summary: "Monsoon's power monitors HVPM and LVPM.",
    description: """
      Current and voltage of its supply, of a USB port that it connects through, and the current of an \
      auxiliary input, 5,000 times a second. It supplies the board itself when 'voltage' says with what; \
      the output is switched off when the meter is closed. Samples that it had to drop are told by its \
      own count.
      Source: msoon/PyMonsoon; Android's ACTS.
      """,
    options: MonsoonOptions.declared,
    alternatives: [.init(["match"], required: false)], verified: MonsoonDriver.verified)

  /// Those that are plugged into this machine.
  public func find(
    through connection: any Connection, until deadline: Deadline
  ) async throws(MeterFailure) -> [FoundMeter] {
    // Its voltage's step is known when it is opened, since it tells the model.
    Self.places.all(
      through: connection, opening: .usbDevice,
      channels: [
        Channel(
          name: "main-current", unit: "A", scale: MonsoonStream.scale, site: "main", kind: .current),
        Channel(name: "main-voltage", unit: "V", site: "main", kind: .voltage)
      ])
  }

  /// A device of this host.
  public func needsLink(_ options: [String: Value]) -> Bool { false }

  public func open(
    name: String, options: [String: Value], through connection: any Connection,
    until deadline: Deadline
  ) async throws(MeterFailure) -> any Meter {
    let choices = try MonsoonOptions(options, of: name)
    let found: HostDevice
    do throws(DeviceFailure) {
      found = try Self.places.usbDevice(match: DeviceMatch(options["match"]))
    } catch { throw MeterFailure(error, of: name) }
    let port = try MonsoonPort(name: name, found, until: deadline)
    do throws(MeterFailure) {
      return try await open(port, choices, until: deadline)
    } catch {
      port.close()
      throw error
    }
  }

  /// Tells whether the firmware says that it samples (PyMonsoon, pmapi.verifyReady).
  private static let firmwareWithStatus: UInt32 = 26

  private func open(
    _ port: MonsoonPort, _ options: MonsoonOptions, until deadline: Deadline
  ) async throws(MeterFailure) -> any Meter {
    try await port.quiet(until: deadline)
    let number = try await port.get(.model, until: deadline)
    guard let model = MonsoonModel(rawValue: number) else {
      throw MeterFailure(
        .unsupported, "\(port.name): it says that it is model \(number)",
        hint: "models 1 (LVPM) and 2 (HVPM) are known")
    }
    try options.check(model, of: port.name)
    let firmware = try await port.get(.firmware, until: deadline)
    if firmware >= Self.firmwareWithStatus {
      let status = try await port.get(.status, until: deadline)
      guard status & 0x80 == 0 else {
        throw MeterFailure(
          .malfunction, "\(port.name): it samples, though it was told to stop",
          hint: "unplug it and plug it in again")
      }
    }
    var answers: [MonsoonValue: UInt32] = [:]
    for value in MonsoonScales.values(of: model) {
      answers[value] = try await port.get(value, until: deadline)
    }
    let serial = try await port.get(.serialNumber, until: deadline)
    let voltage = try await port.get(.mainVoltage, until: deadline)
    let supply = options.voltage.map { ", \($0) V" } ?? ""
    return MonsoonMeter(
      MeterIdentity(
        name: port.name, driver: "monsoon", model: model.name, serial: "\(serial)",
        firmware: "\(firmware)", location: "\(port.device.info)",
        range: "fine and coarse, automatic\(supply)", verified: Self.verified),
      port, model, MonsoonScales(model, answers), options,
      found: MonsoonModel.volts(raw: voltage))
  }
}
