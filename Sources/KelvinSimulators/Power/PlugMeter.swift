internal import Glibc
internal import KelvinModel

/// The power meter of a simulated plug: it converts at a steady pace, 4 W and 6 W in turns, and keeps the last
/// conversion until the next one.
package struct PlugMeter: Sendable {
  /// From one conversion to the next, in seconds.
  package let update: Double
  private let begin = MonotonicTime.now.nanoseconds
  /// Conversions so far.
  package private(set) var count: Int64 = 0
  /// What it has counted, in joules.
  package private(set) var energy = 0.0

  package init(update: Double = 1) { self.update = update }

  /// In watts.
  package static func power(_ conversion: Int64) -> Double { conversion % 2 == 0 ? 4 : 6 }

  /// Converts what is due by now.
  mutating func go(isOn: Bool) {
    // The first one is there when it begins.
    let due = 1 + Int64(Double(MonotonicTime.now.nanoseconds &- begin) / 1e9 / update)
    // What nobody asked about for long is counted at its mean.
    if due - count > 100_000 {
      energy += isOn ? Double(due - count - 2) * 5 * update : 0
      count = due - 2
    }
    while count < due {
      if isOn { energy += PlugMeter.power(count) * update }
      count += 1
    }
  }

  private func watts(_ isOn: Bool) -> Double {
    isOn && count > 0 ? PlugMeter.power(count - 1) : 0
  }

  private func text(_ value: Double, _ digits: Int) -> String {
    var buffer = [CChar](repeating: 0, count: 64)
    let length = withVaList([Int32(digits), value]) {
      vsnprintf(&buffer, buffer.count, "%.*f", $0)
    }
    return String(
      decoding: buffer.prefix(max(0, Int(length))).map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  // MARK: as its firmware tells it

  /// The answer to a status command of Tasmota's; nil for other commands.
  func tasmota(_ command: String, outputs: [Bool]) -> String? {
    switch command.lowercased() {
    case "status 5":
      return
        #"{"StatusNET":{"Hostname":"tasmota-0001","IPAddress":"127.0.0.1","Mac":"AA:BB:CC:00:00:01"}}"#
    case "status 8", "status 10":
      let each = outputs.map { text(watts($0), 0) }
      let amperes = outputs.map { text(watts($0) / 230 / 0.6, 3) }
      let all = { (values: [String]) in
        values.count == 1 ? values[0] : "[" + values.joined(separator: ",") + "]"
      }
      return
        "{\"StatusSNS\":{\"Time\":\"2026-11-27T10:00:00\",\"ENERGY\":{\"TotalStartTime\":\"2026-01-01T00:00:00\","
        + "\"Total\":\(text(1 + energy / 3.6e6, 3)),\"Yesterday\":0.500,\"Today\":0.100,\"Power\":\(all(each)),"
        + "\"ApparentPower\":8,\"ReactivePower\":6,\"Factor\":0.60,\"Voltage\":230,\"Current\":\(all(amperes))}}}"
    default: return nil
    }
  }

  /// The answer of `/meter/N` of the first generation; nil for other paths.
  func shelly1(_ path: String, outputs: [Bool]) -> String? {
    guard path.hasPrefix("/meter/"), let output = Int(path.dropFirst(7)),
      outputs.indices.contains(output)
    else { return nil }
    return "{\"power\":\(text(watts(outputs[output]), 2)),\"overpower\":0.00,\"is_valid\":true,"
      + "\"timestamp\":1764237600,\"counters\":[5.000,5.000,5.000],\"total\":\(Int64(energy / 60) + 1000)}"
  }

  /// The rest of the answer of `Switch.GetStatus` of the second generation.
  func shelly2(isOn: Bool) -> String {
    "\"apower\":\(text(watts(isOn), 1)), \"voltage\":230.1, \"current\":\(text(watts(isOn) / 230.1 / 0.6, 3)), "
      + "\"aenergy\":{\"total\":\(text(1000 + energy / 3600, 3)),\"by_minute\":[0.000,0.000,0.000],"
      + "\"minute_ts\":1764237600},\"temperature\":{\"tC\":35.0,\"tF\":95.0}}"
  }
}
