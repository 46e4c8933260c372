internal import KelvinDevices

extension MeterFailure {
  /// A failure of the device that a meter is.
  init(_ failure: DeviceFailure, of meter: String) {
    let code: Code =
      switch failure.problem {
      case .absent: .notFound
      case .ambiguous: .invalid
      case .notPermitted: .permission
      case .vanished: .gone
      case .busy: .busy
      case .unavailable: .unsupported
      case .unsuitable: .malfunction
      case .timedOut: .timedOut
      case .interrupted: .interrupted
      }
    self.init(
      code, "\(meter): \(failure.message)", evidence: failure.evidence, hint: failure.hint)
  }
}
