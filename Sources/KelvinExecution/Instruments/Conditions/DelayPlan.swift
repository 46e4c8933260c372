internal import KelvinModel

/// What a delay waits for, and where: an agenda's settings, checked.
struct DelayPlan: Sendable {
  enum Place: String, Sendable, Hashable, CaseIterable {
    /// Before a spec's first job.
    case spec
    /// Before a job, its settings included.
    case job
    /// Right before the measured window.
    case start
  }

  /// What becomes of a job whose conditions do not come in time.
  enum Rule: String, Sendable, CaseIterable { case fail, warn, flag }

  struct Wait: Sendable {
    /// Seconds.
    var fixed = 0.0
    /// All at the same time, after the fixed time.
    var choices: [any ConditionChoice] = []
    var rule = Rule.warn
  }

  private(set) var waits: [Place: Wait] = [:]
  /// Seconds for the conditions of one wait.
  let timeout: Double
  /// Seconds from look to look.
  let period: Double
  let cooling: Cooling?

  /// Reads validated settings.
  ///
  /// - Throws: when they contradict each other.
  init(_ settings: [String: Value]) throws(PlainFailure) {
    timeout = settings["timeout"]?.number ?? 600
    period = settings["poll_period"]?.number ?? 1
    cooling = try DelayPlan.cooling(settings)
    let written = settings["on_timeout"]?.text.flatMap(Rule.init)
    for (place, name) in [
      (Place.spec, "between_specs"), (.job, "between_jobs"), (.start, "before_start")
    ] {
      try addWaits(at: place, "fixed_\(name)", "temperature_\(name)", settings)
      if let written { waits[place]?.rule = written }
    }
    guard let wishes = settings["wait_for"]?.map else { return }
    let choices = try DelayPlan.choices(wishes)
    guard !choices.isEmpty else {
      throw PlainFailure(
        .configuration, "wait_for: names no condition",
        hint: "write 'temperature', 'cpu_idle' or 'battery' into it")
    }
    let place = settings["before"]?.text.flatMap(Place.init) ?? .start
    waits[place, default: Wait()].choices += choices
    waits[place]?.rule = written ?? .flag
  }

  /// Seconds that a callback which carries out any of these waits may take.
  func longest(_ places: [Place]) -> Double {
    let waits = places.compactMap { self.waits[$0] }
    return (waits.map(\.fixed).max() ?? 0) + timeout + DelayPlan.margin
  }

  /// Seconds for a last look and both commands of the cooling.
  private static let margin = 120.0

  // MARK: Workload Automation's waits

  private mutating func addWaits(
    at place: Place, _ fixed: String, _ temperature: String, _ settings: [String: Value]
  ) throws(PlainFailure) {
    let seconds = settings[fixed]?.number
    let degrees = settings[temperature]?.number
    guard seconds == nil || degrees == nil else {
      throw PlainFailure(
        .configuration, "\(fixed) and \(temperature) exclude each other", hint: "write one of them")
    }
    if let seconds, seconds > 0 { waits[place] = Wait(fixed: seconds) }
    if let degrees {
      let choice = TemperatureChoice(
        zone: settings["temperature_file"]?.text ?? DelayPlan.temperatureFile,
        limit: degrees == 0 ? .initial(margin: 0) : .degrees(degrees))
      waits[place] = Wait(choices: [choice])
    }
  }

  /// Where Workload Automation looks.
  static let temperatureFile = "/sys/devices/virtual/thermal/thermal_zone0/temp"

  // MARK: Conditions

  private static func choices(
    _ wishes: [String: Value]
  ) throws(PlainFailure) -> [any ConditionChoice] {
    var choices: [any ConditionChoice] = []
    for wish in wishes["temperature"]?.list ?? [] {
      choices.append(try temperature(wish.map ?? [:]))
    }
    if let idle = wishes["cpu_idle"]?.map {
      choices.append(
        IdleCondition(
          atLeast: (idle["at_least"]?.number ?? 0.95) * 100, window: idle["window"]?.number ?? 5))
    }
    if let battery = wishes["battery"]?.map {
      let choice = BatteryChoice(
        supply: battery["supply"]?.text, atLeast: battery["at_least"]?.number.map { $0 * 100 },
        atMost: battery["at_most"]?.number.map { $0 * 100 })
      guard choice.atLeast != nil || choice.atMost != nil else {
        throw PlainFailure(
          .configuration, "wait_for: battery: has no limit", hint: "write 'at_least' or 'at_most'")
      }
      guard choice.atLeast ?? 0 <= choice.atMost ?? 100 else {
        throw PlainFailure(.configuration, "wait_for: battery: 'at_least' is above 'at_most'")
      }
      choices.append(choice)
    }
    return choices
  }

  private static func temperature(
    _ wish: [String: Value]
  ) throws(PlainFailure) -> TemperatureChoice {
    let margin = wish["margin"]?.number ?? 0
    let limit: TemperatureChoice.Limit? =
      switch wish["at_most"] {
      case .text("initial")?: .initial(margin: margin)
      case let value?: value.number.map { .degrees($0) }
      case nil: nil
      }
    let choice = TemperatureChoice(
      zone: wish["zone"]?.text, limit: limit, maxSlope: wish["max_slope"]?.number,
      slopeWindow: wish["window"]?.number ?? 30)
    guard choice.limit != nil || choice.maxSlope != nil else {
      throw PlainFailure(
        .configuration, "wait_for: temperature: has no limit",
        hint: "write 'at_most' or 'max_slope'")
    }
    return choice
  }

  private static func cooling(_ settings: [String: Value]) throws(PlainFailure) -> Cooling? {
    let wanted = settings["active_cooling"]?.boolean
    guard let map = settings["cooling"]?.map, wanted != false else {
      guard wanted == true else { return nil }
      throw PlainFailure(
        .configuration, "active_cooling: there is nothing to cool with",
        hint: "write the commands: 'cooling: {start: COMMAND, stop: COMMAND}'")
    }
    return Cooling(
      start: map.texts("start"), stop: map.texts("stop"),
      place: map["where"]?.text.flatMap(Cooling.Place.init) ?? .host)
  }
}
