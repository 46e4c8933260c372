internal import CLibUSB
internal import Glibc
public import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// An open USB device. Closes itself with its last reference.
///
/// Any thread and any task may use it, several at once. Transfers end with the task's cancellation,
/// the deadline's time or its interrupt, and when the device is unplugged; a function returns only
/// when the kernel no longer touches its buffer.
public final class USBDevice: Sendable {
  /// As it was when it was opened.
  public let info: USBDeviceInfo
  /// What it was opened by.
  public let context: USBContext
  let handle: COpaquePointer
  let uses = UseCount()
  private let descriptor: Int32
  // Buffers of transfers that brought none of their own.
  private let spare = Mutex<[USBTransfer]>([])

  init(_ info: USBDeviceInfo, context: USBContext, handle: OpaquePointer, descriptor: Int32) {
    self.info = info
    self.context = context
    self.handle = COpaquePointer(raw: handle)
    self.descriptor = descriptor
  }

  deinit { close() }

  /// Cancels what is under way, gives the interfaces back, and closes the device when that has ended.
  /// Idempotent.
  public func close() {
    uses.close { [handle, descriptor] in
      libusb_close(handle.raw)
      Glibc.close(descriptor)
    }
  }

  /// Whether it is known to be unplugged. False does not mean that it is still there.
  public var isGone: Bool {
    guard let use = uses.begin({}) else { return false }
    defer { uses.end(use) }
    return hasHungUp(within: 0)
  }

  // MARK: control requests

  /// Sends a control request and reads the answer, which may be shorter than `count`.
  public func controlRead(
    _ setup: USBControlSetup, count: Int, until deadline: Deadline
  ) async throws(USBFailure) -> [UInt8] {
    precondition(setup.isIn && count >= 0 && count <= 65_535, "no request to read: \(setup)")
    let transfer = borrow(count)
    defer { giveBack(transfer) }
    let moved = try await run(.control(setup), transfer, count, until: deadline)
    return transfer.bytes(moved)
  }

  /// Sends a control request with or without data, and waits for the acknowledgment.
  public func controlWrite(
    _ setup: USBControlSetup, _ bytes: [UInt8] = [], until deadline: Deadline
  ) async throws(USBFailure) {
    precondition(!setup.isIn && bytes.count <= 65_535, "no request to write: \(setup)")
    let transfer = borrow(bytes.count)
    defer { giveBack(transfer) }
    transfer.fill(bytes)
    _ = try await run(.control(setup), transfer, bytes.count, until: deadline)
  }

  /// Resets the device's port; interfaces stay claimed. Blocks for some 100 ms.
  ///
  /// - Throws: `notFound` when the device comes back as another one, and must be found anew.
  public func reset() throws(USBFailure) {
    try check(attempting: "reset") { libusb_reset_device($0) }
  }

  // MARK: for interfaces and streams

  func borrow(_ count: Int) -> USBTransfer {
    let found = spare.withLock { spare in
      spare.lastIndex { $0.capacity >= count }.map { spare.remove(at: $0) }
    }
    return found ?? USBTransfer(capacity: max(count, 512))
  }

  func giveBack(_ transfer: USBTransfer) {
    spare.withLock { if $0.count < 8, transfer.capacity <= 1 << 18 { $0.append(transfer) } }
  }

  /// Runs a transfer to its end.
  ///
  /// - Parameter owner: what else must stay open meanwhile: the interface.
  /// - Returns: how many bytes moved.
  func run(
    _ request: USBTransfer.Request, _ transfer: USBTransfer, _ count: Int,
    owner: UseCount? = nil, until deadline: Deadline
  ) async throws(USBFailure) -> Int {
    guard let use = uses.begin({ transfer.cancel() }) else { throw closed(request.words) }
    defer { uses.end(use) }
    let ownersUse = owner?.begin { transfer.cancel() }
    guard owner == nil || ownersUse != nil else { throw closed(request.words) }
    defer { if let ownersUse { owner?.end(ownersUse) } }

    let outcome = await outcome(request, transfer, count, deadline)
    let verdict = USBVerdict(outcome)
    if verdict.isUndecided, await isGoneAfterAll() {
      throw failure(.disconnected, request.words, verdict.moved, request.isIn ? transfer : nil)
    }
    if let code = verdict.code {
      throw failure(code, request.words, verdict.moved, request.isIn ? transfer : nil)
    }
    return verdict.moved
  }

