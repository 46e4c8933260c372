internal import CLibUSB
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// What the end of a transfer means.
struct USBVerdict {
  /// Nil: it succeeded.
  let code: USBFailure.Code?
  let moved: Int

  /// Whether the device has to be looked at before ``code`` may be believed: libusb reports the end of
  /// a transfer whose device was unplugged as an error of the transfer.
  var isUndecided: Bool { code == .transferError }

  init(_ outcome: USBTransfer.Outcome) {
    switch outcome {
    case .refused(let status): (code, moved) = (USBFailure.Code(libusb: status), 0)
    case .cancelled: (code, moved) = (.cancelled, 0)
    case .timedOut: (code, moved) = (.timedOut, 0)
    case .ended(let status, let moved): (code, self.moved) = (USBVerdict.code(status), moved)
    }
  }

  static func code(_ status: libusb_transfer_status) -> USBFailure.Code? {
    switch status {
    case LIBUSB_TRANSFER_COMPLETED: nil
    case LIBUSB_TRANSFER_TIMED_OUT: .timedOut
    case LIBUSB_TRANSFER_CANCELLED: .cancelled
    case LIBUSB_TRANSFER_STALL: .stall
    case LIBUSB_TRANSFER_NO_DEVICE: .disconnected
    case LIBUSB_TRANSFER_OVERFLOW: .overflow
    default: .transferError
    }
  }
}

extension USBTransfer.Request {
  var isIn: Bool {
    switch self {
    case .control(let setup): setup.isIn
    case .endpoint(let address, _, _): address & 0x80 != 0
    }
  }

  /// `reading endpoint 0x81`
  var words: String {
    switch self {
    case .control(let setup): setup.description
    case .endpoint(let address, _, _):
      "\(isIn ? "reading" : "writing") endpoint \(USBDescriptors.Endpoint.text(address))"
    }
  }
}

extension USBDescriptors.Endpoint {
  /// `0x81`
  static func text(_ address: UInt8) -> String {
    "0x" + (address < 16 ? "0" : "") + String(address, radix: 16)
  }
}

/// Carries the end of a transfer to a thread that waits for it.
final class OutcomeBox: Sendable {
  private let outcome = Mutex<USBTransfer.Outcome?>(nil)
  private let isThere = Interrupt()

  func put(_ outcome: USBTransfer.Outcome) {
    self.outcome.withLock { $0 = outcome }
    isThere.raise()
  }

  /// Blocks: a transfer always ends.
  func take() -> USBTransfer.Outcome {
    while true {
      if let outcome = outcome.withLock({ $0 }) { return outcome }
      _ = Deadline(time: nil, interrupt: isThere).wait()
    }
  }
}
