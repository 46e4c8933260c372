package import KelvinModel

/// What a plug says of its power meter: numbers in watts, volts, amperes and joules, nil for what it does not tell.
package struct PlugReading: Sendable, Hashable {
  package var power: Double?
  package var voltage: Double?
  package var current: Double?
  /// Since the plug was reset; its least step is in ``PlugModel``.
  package var energy: Double?

  package init(
    power: Double? = nil, voltage: Double? = nil, current: Double? = nil, energy: Double? = nil
  ) {
    self.power = power
    self.voltage = voltage
    self.current = current
    self.energy = energy
  }

  /// Whether it says anything.
  package var isEmpty: Bool { power == nil && voltage == nil && current == nil && energy == nil }

  /// The value of a kind.
  func value(_ kind: MeterChannel.Kind) -> Double? {
    switch kind {
    case .power: power
    case .voltage: voltage
    case .current: current
    case .energy: energy
    default: nil
    }
  }
}

extension PlugReading {
  /// The answer to `Status 8` or `Status 10` of the Tasmota firmware: `StatusSNS.ENERGY` (older: `StatusPWR`) with
  /// `Power` in W, `Voltage` in V, `Current` in A and `Total` in kWh; lists where it measures several outputs.
  ///
  /// Source: tasmota.github.io/docs/JSON-Status-Responses; hatasmota, sensor.py.
  ///
  /// - Parameter output: from 1 on.
  /// - Returns: nil when it has no meter, or not so many outputs with one.
  package init?(tasmota answer: [String: Value], output: Int) {
    guard
      let energy = answer["StatusSNS"]?.map?["ENERGY"]?.map ?? answer["StatusPWR"]?.map
    else { return nil }
    func number(_ key: String) -> Double? {
      guard let list = energy[key]?.list else {
        // One meter for all outputs, or the only output.
        return energy[key]?.number
      }
      return list.indices.contains(output - 1) ? list[output - 1].number : nil
    }
    self.init(
      power: number("Power"), voltage: number("Voltage"), current: number("Current"),
      energy: number("Total").map { $0 * 3.6e6 })
    if isEmpty { return nil }
  }

  /// The answer of `/meter/N` of a Shelly of the first generation: `power` in W, `total` in watt-minutes; of `/emeter/N`
  /// also `voltage`, and `total` in watt-hours. What `is_valid` calls invalid is none.
  ///
  /// Source: shelly-api-docs.shelly.cloud/gen1, "/meter/0" and "/emeter/0".
  ///
  /// - Parameter isEM: of `/emeter/N`.
  package init?(shelly1 answer: [String: Value], isEM: Bool) {
    guard answer["power"]?.number != nil else { return nil }
    guard answer["is_valid"]?.boolean ?? true else {
      self.init()
      return
    }
    self.init(
      power: answer["power"]?.number, voltage: answer["voltage"]?.number,
      current: answer["current"]?.number,
      energy: answer["total"]?.number.map { $0 * (isEM ? 3600 : 60) })
  }

  /// The answer of `Switch.GetStatus` or `PM1.GetStatus` of a Shelly of the second generation or later: `apower` in W,
  /// `voltage` in V, `current` in A, `aenergy.total` in Wh. What `errors` names is none.
  ///
  /// Source: shelly-api-docs.shelly.cloud/gen2/ComponentsAndServices/Switch.
  package init?(shelly2 answer: [String: Value], id: Int) {
    guard answer["id"]?.integer == Int64(id) else { return nil }
    let errors = Set(answer["errors"]?.list?.compactMap(\.text) ?? [])
    guard errors.isDisjoint(with: ["power_meter_failure", "out_of_range:power"]) else {
      self.init()
      return
    }
    self.init(
      power: answer["apower"]?.number, voltage: answer["voltage"]?.number,
      current: answer["current"]?.number,
      energy: answer["aenergy"]?.map?["total"]?.number.map { $0 * 3600 })
    if isEmpty { return nil }
  }
}
