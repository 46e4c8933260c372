package import KelvinModel

/// Modules of Yoctopuce as their REST interface tells them: one object for each module or function.
///
/// Source: yoctoLib's yocto_api.py and yocto_power.py (PyPI yoctopuce): `/bySerial/SERIAL/api.json`; numbers of sensors
/// are in units of 1/65,536 there, which the library rounds to thousandths; the manual of VirtualHub, 4.2.
package enum YoctoReading {
  /// A function that measures: `power`, `current1`, `voltage2`, ...
  package struct Sensor: Sendable, Hashable {
    /// As the module calls it.
    package var id: String
    package var kind: MeterChannel.Kind
    /// As it is configured: `W`, `mA`, `V`.
    package var unit: String
    /// In that unit; nil: the sensor tells none just now.
    package var value: Double?
    /// What it tells apart, in that unit.
    package var resolution: Double?
    /// Of a power: watt-hours since the counter was reset; nil where it has none.
    package var energy: Double?
  }

  /// As the library does: to thousandths, halves to even.
  package static func number(_ value: Value?) -> Double? {
    value?.number.map { ($0 / 65.536).rounded(.toNearestOrEven) / 1000 }
  }

  private static let kinds: [(name: String, kind: MeterChannel.Kind)] = [
    ("power", .power), ("voltage", .voltage), ("current", .current)
  ]

  /// The sensors of a module, in the order of their names.
  package static func sensors(_ answer: [String: Value]) -> [Sensor] {
    answer.keys.sorted().compactMap { id -> Sensor? in
      guard let function = answer[id]?.map, let unit = function["unit"]?.text else { return nil }
      let (name, digits) = (id.prefix { !$0.isNumber }, id.drop { !$0.isNumber })
      guard let kind = kinds.first(where: { $0.name == name })?.kind,
        digits.isEmpty || Int(digits) != nil
      else { return nil }
      let value = number(function["currentValue"])
      return Sensor(
        id: id, kind: kind, unit: unit,
        // What is out of range, or was not measured yet, is far beyond what 32 bits hold.
        value: value.flatMap { abs($0) < 32_768 ? $0 : nil },
        resolution: number(function["resolution"]),
        energy: kind == .power ? number(function["meter"]) : nil)
    }
  }
}
