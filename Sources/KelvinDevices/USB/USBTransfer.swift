internal import CLibUSB
internal import KelvinModel
internal import Synchronization

/// A buffer with the means to move it: made once, used for one transfer after the other.
///
/// One transfer at a time; between transfers its bytes belong to whoever holds it.
public final class USBTransfer: Sendable {
  /// Bytes of data that it has room for.
  public let capacity: Int
  // libusb's while the state is flying, the holder's else.
  private let transfer: CPointer<libusb_transfer>
  // A control request's eight bytes, and the data after them.
  private let memory: CPointer<UInt8>
  private let state = Mutex(State.idle)
  // libusb's transfer points to the device that it was last used with.
  private let library = Mutex<USBLibrary?>(nil)

  private enum State {
    case idle
    /// About to be submitted.
    case prepared(isCancelled: Bool)
    /// libusb has it and will call back, whatever happens.
    case flying(@Sendable (Outcome) -> Void)
  }

  /// What libusb said, before anyone has looked at the device again.
  enum Outcome: Sendable {
    /// Submitted and ended, with libusb's status and how many bytes moved.
    case ended(libusb_transfer_status, Int)
    /// Never submitted, by libusb's error.
    case refused(Int32)
    /// Never submitted, because it was cancelled or too late.
    case cancelled, timedOut
  }

  /// What is to be done with it.
  enum Request: Sendable {
    case control(USBControlSetup)
    case endpoint(UInt8, USBDescriptors.Endpoint.Kind, endsWithEmptyPacket: Bool)
  }

  /// Allocates.
  ///
  /// - Parameter capacity: bytes; what is read should be a multiple of the endpoint's packet size,
  ///   since a device that sends more than there is room for ends the transfer as an overflow.
  public init(capacity: Int) {
    precondition(capacity >= 0 && capacity < 1 << 30, "a transfer of \(capacity) bytes")
    guard let transfer = libusb_alloc_transfer(0) else { preconditionFailure("no memory") }
    self.capacity = capacity
    self.transfer = CPointer(raw: transfer)
    memory = CPointer(raw: .allocate(capacity: 8 + capacity))
    memory.raw.initialize(repeating: 0, count: 8 + capacity)
  }

  deinit {
    // Not flying: libusb's callback holds a reference until it has run. Some versions look at the
    // handle, to log, and that may be gone.
    transfer.raw.pointee.dev_handle = nil
    libusb_free_transfer(transfer.raw)
    memory.raw.deallocate()
  }

  /// The bytes, to be filled before a write and looked at after a read.
  public func withBytes<Result>(_ body: (UnsafeMutableRawBufferPointer) -> Result) -> Result {
    body(UnsafeMutableRawBufferPointer(start: memory.raw + 8, count: capacity))
  }

  /// The first bytes, copied.
  public func bytes(_ count: Int) -> [UInt8] { withBytes { Array($0.prefix(count)) } }

  /// Fills the first bytes; they must fit.
  public func fill(_ bytes: [UInt8]) {
    precondition(bytes.count <= capacity, "\(bytes.count) bytes for a transfer of \(capacity)")
    withBytes { $0.copyBytes(from: bytes) }
  }

  /// Submits, and calls `completion` exactly once, on the event thread or, when it is not submitted,
  /// on this one.
  ///
  /// The deadline's time is libusb's own, in milliseconds; its interrupt is the caller's matter.
  func submit(
    _ request: Request, count: Int, on handle: COpaquePointer, of library: USBLibrary,
    until deadline: Deadline, completion: @escaping @Sendable (Outcome) -> Void
  ) {
    let refusal: Outcome? = state.withLock { state in
      guard case .prepared(let isCancelled) = state else {
        preconditionFailure("a USBTransfer was used twice at once")
      }
      state = .idle
      if isCancelled { return .cancelled }
      guard let milliseconds = deadline.usbMilliseconds else { return .timedOut }
      prepare(request, count, handle, milliseconds)
      transfer.raw.pointee.user_data = Unmanaged.passRetained(self).toOpaque()
      // libusb lets go of the device before while it submits.
      let previous = self.library.withLock { current in
        defer { current = library }
        return current
      }
      let status = libusb_submit_transfer(transfer.raw)
      withExtendedLifetime(previous) {}
      guard status == 0 else {
        Unmanaged.passUnretained(self).release()
        return .refused(status)
      }
      state = .flying(completion)
      return nil
    }
    if let refusal { completion(refusal) }
  }

  /// Announces a submission, so that ``cancel()`` counts from here on.
  func prepareToSubmit() {
    state.withLock { state in
      guard case .idle = state else {
        preconditionFailure("a USBTransfer was used twice at once")
      }
      state = .prepared(isCancelled: false)
    }
  }

  /// Has it end soon; its completion is called nevertheless. Does nothing when it is not under way.
  func cancel() {
    state.withLock { state in
      switch state {
      case .idle: break
      case .prepared: state = .prepared(isCancelled: true)
      case .flying: libusb_cancel_transfer(transfer.raw)
      }
    }
  }

  private func prepare(
    _ request: Request, _ count: Int, _ handle: COpaquePointer, _ milliseconds: UInt32
  ) {
    precondition(count >= 0 && count <= capacity, "\(count) bytes of a transfer of \(capacity)")
    let raw = transfer.raw
    raw.pointee.dev_handle = handle.raw
    raw.pointee.timeout = milliseconds
    raw.pointee.flags = 0
    raw.pointee.num_iso_packets = 0
    raw.pointee.callback = { transfer in
      guard let user = transfer?.pointee.user_data else { return }
      Unmanaged<USBTransfer>.fromOpaque(user).takeRetainedValue().finish()
    }
    switch request {
    case .control(let setup):
      raw.pointee.endpoint = 0
      raw.pointee.type = UInt8(LIBUSB_TRANSFER_TYPE_CONTROL.rawValue)
      raw.pointee.buffer = memory.raw
      raw.pointee.length = Int32(8 + count)
      setup.write(to: memory.raw, count: count)
    case .endpoint(let address, let kind, let endsWithEmptyPacket):
      raw.pointee.endpoint = address
      raw.pointee.type = UInt8(
        (kind == .interrupt ? LIBUSB_TRANSFER_TYPE_INTERRUPT : LIBUSB_TRANSFER_TYPE_BULK).rawValue)
      raw.pointee.buffer = memory.raw + 8
      raw.pointee.length = Int32(count)
      if endsWithEmptyPacket {
        raw.pointee.flags = UInt8(LIBUSB_TRANSFER_ADD_ZERO_PACKET.rawValue)
      }
    }
  }

  /// On the event thread.
  private func finish() {
    let outcome = Outcome.ended(
      transfer.raw.pointee.status, Int(transfer.raw.pointee.actual_length))
    let completion = state.withLock { state -> (@Sendable (Outcome) -> Void)? in
      defer { state = .idle }
      if case .flying(let completion) = state { return completion }
      return nil
    }
    completion?(outcome)
  }
}

extension Deadline {
  /// For libusb, where 0 means for ever; nil when it has passed.
  fileprivate var usbMilliseconds: UInt32? {
    guard let nanoseconds = remainingNanoseconds else { return 0 }
    return nanoseconds == 0 ? nil : UInt32(clamping: (nanoseconds + 999_999) / 1_000_000)
  }
}
