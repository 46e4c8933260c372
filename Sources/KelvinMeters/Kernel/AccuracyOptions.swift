internal import KelvinModel

/// How a bench file says how far a meter's values may be off: `accuracy: {current: 0.5 % + 1 mA}`.
enum AccuracyOptions {
  static let option = OptionDeclaration(
    "accuracy", .map(.text), isDetail: true,
    "How far its values may be off, by kind (voltage, current, power, energy): "
      + "'{power: 1 % + 2 mW}', a share of the value and a fixed part, as limits.")

  /// Reads the option.
  static func read(
    _ value: Value?, of meter: String
  ) throws(MeterFailure) -> [MeterChannel.Kind: Accuracy] {
    var result: [MeterChannel.Kind: Accuracy] = [:]
    for (name, figure) in value?.map ?? [:] {
      guard let kind = MeterChannel.Kind(rawValue: name), let dimension = kind.dimension else {
        throw MeterFailure(
          .invalid, "\(meter): accuracy: '\(name)' is no kind of channel",
          hint: "known: voltage, current, power, energy, charge, temperature")
      }
      guard let text = figure.text, let accuracy = parse(text, dimension) else {
        throw MeterFailure(
          .invalid, "\(meter): accuracy of \(name): '\(figure.display)' cannot be read",
          hint: "write a share of the value and a fixed part: '0.5 % + \(dimension.example)'")
      }
      result[kind] = accuracy
    }
    return result
  }

  /// Reads `0.5 % + 1 mA`, in any order, either part alone; nil when it says anything else.
  static func parse(_ text: String, _ dimension: Dimension) -> Accuracy? {
    var gain: Double?
    var offset: Double?
    for part in text.split(separator: "+", omittingEmptySubsequences: false) {
      guard let quantity = Quantity(String(part)), let unit = quantity.unit, quantity.value >= 0
      else { return nil }
      if unit.dimension == .ratio, gain == nil {
        gain = quantity.value
      } else if unit.dimension == dimension, offset == nil {
        offset = quantity.value
      } else {
        return nil
      }
    }
    return Accuracy(gain: gain ?? 0, offset: offset ?? 0, source: "bench file: \(text)")
  }
}
