internal import CLibUSB
internal import Synchronization

/// How grave a line of libusb's log is.
public enum USBLogLevel: Int32, Sendable, Comparable {
  case none, error, warning, info, debug

  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// Who gets libusb's log lines. Its callback knows only the context, so there is a table.
enum USBLog {
  typealias Handler = @Sendable (USBLogLevel, String) -> Void
  private static let handlers = Mutex<[OpaquePointerKey: Handler]>([:])

  static func route(
    _ context: OpaquePointer, from level: USBLogLevel, to handler: @escaping Handler
  ) {
    handlers.withLock { $0[OpaquePointerKey(context)] = handler }
    libusb_set_log_cb(
      context,
      { context, level, text in
        guard let context, let text,
          let handler = USBLog.handlers.withLock({ $0[OpaquePointerKey(context)] })
        else { return }
        var line = String(cString: text)
        while line.utf8.last == UInt8(ascii: "\n") { line.removeLast() }
        handler(USBLogLevel(rawValue: Int32(level.rawValue)) ?? .debug, line)
      }, Int32(LIBUSB_LOG_CB_CONTEXT.rawValue))
    _ = kelvin_usb_set_log_level(context, level.rawValue)
  }

  static func end(_ context: OpaquePointer) {
    _ = handlers.withLock { $0.removeValue(forKey: OpaquePointerKey(context)) }
  }
}

/// A pointer as a number, to be compared only.
private struct OpaquePointerKey: Hashable, Sendable {
  let bits: Int
  init(_ pointer: OpaquePointer) { bits = Int(bitPattern: pointer) }
}
