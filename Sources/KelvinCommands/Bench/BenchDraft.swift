internal import KelvinDevices
internal import KelvinModel

/// A bench file to start from: every attached thing is in it, by keys that stay the same.
enum BenchDraft {
  /// The file's text.
  static func text(_ equipment: Equipment) -> String {
    var names = Names()
    var lines = [
      "# What is attached, as 'kelvin bench scan' found it: give boards their names and profiles",
      "# ('kelvin list boards'), and move consoles, power and meters to the boards they belong to.",
      "# 'kelvin bench check' proves each entry."
    ]
    lines += boards(equipment, &names)
    lines += meters(equipment, &names)
    return lines.joined(separator: "\n") + "\n"
  }

  private static func boards(_ equipment: Equipment, _ names: inout Names) -> [String] {
    var lines: [String] = []
    for item in equipment.items(.serialAdapter) {
      lines += [
        "  \(names.take("board")):", "    profile: generic-linux",
        "    # \(ScanText.printable(item.title))"
      ]
      lines += notes(item, indent: "    ")
      lines.append("    console: {serial: {match: \(YAMLText.match(item.match)), baud: 115200}}")
    }
    for item in equipment.items(.adb) {
      let way =
        item.serialNumber.map { "serial: \(YAMLText.quoted($0))" }
        ?? "usb: {match: \(YAMLText.match(item.match))}"
      lines += [
        "  \(names.take("android")):", "    profile: generic-android",
        "    # \(ScanText.printable(item.title))", "    connection: {adb: {\(way)}}"
      ]
    }
    for item in equipment.items(.fastboot) {
      lines += [
        "  \(names.take("fastboot")):", "    profile: generic-android",
        "    # \(ScanText.printable(item.title))",
        "    connection: {fastboot: {usb: {match: \(YAMLText.match(item.match))}}}"
      ]
    }
    let switches = (equipment.items(.relay) + equipment.items(.hub)).flatMap(powerLines)
    if !switches.isEmpty {
      lines.append("  # Power switches, to be put into the boards that they feed:")
      lines += switches
    }
    if lines.isEmpty || lines.allSatisfy({ $0.hasPrefix("  #") || $0.hasPrefix("    #") }) {
      return ["boards: {}"] + lines
    }
    return ["boards:"] + lines
  }

  /// Comments: which board a switch feeds is not to be seen from here.
  private static func powerLines(_ item: Equipment.Item) -> [String] {
    guard let driver = item.driver else { return [] }
    let match = YAMLText.match(item.match)
    let port =
      item.kind == .hub
      ? ", port: \(item.ports?.ports.first?.number ?? 1)"
      : driver == "ykush" ? ", port: 1" : ", relay: 1"
    return ["  # \(ScanText.printable(item.title))"] + notes(item, indent: "  ")
      + ["  #   power: {\(driver): {match: \(match)\(port)}}"]
  }

  private static func meters(_ equipment: Equipment, _ names: inout Names) -> [String] {
    var lines: [String] = []
    for item in equipment.items(.meter) {
      let name = item.driver ?? YAMLText.name(item.title)
      let label = item.serialNumber.map { "\(name)-\(YAMLText.name($0))" } ?? name
      let isUsable = item.driver != nil
      lines.append("  # \(ScanText.printable(item.title))")
      lines += notes(item, indent: "  ")
      lines.append(
        (isUsable ? "  " : "  # ")
          + "\(names.take(label, numbersFirst: false)): {driver: \(name), "
          + "match: \(YAMLText.match(item.match))}")
    }
    for item in equipment.items(.sensor) {
      lines.append(
        "  # \(ScanText.printable(item.title)): \(item.notes.map(ScanText.printable).joined())")
      lines.append(
        "  # \(names.take("hwmon-" + YAMLText.name(item.title), numbersFirst: false)): "
          + "{driver: hwmon, match: \(YAMLText.match(item.match))}")
    }
    guard lines.contains(where: { !$0.hasPrefix("  #") }) else {
      return lines.isEmpty ? [] : ["meters: {}"] + lines
    }
    return ["meters:"] + lines
  }

  private static func notes(_ item: Equipment.Item, indent: String) -> [String] {
    item.notes.map { "\(indent)# \(ScanText.printable($0))" }
  }

  /// Names that are not given twice.
  private struct Names {
    private var counts: [String: Int] = [:]

    mutating func take(_ name: String, numbersFirst: Bool = true) -> String {
      let count = counts[name, default: 0] + 1
      counts[name] = count
      return count == 1 && !numbersFirst ? name : "\(name)-\(count)"
    }
  }
}
