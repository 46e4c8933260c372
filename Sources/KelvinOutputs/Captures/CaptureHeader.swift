internal import KelvinModel

/// What a capture's file says about it besides the samples, as one JSON object on one line: in the
/// head of a CSV file, in user data of a JLS file, in a member of a zip.
///
/// Keys: `kelvin_capture` (1), `name`, `meter`, `channels`, `clock`, `reference`, `events`; those
/// inside are named as the fields of the types.
enum CaptureHeader {
  /// The header's text.
  ///
  /// - Parameter extra: what a format adds for its own reader.
  static func text(_ source: CaptureSource, adding extra: [String: Value] = [:]) -> String {
    var map: [String: Value] = [
      "kelvin_capture": 1, "name": .text(source.name),
      "channels": .list(source.channels.map(value)),
      "clock": value(source.clock)
    ]
    if let meter = source.meter { map["meter"] = value(meter) }
    if let reference = source.reference {
      map["reference"] = .map([
        "monotonic": .integer(reference.monotonic), "boottime": .integer(reference.boottime),
        "wall": .integer(reference.wall)
      ])
    }
    if !source.events.isEmpty { map["events"] = .list(source.events.map(value)) }
    return Value.map(map.merging(extra) { own, _ in own }).json
  }

  /// Reads a header; nil when the text is none. Values of a wrong type are taken for missing.
  static func read(_ text: String) -> ImportedCapture? {
    guard let map = Value(json: text)?.map, map["kelvin_capture"]?.integer == 1,
      let list = map["channels"]?.list, case let channels = list.compactMap(channel),
      channels.count == list.count
    else { return nil }
    var capture = ImportedCapture(name: map["name"]?.text ?? "", channels: channels)
    capture.meter = map["meter"]?.map.map(meter)
    if let clock = map["clock"]?.map {
      guard let fit = self.clock(clock) else { return nil }
      capture.clock = fit
    }
    if let reference = map["reference"]?.map, let monotonic = time(reference["monotonic"]),
      let boottime = time(reference["boottime"]), let wall = reference["wall"]?.integer,
      wall.magnitude <= 4 * timeLimit
    {
      capture.reference = ClockReference(monotonic: monotonic, boottime: boottime, wall: wall)
    }
    capture.events = (map["events"]?.list ?? []).compactMap(event).filter {
      $0.channel.map(channels.indices.contains) ?? true
    }
    return capture
  }

  // MARK: - Parts

  private static func value(_ channel: Channel) -> Value {
    var map: [String: Value] = [
      "name": .text(channel.name), "unit": .text(channel.unit), "scale": .number(channel.scale),
      "offset": .number(channel.offset), "site": .text(channel.site)
    ]
    if let kind = channel.kind { map["kind"] = .text(kind.rawValue) }
    if let range = channel.range {
      map["range"] = .list([.number(range.lowerBound), .number(range.upperBound)])
    }
    if let wrap = channel.wrap { map["wrap"] = .text(String(wrap)) }
    if let time = channel.averagingTime { map["averagingTime"] = .number(time) }
    if let accuracy = channel.accuracy {
      var limits: [String: Value] = [
        "gain": .number(accuracy.gain), "offset": .number(accuracy.offset),
        "source": .text(accuracy.source)
      ]
      if let resolution = accuracy.resolution { limits["resolution"] = .number(resolution) }
      if let noise = accuracy.noise { limits["noise"] = .number(noise) }
      if let factor = accuracy.coverageFactor { limits["coverageFactor"] = .number(factor) }
      map["accuracy"] = .map(limits)
    }
    return .map(map)
  }

