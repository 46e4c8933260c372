internal import KelvinDevices
internal import KelvinModel

/// Equipment as text and as JSON.
enum ScanText {
  /// A heading for each kind, two or more lines for each device.
  static func text(_ equipment: Equipment) -> String {
    guard !equipment.items.isEmpty else {
      return "nothing attached that Kelvin could use; 'kelvin bench watch' shows what arrives"
    }
    return Equipment.Kind.allCases.compactMap { kind -> String? in
      let items = equipment.items(kind)
      guard !items.isEmpty else { return nil }
      return (["\(kind.plural):"] + items.flatMap(lines)).joined(separator: "\n")
    }.joined(separator: "\n")
  }

  private static func lines(_ item: Equipment.Item) -> [String] {
    var first = "  " + printable(item.title)
    if let id = item.usbID { first += " (\(id))" }
    if item.access == .denied { first += ", not permitted" }
    var lines = [first]
    let places = item.nodes + (item.link.map { [$0] } ?? [])
    if !places.isEmpty { lines.append("      " + places.map(printable).joined(separator: "  ")) }
    lines.append(
      "      match: \(YAMLText.match(item.match))"
        + (item.driver.map { "  driver: \($0)" } ?? ""))
    if let ports = item.ports, !ports.ports.isEmpty {
      let names = ports.ports.map { port in
        "\(port.number)" + (port.isDisabled == true ? " (off)" : "")
          + (port.peer.map { " (with \($0))" } ?? "")
      }
      lines.append(
        "      ports: \(names.joined(separator: ", "));"
          + " power switching: \(ports.switching.rawValue)")
    }
    return lines + item.notes.map { "      " + printable($0) }
  }

  /// Devices say of themselves what they like; control characters would reach the terminal.
  static func printable(_ text: String) -> String {
    String(
      String.UnicodeScalarView(
        text.unicodeScalars.map { scalar in
          switch scalar.properties.generalCategory {
          case .control, .format, .surrogate, .lineSeparator, .paragraphSeparator: "\u{fffd}"
          default: scalar
          }
        }))
  }

  /// A list of objects.
  static func value(_ equipment: Equipment) -> Value { .list(equipment.items.map(value)) }

  private static func value(_ item: Equipment.Item) -> Value {
    var values: [String: Value] = [
      "kind": .text(item.kind.rawValue), "title": .text(item.title),
      "identity": .text(item.identity.description), "match": value(item.match),
      "nodes": .list(item.nodes.map(Value.text)), "access": .text(item.access.rawValue),
      "notes": .list(item.notes.map(Value.text))
    ]
    if let id = item.usbID { values["usb-id"] = .text(id.description) }
    if let link = item.link { values["link"] = .text(link) }
    if let driver = item.driver { values["driver"] = .text(driver) }
    if let serial = item.serialNumber { values["serial-number"] = .text(serial) }
    if let ports = item.ports {
      values["power-switching"] = .text(ports.switching.rawValue)
      values["ports"] = .list(
        ports.ports.map { port in
          var entry: [String: Value] = [
            "number": .integer(Int64(port.number)), "device": .text(port.deviceName)
          ]
          if let path = port.disablePath { entry["disable"] = .text(path) }
          if let isDisabled = port.isDisabled { entry["disabled"] = .boolean(isDisabled) }
          if let peer = port.peer { entry["peer"] = .text(peer) }
          return .map(entry)
        })
    }
    return .map(values)
  }

  /// A map as a bench file has it.
  static func value(_ match: DeviceMatch) -> Value {
    .map(
      Dictionary(
        match.keys.map { (($0.inAncestors ? "@" : "") + $0.name, .text($0.value)) }
      ) { _, last in last })
  }
}
