public import KelvinConnections
public import KelvinModel

/// Chips of the kernel's hwmon class that measure voltage, current, power or energy: INA2xx, INA3221,
/// INA238, PMBus converters, ACPI power meters and any other.
public struct HwmonDriver: MeterDriver {
  public init() {}

  public var declaration: Declaration {
    Declaration(
      .meter, "hwmon",
      summary: "Sensors of the kernel's hwmon class: voltage, current, power, energy.",
      description: """
        Read from /sys/class/hwmon of the board, or of this machine, at a steady rate. A chip that \
        converts more slowly than it is read gives the same conversion again: such samples are \
        counted, and 'rate' is by default no faster than the chip says that it converts.
        """,
      options: [
        .init(
          "chip", .text, "Its name, as 'kelvin meter list' tells; needed where there are several."),
        .init(
          "rate", .quantity(.frequency, bare: "Hz"), range: 0.01...10_000, isDetail: true,
          "How often it is read; default: as often as it converts, at most 100 Hz."),
        .init("channels", .list(.text), isDetail: true, "Only these of its channels."),
        .init(
          "shunt-tolerance", .quantity(.ratio, bare: nil), range: 0...1, isDetail: true,
          "How far the chip's shunt may be off, where its data sheet tells the rest; "
            + "1 % is assumed."),
        AccuracyOptions.option
      ],
      verified: "drivers of real kernels on emulated chips only")
  }

  public func find(
    through connection: any Connection, until deadline: Deadline
  ) async throws(MeterFailure) -> [FoundMeter] {
    try await chips(through: connection, until: deadline).map { chip in
      FoundMeter(
        name: "hwmon/\(chip.id)", driver: "hwmon", options: ["chip": .text(chip.id)],
        summary: "\(chip.name), \(HwmonChip.directory)/\(chip.device)", channels: chip.channels)
    }
  }

  public func open(
    name: String, options: [String: Value], through connection: any Connection,
    until deadline: Deadline
  ) async throws(MeterFailure) -> any Meter {
    var chip = try KernelMeter.choose(
      try await chips(through: connection, until: deadline),
      "hwmon chip that measures voltage, current, power or energy",
      by: ("chip", options["chip"]?.text), of: name, on: connection.name, name: \.id
    ) { chip, word in word == chip.id || word == chip.name || word == chip.device }
    try await state(&chip, options["shunt-tolerance"]?.number, through: connection, until: deadline)
    // No faster than it converts: what is read again is no sample of its own.
    let conversion = chip.channels.compactMap(\.averagingTime).max()
    let rate =
      options["rate"]?.number ?? min(100, conversion.map { 1 / ($0 * chip.pace) } ?? 10)
    return try KernelMeter.open(
      name: name, driver: "hwmon", model: chip.name,
      location: "\(connection.name): \(HwmonChip.directory)/\(chip.device)",
      range: chip.shunt.map { "shunt \($0) ohm" } ?? "", channels: chip.channels,
      files: chip.files, rate: rate, properties: chip.properties, options: options,
      verified: declaration.verified ?? "", through: connection)
  }

  /// Says how far its values may be off, where its data sheet is known.
  private func state(
    _ chip: inout HwmonChip, _ tolerance: Double?, through connection: any Connection,
    until deadline: Deadline
  ) async throws(MeterFailure) {
    guard let known = ChipAccuracy.known[chip.name] else { return }
    var volts = 0.0
    if let place = chip.channels.firstIndex(where: { $0.name == "in1" }) {
      do throws(ConnectionFailure) {
        // One that cannot be read now is told when it is sampled.
        if case .success(let bytes) = try await connection.read(
          [chip.files[place]], until: deadline
        ).first {
          let text = String(decoding: bytes.prefix(32), as: UTF8.self).trimmingASCIIWhitespace
          volts = (Double(text) ?? 0) * chip.channels[place].scale
        }
      } catch {
        throw MeterFailure(error, of: connection.name)
      }
    }
    chip.state(known, tolerance: tolerance, volts: volts)
  }

  private func chips(
    through connection: any Connection, until deadline: Deadline
  ) async throws(MeterFailure) -> [HwmonChip] {
    do throws(ConnectionFailure) {
      let tree = try await KernelFiles.read(
        HwmonChip.directory, through: connection, until: deadline, mark: "name",
        where: HwmonChip.isLookedAt)
      let plain = tree.devices.compactMap { HwmonChip($0, in: tree, link: nil) }
      // Two chips of a kind are told apart by what they hang on.
      let names = Dictionary(grouping: plain, by: \.name).filter { $0.value.count > 1 }
      guard !names.isEmpty else { return plain }
      return plain.compactMap { chip in
        names[chip.name] == nil
          ? chip
          : HwmonChip(chip.device, in: tree, link: tree.link(chip.device, "device") ?? chip.device)
      }
    } catch {
      throw MeterFailure(error, of: connection.name)
    }
  }
}
