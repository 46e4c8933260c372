internal import GRDB
internal import KelvinModel

// How what belongs to captures lies in columns. JSON objects may gain keys; one that is missing has its
// default.

extension Channel {
  static let insertion = """
    INSERT INTO channels (capture, ordinal, name, unit, scale, offset, site, kind, range_min,
      range_max, accuracy, wrap, averaging_s)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    """
  /// The columns in the order of the table's definition: runs of older versions end with `scale`.
  static let selection = "SELECT * FROM channels"

  /// The arguments of ``insertion``. A wrap beyond 2^63 is kept as the negative integer of the same bits.
  func arguments(capture: Int64, ordinal: Int) -> StatementArguments {
    [
      capture, ordinal, name.storable, unit.storable, scale, offset, site.storable, kind?.rawValue,
      range?.lowerBound, range?.upperBound, accuracy?.stored.json,
      wrap.map(Int64.init(bitPattern:)), averagingTime
    ]
  }

  /// Reads a row of ``selection``.
  init(_ row: RowReader) throws(StoreFailure) {
    self.init(name: try row.text(2), unit: try row.text(3), scale: try row.number(4))
    guard row.count > 12 else { return }
    offset = try row.number(5)
    site = try row.text(6)
    kind = try row.optionalText(7) == nil ? nil : row.word(7, as: MeterChannel.Kind.self)
    if let low = try row.optionalNumber(8), let high = try row.optionalNumber(9) {
      guard low <= high else { throw row.unexpected(8) }
      range = low...high
    }
    if try row.optionalText(10) != nil {
      guard let stored = Accuracy(stored: try row.json(10)) else { throw row.unexpected(10) }
      accuracy = stored
    }
    wrap = try row.optionalInteger(11).map(UInt64.init(bitPattern:))
    averagingTime = try row.optionalNumber(12)
  }
}

extension Accuracy {
  /// As a JSON object.
  var stored: Value {
    var map: [String: Value] = [
      "gain": .number(gain), "offset": .number(offset), "source": .text(source)
    ]
    map["resolution"] = resolution.map(Value.number)
    map["noise"] = noise.map(Value.number)
    map["coverage_factor"] = coverageFactor.map(Value.number)
    return .map(map)
  }

  /// Reads an accuracy; nil when it is damaged.
  init?(stored value: Value) {
    guard let map = value.map, let gain = map["gain"]?.number, let offset = map["offset"]?.number
    else { return nil }
    self.init(
      gain: gain, offset: offset, resolution: map["resolution"]?.number,
      noise: map["noise"]?.number, coverageFactor: map["coverage_factor"]?.number,
      source: map["source"]?.text ?? "")
  }
}

extension MeterIdentity {
  /// As a JSON object; what is empty is left out.
  var stored: Value {
    let texts = [
      "name": name, "driver": driver, "model": model, "serial": serial, "firmware": firmware,
      "location": location, "range": range, "calibration": calibration, "verified": verified
    ]
    return .map(texts.filter { !$0.value.isEmpty }.mapValues(Value.text))
  }

  /// Reads an identity; nil when it is damaged.
  init?(stored value: Value) {
    guard let map = value.map else { return nil }
    func text(_ key: String) -> String { map[key]?.text ?? "" }
    self.init(
      name: text("name"), driver: text("driver"), model: text("model"), serial: text("serial"),
      firmware: text("firmware"), location: text("location"), range: text("range"),
      calibration: text("calibration"), verified: text("verified"))
  }
}

extension ClockFit {
  /// As a JSON object.
  var stored: Value {
    var map: [String: Value] = [
      "origin_ns": .integer(origin), "offset_ns": .integer(offset), "skew": .number(skew),
      "uncertainty_ns": .number(uncertainty), "residual_ns": .number(residual),
      "count": .integer(Int64(count))
    ]
    map["skew_uncertainty"] = skewUncertainty.map(Value.number)
    return .map(map)
  }

  /// Reads a mapping; nil when it is damaged.
  init?(stored value: Value) {
    guard let map = value.map, let origin = map["origin_ns"]?.integer,
      let offset = map["offset_ns"]?.integer
    else { return nil }
    // What is no number was none when it was stored, either.
    self.init(
      origin: origin, offset: offset, skew: map["skew"]?.number ?? 0,
      uncertainty: map["uncertainty_ns"]?.number ?? .infinity,
      residual: map["residual_ns"]?.number ?? .infinity,
      count: Int(clamping: map["count"]?.integer ?? 0),
      skewUncertainty: map["skew_uncertainty"]?.number)
  }
}

extension CaptureEvent {
  static let selection =
    "SELECT kind, channel, from_ns, to_ns, count, note FROM capture_events"

  /// Reads a row of ``selection``.
  init(_ row: RowReader) throws(StoreFailure) {
    self.init(
      try row.word(0, as: Kind.self),
      channel: try row.optionalInteger(1) == nil ? nil : row.int(1), from: try row.integer(2),
      to: try row.integer(3), count: try row.optionalInteger(4), note: try row.text(5))
  }
}
