internal import KelvinModel

extension HwmonChip {
  /// Gives channels the accuracy that a data sheet states. Which channel is which: Linux,
  /// Documentation/hwmon/ina2xx.rst, ina3221.rst and ina238.rst.
  ///
  /// - Parameters:
  ///   - tolerance: of the shunts; nil when nobody says.
  ///   - volts: at the load just now; 0 when that is not known.
  mutating func state(_ chip: ChipAccuracy, tolerance: Double?, volts: Double) {
    for index in channels.indices {
      let channel = channels[index]
      let number = Int(channel.name.drop { !$0.isNumber }) ?? 0
      let resistance = shunts.isEmpty ? shunt : shunts[number]
      let resistor = resistance.map { ChipAccuracy.Shunt(resistance: $0, tolerance: tolerance) }
      // Sums of several, and shunts of chips with several, are left alone.
      let isSeveral = name == "ina3221"
      guard number <= (isSeveral ? 3 : 1) else { continue }
      switch channel.kind {
      case .voltage where number == 0 && !isSeveral:
        channels[index].accuracy = chip.shuntVoltage(least: channel.scale)
      case .voltage where number > 0:
        channels[index].accuracy = chip.voltage(least: channel.scale)
      case .current: channels[index].accuracy = chip.current(resistor, least: channel.scale)
      case .power:
        channels[index].accuracy = chip.power(resistor, at: volts, least: channel.scale)
      default: break
      }
    }
  }
}
