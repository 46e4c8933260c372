public import KelvinConnections
internal import KelvinDevices
public import KelvinModel

/// `driver: arm-energy-probe`: Arm's Energy Probe, on this machine's USB.
public struct EnergyProbeDriver: MeterDriver {
  /// Creates the driver.
  public init() {}

  static let verified = "simulator only"

  public let declaration = Declaration(
    .meter, "arm-energy-probe", summary: "Arm's Energy Probe.",
    description: """
      Power, voltage and current of up to three channels, 10,000 a second, over a USB serial port, each over \
      a shunt of the board, whose resistance must be known. Its maker calls it no high-precision \
      instrument, and states no accuracy. Lost frames are told by their number, and by the clock where that \
      cannot. Nothing of the board is changed. Where a channel sends voltage and current, power is their \
      product; its own power alone has the finer steps above 1 V.
      Source: ARM-software/caiman, caiman/EnergyProbe.cpp.
      """,
    options: EnergyProbeOptions.declared,
    alternatives: [.init(["path", "match"], required: false)], verified: EnergyProbeDriver.verified)

  /// Those that are plugged into this machine; none can be used before somebody says what its shunts are.
  public func find(
    through connection: any Connection, until deadline: Deadline
  ) async throws(MeterFailure) -> [FoundMeter] {
    EnergyProbePort.places.all(through: connection, opening: .serialPort, channels: []).map {
      var found = $0
      found.obstacle =
        found.obstacle
        ?? MeterFailure(
          .invalid, "\(found.name): nothing says what its shunts are",
          hint: "name it in the bench file, with 'channels: {0: 20 mohm}'")
      return found
    }
  }

  /// A device of this host.
  public func needsLink(_ options: [String: Value]) -> Bool { false }

  public func open(
    name: String, options: [String: Value], through connection: any Connection,
    until deadline: Deadline
  ) async throws(MeterFailure) -> any Meter {
    let choices = try EnergyProbeOptions(options, of: name)
    let (path, match) = (options["path"]?.text, DeviceMatch(options["match"]))
    guard path == nil || match == nil else {
      throw MeterFailure(
        .invalid, "\(name): both 'match' and 'path'", hint: "name the meter in one way")
    }
    let port = try EnergyProbePort(name: name, path: path, match: match, until: deadline)
    try port.sync(until: deadline)
    let (vendor, version) = try port.identify(until: deadline)
    let shunts = choices.ports.map { "\($0.site) \($0.milliohms) mohm" }
    return EnergyProbeMeter(
      MeterIdentity(
        name: name, driver: "arm-energy-probe", model: "Arm Energy Probe",
        serial: match?.keys.first { $0.name == "ID_SERIAL_SHORT" }?.value ?? "",
        firmware: "protocol \(version)", location: port.line.path,
        range: "shunts: " + shunts.joined(separator: ", "), verified: Self.verified),
      port, choices, vendor: vendor)
  }
}
