public import KelvinConnections
internal import KelvinDevices
public import KelvinModel

/// `driver: joulescope-js110`: Jetperch's energy analyzer JS110, on this machine's USB.
public struct JS110Driver: MeterDriver {
  /// Creates the driver.
  public init() {}

  static let name = "joulescope-js110"
  static let verified = "simulator only"
  private static let places = MeterPlaces(driver: name, title: "Joulescope JS110")

  public let declaration = Declaration(
    .meter, JS110Driver.name, summary: "Jetperch's energy analyzer Joulescope JS110.",
    description: """
      Current and voltage between a supply and a board, 2,000,000 times a second, in seven ranges of current \
      that it chooses by itself, and two digital inputs; or twice a second what it computes of them. Samples \
      that are missing are told by its packets' numbers.
      Source: jetperch/joulescope_driver, jetperch/pyjoulescope.
      """,
    options: JS110Options.declared,
    alternatives: [.init(["match"], required: false)], verified: JS110Driver.verified)

  /// Those that are plugged into this machine.
  public func find(
    through connection: any Connection, until deadline: Deadline
  ) async throws(MeterFailure) -> [FoundMeter] {
    Self.places.all(
      through: connection, opening: .usbDevice,
      channels: JS110Meter.channels(hasInputs: false, [:], calibration: nil))
  }

  /// A device of this host.
  public func needsLink(_ options: [String: Value]) -> Bool { false }

  public func open(
    name: String, options: [String: Value], through connection: any Connection,
    until deadline: Deadline
  ) async throws(MeterFailure) -> any Meter {
    let choices = try JS110Options(options, of: name)
    let found: HostDevice
    do throws(DeviceFailure) {
      found = try Self.places.usbDevice(match: DeviceMatch(options["match"]))
    } catch { throw MeterFailure(error, of: name) }
    let port = try JS110Port(name: name, found, until: deadline)
    do throws(MeterFailure) {
      return try await open(port, choices, until: deadline)
    } catch {
      port.close()
      throw error
    }
  }

  private func open(
    _ port: JS110Port, _ options: JS110Options, until deadline: Deadline
  ) async throws(MeterFailure) -> any Meter {
    var settings = try await port.settings(until: deadline)
    if settings.isStreaming {
      settings.isStreaming = false
      try await port.set(settings, until: deadline)
      try await port.drain(until: deadline)
    }
    let serial = try await port.serialNumber(until: deadline)
    let information = try await port.information(until: deadline)
    let calibration = try await port.calibration(isFactory: options.isFactory, until: deadline)
    guard calibration.serial == serial else {
      throw MeterFailure(
        .malfunction, "\(port.name): its calibration is that of another meter",
        evidence: "it is \(serial), the calibration is of \(calibration.serial)",
        hint: options.isFactory
          ? "only Jetperch can calibrate it" : "'calibration: factory' uses the other one")
    }
    func text(_ path: String...) -> String? {
      path.reduce(information) { $0?.map?[$1] }?.text
    }
    let firmware = [text("ctl", "fw", "ver"), text("sensor", "fw", "ver").map { "sensor \($0)" }]
    return JS110Meter(
      MeterIdentity(
        name: port.name, driver: Self.name, model: text("ctl", "hw", "model") ?? "JS110",
        serial: text("ctl", "hw", "sn_mfg") ?? serial,
        firmware: firmware.compactMap(\.self).joined(separator: ", "),
        location: "\(port.device.info)",
        range: "current \(options.ranging.name), voltage \(options.voltageRange.name)",
        calibration: calibration.date, verified: Self.verified),
      port, calibration, options, found: settings)
  }
}
