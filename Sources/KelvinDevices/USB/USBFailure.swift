internal import CLibUSB
public import KelvinModel

/// Why something with a USB device did not work.
public struct USBFailure: Failure, Hashable {
  public enum Code: Sendable, Hashable {
    /// The device refused: an unknown control request, or a halted endpoint, which
    /// ``USBInterface/clearHalt(_:)`` revives.
    case stall
    /// The deadline passed; ``USBFailure/transferred`` and ``USBFailure/partial`` tell what had moved.
    case timedOut
    /// The task was cancelled, the deadline's interrupt raised, or the device closed meanwhile.
    case cancelled
    /// The device is no longer there.
    case disconnected
    /// The transfer failed on the wire, and the device is still there.
    case transferError
    /// The device sent more than there was room for.
    case overflow
    /// Somebody else holds the interface.
    case busy
    /// This user may not open the device.
    case permission
    /// There is no such device, interface or endpoint.
    case notFound
    /// The device, its descriptors, or this kernel cannot do it.
    case unsupported
    /// Anything else that libusb says, by its number.
    case library(Int32)
  }

  public let code: Code
  public let message: String
  public let evidence: String
  public let hint: String
  /// Bytes that had moved, in either direction.
  public let transferred: Int
  /// Those of them that came from the device.
  public let partial: [UInt8]

  /// Creates a failure; the message starts with the device.
  public init(
    _ code: Code, _ message: String, evidence: String = "", hint: String = "",
    transferred: Int = 0, partial: [UInt8] = []
  ) {
    self.code = code
    self.message = message
    self.evidence = evidence
    self.hint = hint
    self.transferred = transferred
    self.partial = partial
  }

  public var kind: FailureKind {
    switch code {
    case .timedOut: .timeout
    case .permission, .notFound: .configuration
    case .stall, .cancelled, .disconnected, .transferError, .overflow, .busy, .unsupported,
      .library:
      .infrastructure
    }
  }
}

extension USBFailure.Code {
  /// What a negative return value of libusb means.
  init(libusb status: Int32) {
    self =
      switch libusb_error(status) {
      case LIBUSB_ERROR_IO: .transferError
      case LIBUSB_ERROR_ACCESS: .permission
      case LIBUSB_ERROR_NO_DEVICE: .disconnected
      case LIBUSB_ERROR_NOT_FOUND: .notFound
      case LIBUSB_ERROR_BUSY: .busy
      case LIBUSB_ERROR_TIMEOUT: .timedOut
      case LIBUSB_ERROR_OVERFLOW: .overflow
      case LIBUSB_ERROR_PIPE: .stall
      case LIBUSB_ERROR_NOT_SUPPORTED: .unsupported
      default: .library(status)
      }
  }

  /// The sentence's end: `device 1209:0001 at 3-1: reading endpoint 0x81: ...`.
  var words: String {
    switch self {
    case .stall: "refused by the device (stall)"
    case .timedOut: "no answer in time"
    case .cancelled: "cancelled"
    case .disconnected: "the device is gone"
    case .transferError: "failed on the wire; the device is still there"
    case .overflow: "the device sent more than was asked for"
    case .busy: "in use by another program or driver"
    case .permission: "permission denied"
    case .notFound: "not there"
    case .unsupported: "not supported"
    case .library(let status): "libusb says \(String(cString: libusb_error_name(status)))"
    }
  }

  var hint: String {
    switch self {
    case .permission: "run 'kelvin bench udev --install' and plug the device in again"
    case .busy: "end the other program; 'kelvin bench who' shows what Kelvin itself holds"
    case .disconnected: "look at its cable and its power"
    default: ""
    }
  }
}
