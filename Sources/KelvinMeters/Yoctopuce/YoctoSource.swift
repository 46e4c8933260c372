internal import KelvinDevices
internal import KelvinModel

/// A module of Yoctopuce behind a hub: one question for all of its sensors.
struct YoctoSource: PolledSource {
  /// What a channel is read from.
  struct Part: Sendable {
    var sensor: String
    /// Its counter of energy, and not its value.
    var isCounter: Bool
    /// From the sensor's unit to the channel's.
    var factor: Double
  }

  let http: MeterHTTP
  /// Nil: the hub's only module that measures is the hub itself (a YoctoHub's own sensors), or has no serial number.
  let serial: String
  let parts: [Part]
  let channels: [Channel]

  var name: String { http.name }

  func read(until deadline: Deadline) throws(MeterFailure) -> [Double?] {
    let sensors = YoctoReading.sensors(try Self.module(http, serial, until: deadline))
    return try parts.map { part throws(MeterFailure) in
      guard let sensor = sensors.first(where: { $0.id == part.sensor }) else {
        throw MeterFailure(
          .malfunction, "\(http.name): module \(serial) has no '\(part.sensor)' any more")
      }
      return (part.isCounter ? sensor.energy : sensor.value).map { $0 * part.factor }
    }
  }

  /// What a module says.
  ///
  /// - Throws: `gone` when the hub does not have it; `malfunction` when another one answers.
  static func module(
    _ http: MeterHTTP, _ serial: String, until deadline: Deadline
  ) throws(MeterFailure) -> [String: Value] {
    let answer: [String: Value]
    do throws(MeterFailure) {
      answer = try http.object("/bySerial/\(serial)/api.json", until: deadline)
    } catch {
      guard error.message.hasSuffix("answered 404") else { throw error }
      throw MeterFailure(
        .notFound, "\(http.name): module \(serial) is not there", hint: "is it plugged in?")
    }
    guard answer["module"]?.map?["serialNumber"]?.text == serial else {
      throw MeterFailure(
        .malfunction, "\(http.name): another module than \(serial) answers",
        evidence: Excerpt.of(Array(Value.map(answer["module"]?.map ?? [:]).json.utf8)))
    }
    return answer
  }

  /// The serial number of the only module behind a hub that measures power, voltage or current.
  ///
  /// The hub's own `/api.json` lists what is behind it in `services.whitePages`.
  static func only(
    _ http: MeterHTTP, until deadline: Deadline
  ) throws(MeterFailure) -> String {
    let answer = try http.object("/api.json", until: deadline)
    guard let pages = answer["services"]?.map?["whitePages"]?.list else {
      throw MeterFailure(
        .malfunction, "\(http.name): this is no hub of Yoctopuce's",
        evidence: Excerpt.of(Array(Value.map(answer).json.utf8)))
    }
    var found: [String] = []
    for page in pages {
      guard let serial = page.map?["serialNumber"]?.text else { continue }
      let module = try? Self.module(http, serial, until: deadline)
      if let module, !YoctoReading.sensors(module).isEmpty { found.append(serial) }
    }
    guard found.count == 1 else {
      throw MeterFailure(
        found.isEmpty ? .notFound : .invalid,
        "\(http.name): it has \(found.isEmpty ? "no" : "more than one") module that measures",
        hint: found.isEmpty
          ? "is it plugged in?" : "name one by 'serial': \(found.joined(separator: ", "))")
    }
    return found[0]
  }
}
