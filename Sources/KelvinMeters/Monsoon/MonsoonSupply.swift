internal import KelvinModel

/// What a driver sets of a Monsoon, and how it puts it back. Used by one caller at a time, while it does not
/// sample.
struct MonsoonSupply: Sendable {
  private let port: MonsoonPort
  private let model: MonsoonModel
  /// Of values that were changed, what they were before.
  private(set) var found: [MonsoonValue: UInt32] = [:]
  /// In volts, what the output was switched on with by this driver; nil: it was not, or is off again.
  private(set) var supplied: Double?

  /// Those that protect come first.
  private static let order: [MonsoonValue] = [
    .powerUpLimit, .runLimit, .usbPassthrough, .voltageChannel
  ]

  init(_ port: MonsoonPort, _ model: MonsoonModel) {
    self.port = port
    self.model = model
  }

  /// Sets what differs, and reads it back.
  mutating func set(
    _ values: [MonsoonValue: UInt32], until deadline: Deadline
  ) async throws(MeterFailure) {
    for value in Self.order {
      guard let number = values[value] else { continue }
      let before = try await port.get(value, until: deadline)
      guard before != number else { continue }
      if found[value] == nil { found[value] = before }
      try await port.set(value, number, until: deadline)
      let after = try await port.get(value, until: deadline)
      guard after == number else {
        throw MeterFailure(
          .malfunction, "\(port.name): '\(value)' was set to \(number), and is \(after)",
          hint: "its firmware may be older than 26; it was \(before) before")
      }
    }
  }

  /// Switches the output on, after a look at whether its converter was ever calibrated.
  mutating func supply(_ volts: Double, until deadline: Deadline) async throws(MeterFailure) {
    if model == .hvpm {
      let low = try await port.get(.dacLow, until: deadline)
      let high = try await port.get(.dacHigh, until: deadline)
      guard model.hasSafeSupply(low: low, high: high) else {
        throw MeterFailure(
          .malfunction,
          "\(port.name): the calibration of its supply is out of tolerance, and it may give far more than "
            + "\(volts) V: nothing was set",
          evidence: "dacCalLow \(low), dacCalHigh \(high)",
          hint:
            "update it to firmware 32 and calibrate its voltage (PyMonsoon, HVPM.calibrateVoltage)"
        )
      }
    }
    // From here on it may be on, whatever becomes of the request.
    supplied = volts
    try await port.set(.mainVoltage, MonsoonModel.raw(volts: volts), until: deadline)
  }

  /// Switches the output off.
  mutating func cut(until deadline: Deadline) async throws(MeterFailure) {
    try await port.set(.mainVoltage, 0, until: deadline)
    supplied = nil
  }

  /// Switches the output off if it was switched on here, and puts back what else was set.
  mutating func undo(until deadline: Deadline) async throws(MeterFailure) {
    if supplied != nil { try await cut(until: deadline) }
    for value in Self.order.reversed() {
      guard let before = found[value] else { continue }
      try await port.set(value, before, until: deadline)
      found[value] = nil
    }
  }

  /// What will become of it, or has, for people.
  func report(isLeft: Bool) -> String {
    let others = Self.order.filter { found[$0] != nil }.map { "\($0)" }.joined(separator: ", ")
    let output =
      supplied.map { "\($0) V, \(isLeft ? "left on" : "switched off")" } ?? "output as found"
    guard !others.isEmpty else { return output }
    return "\(output); \(others) \(isLeft ? "left as set" : "put back")"
  }
}
