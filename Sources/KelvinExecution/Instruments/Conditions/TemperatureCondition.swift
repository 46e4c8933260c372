internal import KelvinConnections
internal import KelvinModel

/// A temperature to be waited for.
struct TemperatureChoice: ConditionChoice {
  enum Limit: Sendable, Hashable {
    case degrees(Double)
    /// What it is when the run begins, and so many kelvins more.
    case initial(margin: Double)
  }

  /// As ``TemperatureSensor/find(_:on:until:)`` takes it.
  var zone: String?
  var limit: Limit?
  /// Kelvins a minute, up or down.
  var maxSlope: Double?
  /// Seconds over which the slope is taken.
  var slopeWindow = 30.0

  func find(
    on connection: any Connection, after earlier: (any BoardCondition)?, until deadline: Deadline
  ) async throws -> any BoardCondition {
    var sensors = try await TemperatureSensor.find(zone, on: connection, until: deadline)
    let contents = try await connection.read(sensors.map(\.path), until: deadline)
    let readings = zip(sensors, contents).map { sensor, content in
      (sensor: sensor, degrees: (try? content.get()).flatMap(TemperatureSensor.degrees))
    }
    let readable = readings.filter { $0.degrees != nil }
    guard let hottest = readable.compactMap(\.degrees).max() else {
      throw InstrumentUnavailable(
        "\(sensors.map(\.path.string).shortList): cannot be read as a temperature",
        hint: "say where it is read: 'zone: NAME' or 'zone: /PATH'")
    }
    // Zones that are switched off have no value; who names one means it all the same.
    if zone == nil { sensors = readable.map(\.sensor) }
    let limit: Double? =
      switch limit {
      case .degrees(let degrees): degrees
      case .initial(let margin): (earlier as? TemperatureCondition)?.limit ?? hottest + margin
      case nil: nil
      }
    return TemperatureCondition(
      sensors: sensors, limit: limit, maxSlope: maxSlope, slopeWindow: slopeWindow)
  }
}

/// The hottest of some sensors is cool enough, and does not change any more.
struct TemperatureCondition: BoardCondition {
  let subject: String
  let paths: [TargetPath]
  let metric = (name: "delay_temperature", unit: "degC")
  /// degC.
  let limit: Double?
  private let maxSlope: Double?
  private let slopeWindow: Double
  private var history: TimeWindow<Double>

  var window: Double { maxSlope == nil ? 0 : slopeWindow }

  init(sensors: [TemperatureSensor], limit: Double?, maxSlope: Double?, slopeWindow: Double) {
    let names = sensors.map(\.name)
    subject = names.count == 1 ? names[0] : "the hottest of \(names.shortList)"
    paths = sensors.map(\.path)
    self.limit = limit
    self.maxSlope = maxSlope
    self.slopeWindow = slopeWindow
    history = TimeWindow(seconds: slopeWindow)
  }

  var wanted: String {
    var parts: [String] = []
    if let limit { parts.append("at most \(limit.tenths) degC") }
    if let maxSlope { parts.append("within \(maxSlope) K/min over \(slopeWindow) s") }
    return parts.joined(separator: " and ")
  }

  mutating func judge(
    _ contents: ArraySlice<Result<[UInt8], Errno>>, at time: MonotonicTime
  ) -> ConditionReading {
    var hottest = -Double.infinity
    for (path, content) in zip(paths, contents) {
      // One that cannot be read may be the hottest.
      switch content {
      case .failure(let error):
        return ConditionReading(isMet: false, text: "\(path): \(error)")
      case .success(let bytes):
        guard let degrees = TemperatureSensor.degrees(bytes) else {
          return ConditionReading(isMet: false, text: "\(path): not a number")
        }
        hottest = max(hottest, degrees)
      }
    }
    guard hottest.isFinite else { return ConditionReading(isMet: false, text: "not read") }
    let isCool = limit.map { hottest <= $0 } ?? true
    var text = "\(hottest.tenths) degC"
    guard let maxSlope else { return ConditionReading(isMet: isCool, value: hottest, text: text) }
    history.add(hottest, at: time)
    guard let slope = history.slopePerMinute else {
      return ConditionReading(isMet: false, value: hottest, text: text)
    }
    text += ", \(slope < 0 ? "" : "+")\(slope.tenths) K/min"
    return ConditionReading(
      isMet: isCool && abs(slope) <= maxSlope, value: hottest, text: text)
  }
}
