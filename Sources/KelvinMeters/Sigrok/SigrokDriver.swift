internal import Glibc
public import KelvinConnections
public import KelvinModel

/// `driver: sigrok`: whatever sigrok-cli reads, as a program whose lines are read.
public struct SigrokDriver: MeterDriver {
  /// Creates the driver.
  public init() {}

  static let verified = "sigrok's demo driver, and its SCPI drivers against the simulator"

  public let declaration = Declaration(
    .meter, "sigrok", summary: "Any of the devices that sigrok reads, through sigrok-cli.",
    description: """
      sigrok-cli (Debian's 0.7.2) is run with a driver and a connection, and its analog values are read as they \
      come. It tells no times: a value's time is its arrival, late by up to 'delay'. It tells no losses either, and \
      nothing of accuracy: give that by 'accuracy'. What a channel measures is known from a first sample when \
      the meter is opened. A meter with a driver of Kelvin's own is better read by that.
      """,
    options: SigrokOptions.declared, verified: SigrokDriver.verified)

  /// A device of this machine's.
  public func needsLink(_ options: [String: Value]) -> Bool { false }

  public func open(
    name: String, options: [String: Value], through connection: any Connection,
    until deadline: Deadline
  ) async throws(MeterFailure) -> any Meter {
    let options = try SigrokOptions(options, of: name)
    let called = "\(name): sigrok \(options.device)"
    let limit = deadline.limited(toSeconds: options.patience)
    let shown = try await Self.run(
      ["sigrok-cli", "-d", options.device, "--show"], called, until: limit)
    guard let device = SigrokDevice(shown: shown.output) else {
      throw MeterFailure(
        .notFound, "\(called): no device found", evidence: shown.said,
        hint: "try 'sigrok-cli -d \(options.device) --scan'")
    }
    if let missing = options.channels?.first(where: { !device.channels.contains($0) }) {
      throw MeterFailure(
        .notFound, "\(called): it has no channel '\(missing)'",
        hint: "it has " + device.channels.joined(separator: ", "))
    }
    let first = try await Self.run(options.argv(options.channels, samples: 1), called, until: limit)
    let (names, channels) = try Self.channels(first.output, first.said, device, options, called)
    let delay = options.delay
    return CommandMeter(
      MeterIdentity(
        name: name, driver: "sigrok", model: device.title, serial: device.serial,
        location: options.device, verified: Self.verified),
      ProgramPlan(
        argv: options.argv(names, samples: 2_000_000_000), patience: options.patience, stop: SIGINT,
        grace: 2), channels: channels, rate: nil,
      properties: [
        MeterProperty("device", device.title),
        MeterProperty("times", "arrival, up to \(delay * 1000) ms late: sigrok-cli tells none"),
        MeterProperty("losses", "nothing would show one")
      ], through: LocalConnection()
    ) { SigrokStream(channels, names: names, delay: delay * 1e9, name: called, into: $0) }
  }

  /// Runs sigrok-cli to its end.
  private static func run(
    _ argv: [String], _ name: String, until deadline: Deadline
  ) async throws(MeterFailure) -> (output: String, said: String) {
    let result: CommandResult
    do throws(ConnectionFailure) {
      result = try await LocalConnection().execute(
        Command(
          argv, standardOutput: .capture(limit: 1 << 20), standardError: .capture(limit: 16_384)),
        until: deadline)
    } catch {
      if error.code == .notFound {
        throw MeterFailure(
          .notFound, "\(name): there is no sigrok-cli", hint: "apt install sigrok-cli")
      }
      if error.code == .timedOut {
        throw MeterFailure(
          .timedOut, "\(name): it does not answer", hint: "is it switched on, and connected?")
      }
      throw MeterFailure(error, of: name)
    }
    // It exits with 1 whatever came of it, and says on standard error what did not.
    let said = result.standardError.text
    guard !said.contains("busy"), !said.contains("locked") else {
      throw MeterFailure(
        .busy, "\(name): another program has it", evidence: CommandCapture.tail(said))
    }
    return (result.standardOutput.text, CommandCapture.tail(said))
  }

  /// What the channels measure, by a first sample of each.
  private static func channels(
    _ text: String, _ said: String, _ device: SigrokDevice, _ options: SigrokOptions, _ name: String
  ) throws(MeterFailure) -> ([String], [Channel]) {
    let read = text.split(separator: "\n").compactMap { line in
      let bytes = Array(line.utf8)
      return SigrokLine(bytes.span)
    }
    var names: [String] = []
    var channels: [Channel] = []
    // In the device's order, whatever came first.
    for channel in device.channels {
      guard let read = read.first(where: { $0.channel == channel }) else { continue }
      guard let quantity = SigrokLine.quantity(read.unit) else {
        guard options.channels?.contains(read.channel) == true else { continue }
        throw MeterFailure(
          .unsupported, "\(name): channel '\(read.channel)' measures '\(read.unit)'",
          hint: "leave it out of 'channels'")
      }
      names.append(read.channel)
      channels.append(
        Channel(
          name: read.channel, unit: quantity.kind.dimension?.baseUnit ?? "",
          scale: SCPIPlan.scales[quantity.kind] ?? 1e-9, site: device.site(read.channel),
          kind: quantity.kind, accuracy: options.accuracy[quantity.kind]))
    }
    let silent = options.channels?.filter { !names.contains($0) } ?? []
    guard !channels.isEmpty, silent.isEmpty else {
      throw MeterFailure(
        .unsupported,
        "\(name): it tells no analog value"
          + (silent.isEmpty ? "" : " of " + silent.joined(separator: ", ")),
        evidence: said,
        hint: "is it a logic analyzer? is its input in range?")
    }
    return (names, channels)
  }
}
