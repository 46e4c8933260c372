public import KelvinModel

/// What references told of a meter: by how much its channels are off, and how well that is known.
///
/// true value = gain·value + offset, by least squares over the points of a channel; one point at 0 gives an
/// offset alone, another one a gain alone.
public struct MeterCalibration: Sendable, Hashable {
  /// One value of a reference, and what the meter said of it. In the channel's unit.
  public struct Point: Sendable, Hashable {
    public var reference: Double
    /// How far the reference may be off, as a limit.
    public var limit: Double
    /// The mean of the meter's values, before any correction.
    public var measured: Double
    /// The standard uncertainty of that mean.
    public var uncertainty: Double
    /// As ISO 8601 writes a day.
    public var date: String

    /// Describes one.
    public init(
      reference: Double, limit: Double, measured: Double, uncertainty: Double, date: String
    ) {
      self.reference = reference
      self.limit = limit
      self.measured = measured
      self.uncertainty = uncertainty
      self.date = date
    }

    /// Of the difference, standard: the limit is rectangular.
    fileprivate var standard: Double {
      (limit * limit / 3 + uncertainty * uncertainty).squareRoot()
    }
  }

  /// What a channel's points say.
  public struct Correction: Sendable, Hashable {
    public var gain: Double
    public var offset: Double
    /// Standard uncertainties; nil for what was not looked at.
    public var gainUncertainty: Double?
    public var offsetUncertainty: Double?
  }

  /// Which meter it is of: driver, model, serial number, range.
  public private(set) var driver: String
  public private(set) var model: String
  public private(set) var serial: String
  public private(set) var range: String
  /// By channel.
  public private(set) var points: [String: [Point]] = [:]

  /// Begins without a point.
  public init(of meter: MeterIdentity) {
    (driver, model, serial, range) = (meter.driver, meter.model, meter.serial, meter.range)
  }

  /// Adds what a reference told of a channel.
  public mutating func add(_ point: Point, to channel: String) {
    points[channel, default: []].append(point)
  }

  /// Why it is not of this meter; nil when it is.
  public func mismatch(with meter: MeterIdentity) -> String? {
    for (what, own, others) in [
      ("driver", driver, meter.driver), ("model", model, meter.model),
      ("serial number", serial, meter.serial), ("range", range, meter.range)
    ] where own != others { return "its \(what) is '\(others)', not '\(own)'" }
    return nil
  }

  /// The last day on which a point was taken.
  public var date: String { points.values.flatMap(\.self).map(\.date).max() ?? "" }

  /// How a channel is corrected; nil without a point that tells anything.
  public func correction(of channel: String) -> Correction? {
    guard let points = points[channel], !points.isEmpty else { return nil }
    let most = points.map { abs($0.measured) }.max() ?? 0
    // Points of one place tell a gain or an offset, not both.
    let spread = (points.map(\.measured).max() ?? 0) - (points.map(\.measured).min() ?? 0)
    let n = Double(points.count)
    let meanMeasured = points.reduce(0) { $0 + $1.measured } / n
    let meanReference = points.reduce(0) { $0 + $1.reference } / n
    let smallest = points.min { abs($0.reference) < abs($1.reference) } ?? points[0]
    let largest = points.max { abs($0.reference) < abs($1.reference) } ?? points[0]
    if spread > 0.1 * most {
      var (products, squares) = (0.0, 0.0)
      for point in points {
        let x = point.measured - meanMeasured
        products += x * (point.reference - meanReference)
        squares += x * x
      }
      let gain = products / squares
      guard gain.isFinite, gain > 0 else { return nil }
      return Correction(
        gain: gain, offset: meanReference - gain * meanMeasured,
        gainUncertainty: (largest.standard * largest.standard
          + smallest.standard * smallest.standard).squareRoot() / spread,
        offsetUncertainty: smallest.standard)
    }
    if points.allSatisfy({ $0.reference == 0 }) {
      return Correction(
        gain: 1, offset: -meanMeasured, gainUncertainty: nil, offsetUncertainty: smallest.standard)
    }
    let gain = meanReference / meanMeasured
    guard gain.isFinite, gain > 0 else { return nil }
    return Correction(
      gain: gain, offset: 0, gainUncertainty: largest.standard / abs(largest.reference),
      offsetUncertainty: nil)
  }

  /// A channel whose values are corrected, with what is known of it now.
  public func corrected(_ channel: Channel) -> Channel {
    guard channel.wrap == nil, let correction = correction(of: channel.name) else { return channel }
    var result = channel
    result.scale = channel.scale * correction.gain
    result.offset = channel.offset * correction.gain + correction.offset
    result.range = channel.range.map { range in
      let ends = [range.lowerBound, range.upperBound].map {
        $0 * correction.gain + correction.offset
      }
      return min(ends[0], ends[1])...max(ends[0], ends[1])
    }
    // What nothing was learned of stays as it was stated; without a statement there is none now either.
    let divisor = channel.accuracy?.coverageFactor ?? 3.0.squareRoot()
    guard let gain = correction.gainUncertainty ?? channel.accuracy.map({ $0.gain / divisor }),
      let offset = correction.offsetUncertainty ?? channel.accuracy.map({ $0.offset / divisor })
    else {
      result.accuracy = nil
      return result
    }
    let count = points[channel.name]?.count ?? 0
    result.accuracy = Accuracy(
      gain: 2 * gain, offset: 2 * offset, resolution: channel.accuracy?.resolution,
      noise: channel.accuracy?.noise, coverageFactor: 2,
      source: "calibration of \(date), \(count) point\(count == 1 ? "" : "s"), k = 2")
    return result
  }
}

extension MeterCalibration {
  private static let format = "kelvin calibration 1"

  /// As it is kept: JSON.
  public var value: Value {
    .map([
      "format": .text(Self.format), "driver": .text(driver), "model": .text(model),
      "serial": .text(serial), "range": .text(range),
      "channels": .map(
        points.mapValues { points in
          .list(
            points.map { point in
              .map([
                "reference": .number(point.reference), "limit": .number(point.limit),
                "measured": .number(point.measured), "uncertainty": .number(point.uncertainty),
                "date": .text(point.date)
              ])
            })
        })
    ])
  }

  /// Reads what ``value`` wrote; nil for anything else.
  public init?(_ value: Value) {
    guard let map = value.map, map["format"]?.text == Self.format,
      let driver = map["driver"]?.text, let model = map["model"]?.text,
      let serial = map["serial"]?.text, let range = map["range"]?.text,
      let channels = map["channels"]?.map
    else { return nil }
    (self.driver, self.model, self.serial, self.range) = (driver, model, serial, range)
    for (channel, list) in channels {
      guard let list = list.list, list.count <= 10_000 else { return nil }
      for entry in list {
        guard let entry = entry.map, let reference = entry["reference"]?.number,
          let limit = entry["limit"]?.number, let measured = entry["measured"]?.number,
          let uncertainty = entry["uncertainty"]?.number, let date = entry["date"]?.text,
          [reference, limit, measured, uncertainty].allSatisfy(\.isFinite), limit >= 0,
          uncertainty >= 0
        else { return nil }
        add(
          Point(
            reference: reference, limit: limit, measured: measured, uncertainty: uncertainty,
            date: date), to: channel)
      }
    }
  }
}
