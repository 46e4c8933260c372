internal import KelvinModel

/// Of a board's `supply`.
enum SupplyKeys {
  static let all: [OptionDeclaration] = [
    .init("meter", .text, "Which of the board's meters; default: its only one."),
    .init("voltage", .text, "The meter's channel of the voltage; default: its only voltage."),
    .init("current", .text, "The meter's channel of the current; default: its only current."),
    .init(
      "brown_out", .quantity(.voltage, bare: "V"), range: 0...1e6,
      "A voltage below this in a job ends the attempt as failed: infrastructure."),
    .init(
      "off_voltage", .quantity(.voltage, bare: "V"), range: 0...1e6,
      "A board whose power is cycled stays off until its voltage is at or below this."),
    .init(
      "off_current", .quantity(.current, bare: "A"), range: 0...1e6,
      "The same for its current."),
    .init(
      "off_timeout", .quantity(.time, bare: "s"), default: 30, range: 0.1...3600,
      "How long that may take.")
  ]
}

extension BenchFileReader {
  /// After the board's other keys, since it names one of its meters.
  mutating func readSupply(
    _ value: LocatedValue, into board: inout BoardEntry, _ owner: String
  ) {
    guard let option = BenchKeys.board.first(where: { $0.name == "supply" }),
      let keys = checker.value(value, of: option, as: owner)?.map
    else { return }
    func fail(_ text: String, _ hint: String) {
      checker.diagnostics.error(value.location, "\(owner): supply: \(text)", hint: hint)
    }
    let named = keys["meter"]?.text
    guard let meter = named ?? board.meters.first else {
      return fail("the board has no meter", "tie one to it: 'meters: [NAME]'")
    }
    guard named != nil || board.meters.count == 1 else {
      return fail(
        "the board has several meters", "say which: 'meter: \(meter)'")
    }
    guard board.meters.contains(meter) else {
      return fail(
        "\(LocatedValue.quoted(meter)) is none of the board's meters",
        NearestName.hint(for: meter, in: board.meters))
    }
    let supply = SupplyDescription(
      meter: meter, voltage: keys["voltage"]?.text, current: keys["current"]?.text,
      brownOut: keys["brown_out"]?.number, offVoltage: keys["off_voltage"]?.number,
      offCurrent: keys["off_current"]?.number, offSeconds: keys["off_timeout"]?.number ?? 30)
    guard supply.brownOut != nil || supply.tellsOff else {
      return fail(
        "it says nothing that the meter is to tell",
        "add 'brown_out', 'off_voltage' or 'off_current'")
    }
    if let low = supply.brownOut, let off = supply.offVoltage, off >= low {
      return fail(
        "'off_voltage' is not below 'brown_out'", "a board that is off has less than one that runs")
    }
    board.supply = supply
  }
}
