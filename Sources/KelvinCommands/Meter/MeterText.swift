internal import KelvinMeters
internal import KelvinModel

/// Meters as text and as JSON.
enum MeterText {
  static func value(_ meter: FoundMeter) -> Value {
    var map: [String: Value] = [
      "name": .text(meter.name), "driver": .text(meter.driver), "summary": .text(meter.summary),
      "channels": .list(meter.channels.map(value))
    ]
    if let obstacle = meter.obstacle { map["obstacle"] = .text("\(obstacle)") }
    return .map(map)
  }

  static func value(_ channel: Channel) -> Value {
    var map: [String: Value] = [
      "name": .text(channel.name), "site": .text(channel.site), "unit": .text(channel.unit)
    ]
    if let kind = channel.kind { map["kind"] = .text(kind.rawValue) }
    if let wrap = channel.wrap { map["wrap"] = .number(Double(wrap) * channel.scale) }
    if let time = channel.averagingTime { map["averaging time"] = .number(time) }
    if let accuracy = channel.accuracy {
      map["accuracy"] = .map([
        "gain": .number(accuracy.gain), "offset": .number(accuracy.offset),
        "source": .text(accuracy.source)
      ])
    }
    return .map(map)
  }

  static func value(_ identity: MeterIdentity) -> Value {
    .map([
      "name": .text(identity.name), "driver": .text(identity.driver),
      "model": .text(identity.model), "serial": .text(identity.serial),
      "firmware": .text(identity.firmware), "location": .text(identity.location),
      "range": .text(identity.range), "calibration": .text(identity.calibration),
      "verified": .text(identity.verified)
    ])
  }

  /// Names and values in two columns, without the empty ones.
  static func columns(_ rows: [(String, String)]) -> [String] {
    let rows = rows.filter { !$0.1.isEmpty }
    let width = rows.map(\.0.count).max() ?? 0
    return rows.map { name, value in
      name + String(repeating: " ", count: width - name.count + 2) + TextTable.printable(value)
    }
  }
}

extension MeterText {
  /// Whether a text declares a meter, rather than naming one: it is YAML of a map.
  static func isDeclaration(_ text: String) -> Bool {
    text.contains("{") || text.contains(": ") || text.hasSuffix(":")
  }

  /// Those that a run's command line declared.
  static func declarations(in commandLine: [String]) -> [String] {
    var found: [String] = []
    for (index, word) in commandLine.enumerated() {
      if word == "--" { break }
      if word == "--meter", index + 1 < commandLine.count {
        found.append(commandLine[index + 1])
      } else if word.hasPrefix("--meter=") {
        found.append(String(word.dropFirst("--meter=".count)))
      }
    }
    return found
  }
}
