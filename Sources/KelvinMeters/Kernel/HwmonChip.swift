internal import KelvinConnections
internal import KelvinModel

/// A chip of the kernel's hwmon class, with the electrical quantities that it offers.
///
/// Units: Linux, Documentation/hwmon/sysfs-interface.rst (mV, mA, uW, uJ).
struct HwmonChip: Sendable {
  /// `hwmon3`.
  var device: String
  /// What the driver calls itself: `ina226`.
  var name: String
  /// Differs within the board and from one boot to the next only with the hardware: `ina226-1-0040`.
  var id: String
  var channels: [Channel]
  /// Of each channel.
  var files: [TargetPath]
  /// In seconds: between two conversions; nil when the chip does not say.
  var updateInterval: Double?
  /// In ohms; nil when the chip has none, or does not say.
  var shunt: Double?
  /// Of chips with several, by number.
  var shunts: [Int: Double] = [:]
  var properties: [MeterProperty]

  /// How much longer than a conversion it is left alone between two readings.
  ///
  /// acpi_power_meter asks its meter when it is read, and keeps the answer for the sampling time from then on (Linux,
  /// drivers/hwmon/acpi_power_meter.c, update_meter): read just as often, each other reading comes a moment too
  /// soon and gives the last answer again, and half of the time is never measured.
  var pace: Double { name == "power_meter" ? 1.03 : 1 }

  static let directory: TargetPath = "/sys/class/hwmon"

  private struct Quantity {
    var prefix: String
    var files: [String]
    var kind: MeterChannel.Kind
    var scale: Double
  }
  private static let quantities = [
    Quantity(prefix: "energy", files: ["input"], kind: .energy, scale: 1e-6),
    Quantity(prefix: "power", files: ["input", "average"], kind: .power, scale: 1e-6),
    Quantity(prefix: "curr", files: ["input"], kind: .current, scale: 1e-3),
    Quantity(prefix: "in", files: ["input"], kind: .voltage, scale: 1e-3)
  ]

  /// Whether a file of a chip is looked at before it is sampled.
  static func isLookedAt(_ file: String) -> Bool {
    file == "name" || file == "update_interval" || file == "shunt_resistor"
      || file.hasPrefix("shunt") && file.hasSuffix("_resistor")
      || file.hasSuffix("_label") || file.hasSuffix("_average_interval")
  }

  /// Reads what a chip offers; nil when it has nothing electrical.
  init?(_ device: String, in tree: KernelFiles, link: String?) {
    let all = Set(tree.files[device] ?? [])
    self.device = device
    let name = tree.text(device, "name") ?? device
    self.name = name
    id = link.map { "\(name)-\($0)" } ?? name
    let converted = tree.integer(device, "update_interval").map { Double($0) / 1000 }
    updateInterval = converted.flatMap { $0 > 0 ? $0 : nil }
    shunt = tree.integer(device, "shunt_resistor").map { Double($0) * 1e-6 }
    for number in 1...3 {
      shunts[number] = tree.integer(device, "shunt\(number)_resistor").map { Double($0) * 1e-6 }
    }
    (channels, files) = ([], [])
    // Drivers that register in the old way (acpi_power_meter) have their files one level up.
    let folder =
      (tree.folders[device].map { HwmonChip.directory.appending(device).appending($0) })
      ?? HwmonChip.directory.appending(device)
    properties = [
      MeterProperty("chip", name), MeterProperty("directory", "\(HwmonChip.directory)/\(device)")
    ]
    if let shunt { properties.append(MeterProperty("shunt", "\(shunt) ohm")) }
    if let updateInterval {
      properties.append(MeterProperty("update interval", "\(updateInterval * 1000) ms"))
    }
    let isINA2xx = ["ina219", "ina220", "ina226", "ina230", "ina231"].contains(name)
    for quantity in HwmonChip.quantities {
      let numbers = all.compactMap { HwmonChip.number($0, quantity.prefix, quantity.files) }
      for number in Set(numbers).sorted() {
        guard
          let file = quantity.files.lazy.map({ "\(quantity.prefix)\(number)_\($0)" }).first(
            where: all.contains)
        else { continue }
        let averaging =
          tree.integer(device, "\(quantity.prefix)\(number)_average_interval")
          .map { Double($0) / 1000 } ?? updateInterval
        // in0 of these is the voltage of the shunt, rounded to millivolts.
        let isShunt = isINA2xx && quantity.prefix == "in" && number == 0
        channels.append(
          Channel(
            name: "\(quantity.prefix)\(number)", unit: quantity.kind.dimension?.baseUnit ?? "",
            scale: quantity.scale,
            site: isShunt ? "shunt" : HwmonChip.site(number, quantity.prefix, device, tree),
            kind: quantity.kind, wrap: quantity.kind == .energy ? 0 : nil,
            averagingTime: quantity.kind == .energy ? nil : averaging))
        files.append(folder.appending(file))
      }
    }
    guard !channels.isEmpty else { return nil }
  }

  /// The number of `PREFIXn_FILE`.
  private static func number(_ file: String, _ prefix: String, _ endings: [String]) -> Int? {
    guard file.hasPrefix(prefix) else { return nil }
    let parts = file.dropFirst(prefix.count).split(separator: "_", maxSplits: 1)
    guard parts.count == 2, endings.contains(String(parts[1])) else { return nil }
    return Int(parts[0])
  }

  /// Where a quantity is measured: by its label (PMBus drivers say `vout1`, `iout1`, `pout1` of one
  /// site), or that of another quantity of its number (ina3221 names voltages alone), or its number.
  private static func site(
    _ number: Int, _ prefix: String, _ device: String, _ tree: KernelFiles
  ) -> String {
    let prefixes = [prefix] + ["in", "curr", "power", "energy"].filter { $0 != prefix }
    for (index, prefix) in prefixes.enumerated() {
      guard let label = tree.text(device, "\(prefix)\(number)_label"), !label.isEmpty else {
        continue
      }
      let rest = label.dropFirst()
      if "vip".contains(label.prefix(1)), rest == "in" || rest.hasPrefix("out") {
        return index == 0 ? String(rest) : String(number)
      }
      return label
    }
    return String(number)
  }
}
