public import KelvinConnections
public import KelvinModel

/// Batteries and chargers of the kernel's power_supply class.
///
/// Units: Linux, Documentation/ABI/testing/sysfs-class-power (uV, uA, uW, uWh, uAh). The sign of
/// `current_now` is the driver's own: the ABI says negative when discharging, and many do not do so.
public struct PowerSupplyDriver: MeterDriver {
  public init() {}

  static let directory: TargetPath = "/sys/class/power_supply"
  private static let quantities: [(file: String, kind: MeterChannel.Kind, scale: Double)] = [
    ("power_now", .power, 1e-6), ("current_now", .current, 1e-6), ("voltage_now", .voltage, 1e-6),
    ("energy_now", .energy, 3.6e-3), ("charge_now", .charge, 3.6e-3)
  ]

  public var declaration: Declaration {
    Declaration(
      .meter, "power_supply", summary: "Batteries and chargers, as their gauges report.",
      description: """
        Read from /sys/class/power_supply. Gauges are slow (often a value in several seconds) and \
        coarse, and drivers disagree about the sign of the current; for anything shorter than \
        minutes use another meter.
        """,
      options: [
        .init(
          "supply", .text, "Its name in /sys/class/power_supply; needed where there are several."),
        .init(
          "rate", .quantity(.frequency, bare: "Hz"), default: .number(2), range: 0.01...1000,
          isDetail: true, "How often it is read."),
        .init("channels", .list(.text), isDetail: true, "Only these of its channels."),
        AccuracyOptions.option
      ],
      verified: "a real kernel's battery on an emulated board only")
  }

  public func find(
    through connection: any Connection, until deadline: Deadline
  ) async throws(MeterFailure) -> [FoundMeter] {
    try await supplies(through: connection, until: deadline).map { supply in
      FoundMeter(
        name: "power_supply/\(supply.name)", driver: "power_supply",
        options: ["supply": .text(supply.name)],
        summary: "\(supply.type), \(Self.directory)/\(supply.name)", channels: supply.channels)
    }
  }

  public func open(
    name: String, options: [String: Value], through connection: any Connection,
    until deadline: Deadline
  ) async throws(MeterFailure) -> any Meter {
    let supply = try KernelMeter.choose(
      try await supplies(through: connection, until: deadline), "power supply with a gauge",
      by: ("supply", options["supply"]?.text), of: name, on: connection.name, name: \.name
    ) { $0.name == $1 }
    return try KernelMeter.open(
      name: name, driver: "power_supply", model: supply.type,
      location: "\(connection.name): \(Self.directory)/\(supply.name)", channels: supply.channels,
      files: supply.files, rate: options["rate"]?.number ?? 2,
      properties: [MeterProperty("type", supply.type), MeterProperty("status", supply.status)],
      options: options, verified: declaration.verified ?? "", through: connection)
  }

  private struct Supply {
    var name: String
    var type: String
    var status: String
    var channels: [Channel]
    var files: [TargetPath]
  }

  private func supplies(
    through connection: any Connection, until deadline: Deadline
  ) async throws(MeterFailure) -> [Supply] {
    do throws(ConnectionFailure) {
      let tree = try await KernelFiles.read(
        Self.directory, through: connection, until: deadline
      ) { ["type", "status"].contains($0) }
      return tree.devices.compactMap { name in
        let all = tree.files[name] ?? []
        let there = Self.quantities.filter { all.contains($0.file) }
        guard !there.isEmpty else { return nil }
        return Supply(
          name: name, type: tree.text(name, "type") ?? "unknown",
          status: tree.text(name, "status") ?? "unknown",
          channels: there.map { file, kind, scale in
            // What is left in a battery goes up and down: it is no counter.
            Channel(
              name: file, unit: kind.dimension?.baseUnit ?? "", scale: scale, site: name, kind: kind
            )
          },
          files: there.map { Self.directory.appending(name).appending($0.file) })
      }
    } catch {
      throw MeterFailure(error, of: connection.name)
    }
  }
}