  private func outcome(
    _ request: USBTransfer.Request, _ transfer: USBTransfer, _ count: Int, _ deadline: Deadline
  ) async -> USBTransfer.Outcome {
    transfer.prepareToSubmit()
    let loop = context.loop
    if let interrupt = deadline.interrupt { loop.watch(interrupt, for: transfer) }
    defer { if let interrupt = deadline.interrupt { loop.unwatch(interrupt, for: transfer) } }
    // After the watch has begun, so that none is missed.
    if deadline.isInterrupted { transfer.cancel() }
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        transfer.submit(request, count: count, on: handle, of: loop.library, until: deadline) {
          continuation.resume(returning: $0)
        }
      }
    } onCancel: {
      transfer.cancel()
    }
  }

  /// A blocking call of libusb, with its error as a failure.
  func check(
    attempting what: String, _ call: (OpaquePointer) -> Int32
  ) throws(USBFailure) {
    guard let use = uses.begin({}) else { throw closed(what) }
    defer { uses.end(use) }
    let status = call(handle.raw)
    guard status < 0 else { return }
    var code = USBFailure.Code(libusb: status)
    if code == .transferError, hasHungUp(within: 0) { code = .disconnected }
    throw failure(code, what)
  }

  func closed(_ what: String) -> USBFailure { failure(.cancelled, "\(what): closed meanwhile") }

  func failure(
    _ code: USBFailure.Code, _ what: String, _ moved: Int = 0, _ transfer: USBTransfer? = nil
  ) -> USBFailure {
    USBFailure(
      code, "\(info): \(what): \(code.words)",
      evidence: moved > 0 && code != .overflow ? "\(moved) bytes had moved" : "", hint: code.hint,
      transferred: moved, partial: transfer?.bytes(moved) ?? [])
  }
}

// MARK: gone, or only an error?

extension USBDevice {
  /// Waits until the kernel says that the device is gone: usbfs then reports a hang-up.
  private func hasHungUp(within seconds: Double) -> Bool {
    Deadline.after(seconds: seconds).wait(for: descriptor, events: 0) == .ready
  }

  /// Looks once more after a transfer failed: a cable that was pulled fails transfers before the hub
  /// has told the kernel, so a failed transfer alone says nothing.
  ///
  /// Asks the device for its status (USB 2.0, 9.4.5), which every device answers; one that does not is
  /// given half a second to be found missing. Blocks the calling thread for as long.
  func looksGone() -> Bool {
    if hasHungUp(within: 0) { return true }
    let transfer = borrow(2)
    let box = OutcomeBox()
    transfer.prepareToSubmit()
    transfer.submit(
      .control(USBControlSetup(0x80, 0x00)), count: 2, on: handle, of: context.loop.library,
      until: .after(seconds: 0.25)
    ) { box.put($0) }
    let verdict = USBVerdict(box.take())
    giveBack(transfer)
    switch verdict.code {
    case nil, .stall: return false
    case .disconnected: return true
    default: return hasHungUp(within: 0.5)
    }
  }

  /// The same for tasks, on a thread of its own: it happens seldom.
  private func isGoneAfterAll() async -> Bool {
    await withCheckedContinuation { continuation in
      do {
        _ = try NamedThread("usb-look") { continuation.resume(returning: self.looksGone()) }
      } catch {
        continuation.resume(returning: hasHungUp(within: 0))
      }
    }
  }
}
