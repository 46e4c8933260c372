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

  /// A failure of the USB device that a meter is.
  init(_ failure: USBFailure, of meter: String) {
    let code: Code =
      switch failure.code {
      case .timedOut: .timedOut
      case .cancelled: .interrupted
      case .disconnected: .gone
      case .busy: .busy
      case .permission: .permission
      case .notFound: .notFound
      case .unsupported: .unsupported
      case .stall, .transferError, .overflow, .library: .malfunction
      }
    self.init(code, "\(meter): \(failure.message)", evidence: failure.evidence, hint: failure.hint)
  }
}
