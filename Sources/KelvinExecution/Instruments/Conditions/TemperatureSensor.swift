internal import KelvinConnections
internal import KelvinModel

/// A file of a target that holds a temperature in thousandths of a degree: of a thermal zone
/// (Documentation/driver-api/thermal/sysfs-api.rst) or of hwmon (Documentation/hwmon/sysfs-interface.rst).
struct TemperatureSensor: Sendable, Hashable {
  /// `cpu-thermal`, `coretemp/Package id 0`.
  var name: String
  var path: TargetPath
  /// Everything that it may be called.
  var names: Set<String> = []
  /// Whether it sits in or at a CPU, as far as its name tells.
  var isOfCPU = false

  /// Degrees in what its file held; nil for anything but a number.
  static func degrees(_ content: [UInt8]) -> Double? {
    KernelText(content).integer.map { Double($0) / 1000 }
  }

  /// Finds the sensors that go by a name, or those of the CPUs.
  ///
  /// - Parameter name: a thermal zone's type, name (`thermal_zone0`) or number; a chip of hwmon, or
  ///   `CHIP/temp1` or `CHIP/LABEL`; a path. Nil: those of the CPUs, or all zones where none is.
  /// - Throws: ``InstrumentUnavailable``; a failure of the link.
  static func find(
    _ name: String?, on connection: any Connection, until deadline: Deadline
  ) async throws -> [TemperatureSensor] {
    if let name, name.hasPrefix("/") {
      return [TemperatureSensor(name: name, path: TargetPath(name))]
    }
    let zones = try await zones(of: connection, until: deadline)
    let found = zones.filter { sensor in name.map(sensor.names.contains) ?? sensor.isOfCPU }
    if !found.isEmpty { return found }
    let chips = try await chips(of: connection, until: deadline)
    let others = chips.filter { sensor in name.map(sensor.names.contains) ?? sensor.isOfCPU }
    if !others.isEmpty { return others }
    guard let name else {
      guard zones.isEmpty else { return zones }
      throw InstrumentUnavailable(
        "/sys/class/thermal, /sys/class/hwmon: there is no temperature of a CPU",
        hint: "say where it is read: 'zone: NAME' or 'zone: /PATH'")
    }
    let all = (zones + chips).map(\.name)
    throw InstrumentUnavailable(
      "no thermal zone and no hwmon chip is called '\(name)'",
      hint: all.isEmpty ? "this board has none at all" : NearestName.hint(for: name, in: all))
  }

  private static func zones(
    of connection: any Connection, until deadline: Deadline
  ) async throws(ConnectionFailure) -> [TemperatureSensor] {
    let root: TargetPath = "/sys/class/thermal"
    let prefix = "thermal_zone"
    let names = try await connection.numberedEntries(prefix, in: root, until: deadline)
    guard !names.isEmpty else { return [] }
    let types = try await connection.read(
      names.map { root.appending($0).appending("type") }, until: deadline)
    return zip(names, types).map { zone, content in
      let type = text(content)
      return TemperatureSensor(
        name: type.isEmpty ? zone : type, path: root.appending(zone).appending("temp"),
        names: [zone, String(zone.dropFirst(prefix.count)), type],
        isOfCPU: ["cpu", "pkg_temp", "soc"].contains { type.lowercased().contains($0) })
    }
  }

  private static func chips(
    of connection: any Connection, until deadline: Deadline
  ) async throws(ConnectionFailure) -> [TemperatureSensor] {
    let inputs = try await PathPattern(text: "/sys/class/hwmon/hwmon*/temp*_input")
      .resolve(connection, until: deadline)
    guard !inputs.isEmpty else { return [] }
    let stems = inputs.map { String($0.string.dropLast("_input".count)) }
    let parts = stems.map { $0.split(separator: "/").map(String.init) }
    let contents = try await connection.read(
      zip(stems, parts).flatMap { stem, parts in
        [
          TargetPath("/" + parts.dropLast().joined(separator: "/") + "/name"),
          TargetPath(stem + "_label")
        ]
      }, until: deadline)
    return inputs.indices.map { index in
      let channel = parts[index].last ?? ""
      let chip = text(contents[2 * index])
      let label = text(contents[2 * index + 1])
      let folder = parts[index].dropLast().last ?? ""
      let cpuChips = ["coretemp", "k10temp", "zenpower"]
      return TemperatureSensor(
        name: "\(chip.isEmpty ? folder : chip)/\(label.isEmpty ? channel : label)",
        path: inputs[index],
        names: Set([chip, folder].flatMap { [$0, "\($0)/\(channel)", "\($0)/\(label)"] }),
        isOfCPU: cpuChips.contains(chip) || chip.lowercased().contains("cpu"))
    }
  }

  private static func text(_ content: Result<[UInt8], Errno>) -> String {
    (try? content.get()).map { KernelText($0).trimmed } ?? ""
  }
}
