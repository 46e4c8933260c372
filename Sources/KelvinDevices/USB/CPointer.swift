/// A pointer of a C library that may cross threads: the one opt-out of the USB layer from the
/// compiler's checking.
///
/// The reason: libusb's contexts, handles and transfers may be used by any thread, and what it is
/// that guards the memory behind a pointer (a lock, or a rule which thread owns it when) stands where
/// the pointer is declared.
struct CPointer<Pointee>: @unchecked Sendable {
  let raw: UnsafeMutablePointer<Pointee>
}

/// The same for the types that C keeps to itself.
struct COpaquePointer: @unchecked Sendable {
  let raw: OpaquePointer
}
