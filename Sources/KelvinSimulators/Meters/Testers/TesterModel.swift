/// The USB testers that can be simulated on a serial line.
package enum TesterModel: String, Sendable, CaseIterable {
  case tc66c, um24c, um25c, um34c, yzxstudio

  /// Whether it sends without being asked.
  var isTalking: Bool { self == .yzxstudio }
}

/// What passes through a simulated tester at a moment.
package struct TesterTruth: Sendable, Hashable {
  package var volts: Double
  package var amperes: Double
  /// Of the data lines.
  package var plus: Double
  package var minus: Double
  package var celsius: Double

  /// States it.
  package init(volts: Double, amperes: Double, plus: Double, minus: Double, celsius: Double) {
    self.volts = volts
    self.amperes = amperes
    self.plus = plus
    self.minus = minus
    self.celsius = celsius
  }
}
