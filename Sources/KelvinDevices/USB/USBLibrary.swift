internal import CLibUSB

/// libusb's context, which ends when nothing of it is left: its devices and used transfers point to
/// it even after their closing.
final class USBLibrary: Sendable {
  let context: COpaquePointer

  init(_ context: OpaquePointer) { self.context = COpaquePointer(raw: context) }

  deinit {
    libusb_exit(context.raw)
    USBLog.end(context.raw)
  }
}
