internal import KelvinModel

/// What data sheets state of chips that measure a current by a shunt, as limits at 25 °C.
///
/// Only chips whose sheet was read are here: without an entry nothing is stated, and figures say so.
/// Left out for that reason: INA231, INA233, INA234, INA237, LTC2945, LTC2947, MAX34407, all of PMBus.
struct ChipAccuracy: Sendable, Hashable {
  /// Of the voltage over the shunt, relative; with the shunt where that is part of the chip.
  var shuntGain: Double
  /// In volts; of a chip with a shunt of its own in amperes.
  var shuntOffset: Double
  /// Of the voltage of the bus; nil where it was not read.
  var busGain: Double?
  /// In volts.
  var busOffset: Double = 0
  /// The smallest step of the shunt's voltage, in volts, as the kernel sets the chip up; nil where
  /// that depends.
  var shuntStep: Double?
  /// In volts.
  var busStep: Double?
  /// Steps of current times volts in a step of power.
  var powerFactor: Double?
  var hasOwnShunt = false
  /// Number and table of the data sheet.
  var source: String

  /// By what the kernel's driver calls the chip.
  static let known: [String: ChipAccuracy] = [
    // Of grade A, at the gain that the kernel sets (PGA /8).
    "ina219": ChipAccuracy(
      shuntGain: 0.005, shuntOffset: 200e-6, busGain: 0.005, shuntStep: 10e-6, busStep: 4e-3,
      powerFactor: 20, source: "INA219 data sheet, SBOS448G, 7.5, grade A"),
    "ina220": ChipAccuracy(
      shuntGain: 0.005, shuntOffset: 200e-6, busGain: 0.005, shuntStep: 10e-6, busStep: 4e-3,
      powerFactor: 20, source: "INA220 data sheet, SBOS459D, page 3, grade A"),
    "ina226": ChipAccuracy(
      shuntGain: 0.001, shuntOffset: 10e-6, busGain: 0.001, busOffset: 7.5e-3, shuntStep: 2.5e-6,
      busStep: 1.25e-3, powerFactor: 25, source: "INA226 data sheet, SBOS547B, 5.5"),
    "ina228": ChipAccuracy(
      shuntGain: 0.0005, shuntOffset: 1e-6, source: "INA228 data sheet, SLYS021, features"),
    "ina230": ChipAccuracy(
      shuntGain: 0.005, shuntOffset: 50e-6, busGain: 0.005, busOffset: 30e-3, shuntStep: 2.5e-6,
      busStep: 1.25e-3, powerFactor: 25, source: "INA230 data sheet, SBOS601, page 3"),
    "ina238": ChipAccuracy(
      shuntGain: 0.001, shuntOffset: 5e-6, busGain: 0.001, busOffset: 5e-3,
      source: "INA238 data sheet, SLYS025 and SLYS026A (Q1), electrical characteristics"),
    "ina260": ChipAccuracy(
      shuntGain: 0.0015, shuntOffset: 5e-3, hasOwnShunt: true,
      source: "INA260 data sheet, SBOS656C, 7.5"),
    "ina3221": ChipAccuracy(
      shuntGain: 0.0025, shuntOffset: 80e-6, busGain: 0.0025, busOffset: 16e-3, shuntStep: 40e-6,
      busStep: 8e-3, source: "INA3221 data sheet, SBOS576A, page 3")
  ]

  /// What a shunt is taken to keep where nobody says: the usual grade of resistors.
  static let usualTolerance = 0.01

  /// What is known of the resistor.
  struct Shunt: Sendable, Hashable {
    /// In ohms.
    var resistance: Double
    /// Relative; nil: the usual one is assumed, and said.
    var tolerance: Double?

    fileprivate var limit: Double { tolerance ?? ChipAccuracy.usualTolerance }
    fileprivate var statement: String {
      tolerance.map { "; shunt within \(ChipAccuracy.percent($0))" }
        ?? "; the shunt is assumed to be within \(ChipAccuracy.percent(limit)): "
        + "'shunt-tolerance' says better"
    }
  }

  private static func percent(_ share: Double) -> String {
    "\((share * 1e6).rounded() / 1e4) %"
  }

  private var conditions: String { source + ", at 25 degC" }

  /// Of the voltage at the load.
  ///
  /// - Parameter least: the smallest step that the reader keeps.
  func voltage(least: Double = 0) -> Accuracy? {
    busGain.map {
      Accuracy(
        gain: $0, offset: busOffset, resolution: busStep.map { max($0, least) },
        source: conditions)
    }
  }

  /// Of the voltage over the shunt; nil for a shunt inside.
  func shuntVoltage(least: Double = 0) -> Accuracy? {
    hasOwnShunt
      ? nil
      : Accuracy(
        gain: shuntGain, offset: shuntOffset, resolution: shuntStep.map { max($0, least) },
        source: conditions)
  }

  /// Of the current; nil without a shunt that is known. Limits add up: i = u / R.
  func current(_ shunt: Shunt?, least: Double = 0) -> Accuracy? {
    if hasOwnShunt { return Accuracy(gain: shuntGain, offset: shuntOffset, source: conditions) }
    guard let shunt, shunt.resistance > 0, shunt.resistance.isFinite else { return nil }
    return Accuracy(
      gain: shuntGain + shunt.limit, offset: shuntOffset / shunt.resistance,
      resolution: shuntStep.map { max($0 / shunt.resistance, least) },
      source: conditions + shunt.statement)
  }

  /// Of the power that the chip computes, near a voltage: p = u·i, so that the offset of the current counts
  /// as often as there are volts, and that of the voltage as a share of it. Nil without one.
  func power(_ shunt: Shunt?, at volts: Double, least: Double = 0) -> Accuracy? {
    guard let busGain, volts > 0, volts.isFinite, let current = current(shunt) else { return nil }
    return Accuracy(
      gain: current.gain + busGain + busOffset / volts, offset: current.offset * volts,
      resolution: current.resolution.flatMap { step in
        powerFactor.map { max(step * $0, least) }
      }, source: current.source + "; near \((volts * 100).rounded() / 100) V")
  }
}
