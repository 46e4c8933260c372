public import KelvinConnections
public import KelvinModel

/// `driver: plug`: smart plugs that tell what they give, indicative only.
public struct PlugDriver: MeterDriver {
  /// Creates the driver.
  public init() {}

  static let verified = "simulator only"

  public let declaration = Declaration(
    .meter, "plug", summary: "A smart plug that measures: Tasmota or Shelly. Indicative only.",
    description: """
      It is asked over HTTP, and tells the last of its conversions, one in 'update'; such a plug resolves a tenth of a \
      watt or less, and nobody calibrates it. Its counter of energy is read when it is asked for by 'read: [energy]', and \
      then energies are its own, in steps of 3.6 J (Shelly from the second generation on) to 3,600 J (Tasmota): \
      for runs of many minutes. It measures at the mains, with the losses of the board's supply. Nothing of \
      it is switched; the power switches 'tasmota' and 'shelly' do that.
      Source: tasmota.github.io/docs, shelly-api-docs.shelly.cloud (hardware/meters/plug.md).
      """,
    options: [
      .init(
        "model", .choice(PlugModel.names), required: true,
        "Its firmware: 'tasmota', or 'shelly' of any generation.")
    ] + MeterHTTP.options(port: 80) + MeterHTTP.credentials + [
      .init(
        "output", .integer, range: 0...32, isDetail: true,
        "Which of its outputs: from 1 on for Tasmota, from 0 on for Shelly; the first one otherwise."
      ),
      .init(
        "read", .list(.choice(["power", "voltage", "current", "energy"])), isDetail: true,
        "What is read; power otherwise."),
      .init(
        "rate", .quantity(.frequency, bare: "Hz"), default: .number(2), range: 1e-3...20,
        isDetail: true, "Questions a second."),
      .init(
        "update", .quantity(.time, bare: "s"), default: .number(1), range: 0.01...3600,
        isDetail: true, "How often it makes a new value."),
      .init(
        "patience", .quantity(.time, bare: "s"), default: .number(5), range: 0.1...600,
        isDetail: true, "How long no question may be answered."),
      AccuracyOptions.option
    ], verified: PlugDriver.verified)

  /// A machine of its own.
  public func needsLink(_ options: [String: Value]) -> Bool { false }

  public func open(
    name: String, options: [String: Value], through connection: any Connection,
    until deadline: Deadline
  ) async throws(MeterFailure) -> any Meter {
    let http = try MeterHTTP(options, port: 80, of: name)
    let wanted = options["model"]?.text ?? "tasmota"
    let output =
      options["output"]?.integer.flatMap { Int(exactly: $0) } ?? (wanted == "tasmota" ? 1 : 0)
    let patience = options["patience"]?.number ?? 5
    let accuracy = try AccuracyOptions.read(options["accuracy"], of: name)
    let limit = deadline.limited(toSeconds: 2 * patience)
    let found = try PlugIdentity.find(wanted, http, output, until: limit)
    let kinds =
      options["read"]?.list?.compactMap { $0.text.flatMap(MeterChannel.Kind.init(rawValue:)) }
      ?? [.power]
    guard !kinds.isEmpty, Set(kinds).count == kinds.count else {
      throw MeterFailure(.invalid, "\(name): 'read' names what is read, each once")
    }
    let reading = try PlugSource.read(http, found.model, output, until: limit)
    if !reading.isEmpty, let missing = kinds.first(where: { reading.value($0) == nil }) {
      throw MeterFailure(
        .unsupported, "\(http.name): it tells no \(missing.rawValue)",
        hint: "leave that out of 'read'")
    }
    let update = options["update"]?.number ?? 1
    let source = PlugSource(
      http: http, model: found.model, output: output,
      channels: kinds.map { found.model.channel($0, update: update, accuracy[$0]) })
    return PolledMeter(
      MeterIdentity(
        name: name, driver: "plug", model: found.title, serial: found.serial,
        firmware: found.firmware, location: "\(http.host):\(http.port), output \(output)",
        verified: Self.verified), source, rate: options["rate"]?.number ?? 2, patience: patience,
      properties: [
        MeterProperty("plug", "\(found.title) (\(found.model.title)), output \(output)"),
        MeterProperty("worth", "indicative: a plug's meter, calibrated by nobody, at the mains"),
        MeterProperty("new values", "each \(update) s"),
        MeterProperty("steps of its counter", "\(found.model.energyStep) J")
      ])
  }
}
