public import KelvinModel

/// A meter whose values are corrected by a calibration: codes stay as they are, channels say what they mean.
public final class CalibratedMeter: Meter {
  public let identity: MeterIdentity
  public let channels: [Channel]
  private let meter: any Meter

  /// - Throws: `invalid` when the calibration is of another meter, or another range of it.
  public init(_ meter: any Meter, _ calibration: MeterCalibration) throws(MeterFailure) {
    if let mismatch = calibration.mismatch(with: meter.identity) {
      throw MeterFailure(
        .invalid, "\(meter.identity.name): its calibration is of another meter: \(mismatch)",
        hint: "calibrate this one, or remove the record")
    }
    self.meter = meter
    var identity = meter.identity
    identity.calibration = calibration.date
    self.identity = identity
    channels = meter.channels.map(calibration.corrected)
  }

  public var rate: Double? { meter.rate }
  public var isOver: Interrupt? { meter.isOver }

  public func start(
    into sink: any BlockSink, until deadline: Deadline
  ) async throws(MeterFailure) {
    try await meter.start(into: sink, until: deadline)
  }

  public func stop(until deadline: Deadline) async -> CaptureSummary {
    await meter.stop(until: deadline)
  }

  public func set(_ values: [MeterSetting], until deadline: Deadline) async throws(MeterFailure) {
    try await meter.set(values, until: deadline)
  }

  public func status(until deadline: Deadline) async throws(MeterFailure) -> [MeterProperty] {
    try await meter.status(until: deadline)
  }

  public func close() async { await meter.close() }
}