  private static func channel(_ value: Value) -> Channel? {
    guard let map = value.map, let name = map["name"]?.text, let unit = map["unit"]?.text,
      let scale = map["scale"]?.number, scale.isFinite, scale != 0
    else { return nil }
    var channel = Channel(name: name, unit: unit, scale: scale)
    if let offset = map["offset"]?.number, offset.isFinite { channel.offset = offset }
    channel.site = map["site"]?.text ?? ""
    channel.kind = map["kind"]?.text.flatMap(MeterChannel.Kind.init(rawValue:))
    if let range = map["range"]?.list?.compactMap(\.number), range.count == 2,
      range[0] <= range[1]
    {
      channel.range = range[0]...range[1]
    }
    channel.wrap = map["wrap"]?.text.flatMap { UInt64($0) }
    channel.averagingTime = map["averagingTime"]?.number
    if let limits = map["accuracy"]?.map, let gain = limits["gain"]?.number,
      let offset = limits["offset"]?.number
    {
      channel.accuracy = Accuracy(
        gain: gain, offset: offset, resolution: limits["resolution"]?.number,
        noise: limits["noise"]?.number, coverageFactor: limits["coverageFactor"]?.number,
        source: limits["source"]?.text ?? "")
    }
    return channel
  }

  private static func value(_ meter: MeterIdentity) -> Value {
    .map(
      [
        "name": meter.name, "driver": meter.driver, "model": meter.model, "serial": meter.serial,
        "firmware": meter.firmware, "location": meter.location, "range": meter.range,
        "calibration": meter.calibration, "verified": meter.verified
      ].mapValues(Value.text))
  }

  private static func meter(_ map: [String: Value]) -> MeterIdentity {
    func text(_ key: String) -> String { map[key]?.text ?? "" }
    return MeterIdentity(
      name: text("name"), driver: text("driver"), model: text("model"), serial: text("serial"),
      firmware: text("firmware"), location: text("location"), range: text("range"),
      calibration: text("calibration"), verified: text("verified"))
  }

  private static func value(_ clock: ClockFit) -> Value {
    var map: [String: Value] = [
      "origin": .integer(clock.origin), "offset": .integer(clock.offset),
      "skew": .number(clock.skew), "uncertainty": .number(clock.uncertainty),
      "residual": .number(clock.residual), "count": .integer(Int64(clock.count))
    ]
    if let skew = clock.skewUncertainty { map["skewUncertainty"] = .number(skew) }
    return .map(map)
  }

  /// Of times within 36 years of 0, and of clocks within a percent of each other: arithmetic on others
  /// overflows.
  static let timeLimit: Int64 = 1 << 60

  /// A time on some clock; nil when it is out of reach.
  static func time(_ value: Value?) -> Int64? {
    value?.integer.flatMap { $0.magnitude <= timeLimit ? $0 : nil }
  }

  private static func clock(_ map: [String: Value]) -> ClockFit? {
    guard let origin = time(map["origin"]), let offset = time(map["offset"]),
      let skew = map["skew"]?.number, skew.magnitude <= 0.01
    else { return nil }
    return ClockFit(
      origin: origin, offset: offset, skew: skew, uncertainty: map["uncertainty"]?.number ?? 0,
      residual: map["residual"]?.number ?? 0, count: Int(map["count"]?.integer ?? 0),
      skewUncertainty: map["skewUncertainty"]?.number)
  }

  private static func value(_ event: CaptureEvent) -> Value {
    var map: [String: Value] = [
      "kind": .text(event.kind.rawValue), "from": .integer(event.from), "to": .integer(event.to)
    ]
    if let channel = event.channel { map["channel"] = .integer(Int64(channel)) }
    if let count = event.count { map["count"] = .integer(count) }
    if !event.note.isEmpty { map["note"] = .text(event.note) }
    return .map(map)
  }

  private static func event(_ value: Value) -> CaptureEvent? {
    guard let map = value.map,
      let kind = map["kind"]?.text.flatMap(CaptureEvent.Kind.init(rawValue:)),
      let from = time(map["from"]), let to = time(map["to"]), from <= to
    else { return nil }
    return CaptureEvent(
      kind, channel: map["channel"]?.integer.map { Int($0) }, from: from, to: to,
      count: map["count"]?.integer, note: map["note"]?.text ?? "")
  }
}
