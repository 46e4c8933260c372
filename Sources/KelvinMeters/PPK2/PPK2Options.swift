internal import KelvinModel

/// What a bench file says of a PPK2.
struct PPK2Options: Sendable, Hashable {
  var mode: PPK2Mode
  /// Of the supply, its own or another; nil: nobody has said.
  var voltage: StatedQuantity?
  /// In volts, what the board takes at most; nil: nobody has said.
  var maxVoltage: Double?
  /// Of the digital inputs, by their numbers, ascending.
  var inputs: [Int]
  var isFiltered: Bool
  /// From switching the board on to the first sample, in seconds.
  var settle: Double
  var accuracy: Accuracy?

  static let declared: [OptionDeclaration] = [
    .init("path", .path, "Its port, as in /dev/serial/by-id, when there is no 'match'."),
    DeviceMatch.option(of: "meter"),
    .init(
      "mode", .choice(PPK2Mode.allCases.map(\.rawValue)), default: .text("ampere"), isDetail: true,
      "'source': it supplies the board, with 'voltage'; 'ampere': it measures what another supply "
        + "gives."),
    .init(
      "voltage", .text, isDetail: true,
      "What it supplies, or in ampere mode what the other supply gives: '3.3 V', '3.7 V ± 50 mV'. It "
        + "measures none: without one there is no power."),
    .init(
      "max-voltage", .quantity(.voltage, bare: nil), aliases: ["max_voltage"], range: 0.8...5,
      isDetail: true, "What the board takes at most: more is refused, whoever asks for it."),
    .init(
      "inputs", .list(.text), isDetail: true,
      "Digital inputs that are recorded, such as [D0, D3]; none otherwise."),
    .init(
      "filter", .boolean, default: .boolean(true), isDetail: true,
      "Nordic's filter against spikes at changes of range; without it values are as they come."),
    .init(
      "settle", .quantity(.time, bare: "s"), default: .number(0.1), range: 0...3600, isDetail: true,
      "From switching the board on to the first sample."),
    AccuracyOptions.option
  ]

  /// Reads them.
  ///
  /// - Throws: `invalid`, before anything is sent.
  init(_ values: [String: Value], of name: String) throws(MeterFailure) {
    mode = PPK2Mode(rawValue: values["mode"]?.text ?? "") ?? .ampere
    isFiltered = values["filter"]?.boolean ?? true
    settle = values["settle"]?.number ?? 0.1
    accuracy = try AccuracyOptions.read(values["accuracy"], of: name)[.current]
    var inputs: Set<Int> = []
    for text in values["inputs"]?.list?.compactMap(\.text) ?? [] {
      guard text.count == 2, text.uppercased().hasPrefix("D"),
        let number = text.last?.wholeNumberValue, number < 8
      else {
        throw MeterFailure(
          .invalid, "\(name): it has no digital input '\(text)'", hint: "it has D0 to D7")
      }
      inputs.insert(number)
    }
    self.inputs = inputs.sorted()
    maxVoltage = values["max-voltage"]?.number
    voltage = nil
    if let text = values["voltage"]?.text {
      voltage = try voltage(text, of: name)
    } else if mode == .source {
      throw MeterFailure(
        .invalid, "\(name): in source mode it needs a 'voltage'", hint: "such as 'voltage: 3.3 V'")
    }
  }

  /// Reads a voltage, and holds it against what the meter can and the board takes.
  func voltage(_ text: String, of name: String) throws(MeterFailure) -> StatedQuantity {
    guard let stated = StatedQuantity(text, .voltage), stated.value > 0 else {
      throw MeterFailure(
        .invalid, "\(name): '\(text)' is no voltage", hint: "write '3.3 V' or '3.7 V ± 50 mV'")
    }
    let millivolts = (stated.value * 1000).rounded()
    guard mode == .ampere || PPK2Limits.millivolts.contains(Int(min(millivolts, 1e6))) else {
      throw MeterFailure(
        .invalid, "\(name): it supplies 0.8 V to 5 V, and not \(stated.value) V")
    }
    if let limit = maxVoltage, stated.value > limit {
      throw MeterFailure(
        .invalid, "\(name): \(stated.value) V is more than the \(limit) V of 'max-voltage'",
        hint: "the bench file says what the board takes at most")
    }
    return stated
  }
}
