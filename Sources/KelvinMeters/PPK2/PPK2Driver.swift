public import KelvinConnections
internal import KelvinDevices
public import KelvinModel

/// `driver: ppk2`: Nordic's Power Profiler Kit II, on this machine's USB.
public struct PPK2Driver: MeterDriver {
  /// Creates the driver.
  public init() {}

  static let verified = "simulator only"

  public let declaration = Declaration(
    .meter, "ppk2", summary: "Nordic's Power Profiler Kit II.",
    description: """
      Currents up to 1 A, 100,000 a second, and eight digital inputs, over a USB serial port. It \
      supplies the board itself (mode: source), or stands between it and another supply (mode: ampere). \
      The board is connected when it measures first and disconnected when the meter is closed. It \
      measures no voltage: what 'voltage' says is what power is computed with, and its limit is part of \
      the uncertainty. Lost samples are told by its counter, and by the clock where that cannot.
      Source: NordicSemiconductor/pc-nrfconnect-ppk; observations of tipoLi5890/ppk2lab.
      """,
    options: PPK2Options.declared,
    alternatives: [.init(["path", "match"], required: false)], verified: PPK2Driver.verified)

  /// Those that are plugged into this machine.
  public func find(
    through connection: any Connection, until deadline: Deadline
  ) async throws(MeterFailure) -> [FoundMeter] {
    PPK2Port.places.all(
      through: connection, opening: .serialPort,
      channels: [
        Channel(
          name: "current", unit: "A", scale: PPK2Decoder.scale, kind: .current,
          range: PPK2Limits.current)
      ])
  }

  /// A device of this host.
  public func needsLink(_ options: [String: Value]) -> Bool { false }

  public func open(
    name: String, options: [String: Value], through connection: any Connection,
    until deadline: Deadline
  ) async throws(MeterFailure) -> any Meter {
    let choices = try PPK2Options(options, of: name)
    let (path, match) = (options["path"]?.text, DeviceMatch(options["match"]))
    guard path == nil || match == nil else {
      throw MeterFailure(
        .invalid, "\(name): both 'match' and 'path'", hint: "name the meter in one way")
    }
    let port = try PPK2Port(name: name, path: path, match: match, until: deadline)
    try port.quiet(until: deadline)
    let metadata = try port.metadata(until: deadline)
    let supply = choices.voltage.map { ", \($0.value) V" } ?? ""
    return try PPK2Meter(
      MeterIdentity(
        name: name, driver: "ppk2", model: "Power Profiler Kit II",
        serial: match?.keys.first { $0.name == "ID_SERIAL_SHORT" }?.value ?? "",
        firmware: metadata.hardware.map { "hardware \($0)" } ?? "", location: port.line.path,
        range: "automatic, \(choices.mode.rawValue) mode\(supply)",
        verified: Self.verified),
      port, choices, metadata)
  }
}
