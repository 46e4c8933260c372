internal import KelvinModel

/// What a bench file says of a POWER-Z.
struct KM003COptions: Sendable, Hashable {
  /// How its samples are got.
  enum Reading: String, Sendable, CaseIterable {
    /// It queues them by its own clock.
    case queue
    /// It is asked for the values of the moment.
    case values
  }

  /// What is measured, by groups.
  enum Group: String, Sendable, CaseIterable {
    case bus, cc, data, temperature

    var columns: [KM003CColumn] {
      switch self {
      case .bus: [.voltage, .current]
      case .cc: [.cc1, .cc2]
      case .data: [.dPlus, .dMinus]
      case .temperature: [.temperature]
      }
    }
  }

  var reading: Reading
  /// Of the queue.
  var queueRate: KM003CRate
  /// How often it is asked for values, in hertz.
  var rate: Double
  /// In the order in which they are given out.
  var groups: [Group]
  /// Whether current from the plug to the socket is the one that counts as positive.
  var isReversed: Bool
  var accuracy: [MeterChannel.Kind: Accuracy]

  /// Of values, where nothing is said, in hertz.
  static let usualRate = 50.0

  static let declared: [OptionDeclaration] = [
    DeviceMatch.option(of: "meter"),
    .init(
      "reading", .choice(Reading.allCases.map(\.rawValue)), default: .text("queue"), isDetail: true,
      "'queue': samples that it takes by its own clock; 'values': it is asked for those of the moment, which "
        + "needs no authentication."),
    .init(
      "rate", .quantity(.frequency, bare: "Hz"), range: 0.1...1000, isDetail: true,
      "Samples a second: 2, 10, 50 or 1000 of the queue, 1000 where nothing is said; of values up to 1000, "
        + "50 where nothing is said."),
    .init(
      "channels", .list(.choice(Group.allCases.map(\.rawValue))), isDetail: true,
      "What is recorded: [bus] where nothing is said; cc are CC1 and CC2, data D+ and D-."),
    .init(
      "reversed", .boolean, default: .boolean(false), isDetail: true,
      "Whether the board hangs on the meter's socket: current from the plug to the socket is positive then."
    ),
    AccuracyOptions.option
  ]

  /// Reads them.
  ///
  /// - Throws: `invalid`, before anything is looked for.
  init(_ values: [String: Value], of name: String) throws(MeterFailure) {
    reading = Reading(rawValue: values["reading"]?.text ?? "") ?? .queue
    isReversed = values["reversed"]?.boolean ?? false
    accuracy = try AccuracyOptions.read(values["accuracy"], of: name)
    let asked = values["rate"]?.number
    rate = asked ?? Self.usualRate
    queueRate = .thousand
    if reading == .queue, let asked {
      guard let rate = KM003CRate.allCases.first(where: { Double($0.hertz) == asked }) else {
        throw MeterFailure(
          .invalid, "\(name): it queues 2, 10, 50 or 1000 samples a second, and not \(asked)",
          hint: "'reading: values' takes any rate")
      }
      queueRate = rate
    }
    var groups: Set<Group> = []
    for text in values["channels"]?.list?.compactMap(\.text) ?? ["bus"] {
      guard let group = Group(rawValue: text) else {
        throw MeterFailure(
          .invalid, "\(name): it has no channel '\(text)'",
          hint: "it has bus, cc, data and temperature")
      }
      groups.insert(group)
    }
    self.groups = Group.allCases.filter(groups.contains)
    guard !groups.isEmpty else {
      throw MeterFailure(.invalid, "\(name): 'channels' names none")
    }
    // Temperature comes with the queue, and is nothing by itself there.
    guard reading == .values || self.groups != [.temperature] else {
      throw MeterFailure(
        .invalid, "\(name): the queue holds no temperature",
        hint: "add 'bus' to 'channels', or read it by 'reading: values'")
    }
  }

  var columns: [KM003CColumn] { groups.flatMap(\.columns) }

  var channels: [Channel] {
    let line = reading == .queue ? queueRate.lineScale : KM003CColumn.lineScale
    return columns.map { column in
      let (name, site, scale): (String, String, Double) =
        switch column {
        case .voltage: ("bus-voltage", "bus", 1e-6)
        case .current: ("bus-current", "bus", 1e-6)
        case .cc1: ("cc1-voltage", "cc1", line)
        case .cc2: ("cc2-voltage", "cc2", line)
        case .dPlus: ("dp-voltage", "dp", line)
        case .dMinus: ("dm-voltage", "dm", line)
        case .temperature: ("temperature", "meter", 1.0 / 128)
        }
      let kind: MeterChannel.Kind =
        column == .temperature ? .temperature : column == .current ? .current : .voltage
      // What is stated of voltages is meant of those that energy is computed from.
      let isStated = column == .voltage || column == .current
      return Channel(
        name: name, unit: kind == .temperature ? "degC" : kind == .current ? "A" : "V",
        scale: scale, site: site, kind: kind, accuracy: isStated ? accuracy[kind] : nil)
    }
  }
}
