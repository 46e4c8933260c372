internal import CLibUSB
internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// What a stream's two threads share: the event thread, which submits and queues, and the stream's
/// own, which hands over.
///
/// The stream's thread retains it until the last transfer has ended, so that callbacks may use it
/// without a reference of their own.
final class USBStreamCore: Sendable {
  /// A buffer that came back full.
  struct Entry: BitwiseCopyable, Sendable {
    var buffer: Int32
    var count: Int32
    var nanoseconds: Int64
  }

  /// A transfer under way. The event thread's, once it is submitted.
  private struct Slot {
    let transfer: UnsafeMutablePointer<libusb_transfer>
    let core: Unmanaged<USBStreamCore>
    var buffer: Int32
  }

  private let library: USBLibrary
  private let slots: CPointer<Slot>
  private let slotCount: Int
  private let memory: CPointer<UInt8>
  private let stride: Int
  private let bufferCount: Int
  // From the event thread to the stream's, and back.
  private let full: IndexRing<Entry>
  private let free: IndexRing<Int32>
  // The stream's thread's.
  private let taken: CPointer<Entry>

  /// Held to submit and to stop, so that nothing is submitted after a stop: nobody waits for it else.
  private let isStopping = Mutex(false)
  /// Transfers under way, and one for ``start()``.
  private let flying = Atomic<Int>(1)
  /// Nothing will come any more.
  private let hasEnded = Interrupt()
  /// How many buffers must be full for the stream's thread to be woken; 0: it is not waiting.
  private let wakeAt = Atomic<Int>(0)
  private let wakeup = kelvin_eventfd()
  private let lostTransfers = Atomic<Int>(0)
  private let lostBytes = Atomic<Int>(0)
  private let firstFailure = Mutex<USBFailure.Code?>(nil)

  init(
    _ device: USBDevice, _ endpoint: USBDescriptors.Endpoint, _ options: USBStream.Options
  ) {
    library = device.context.loop.library
    precondition(
      options.transfers > 0 && options.queued > 0 && options.bytesPerTransfer > 0,
      "a stream of nothing")
    slotCount = options.transfers
    bufferCount = options.transfers + options.queued
    stride = options.bytesPerTransfer
    slots = CPointer(raw: .allocate(capacity: slotCount))
    memory = CPointer(raw: .allocate(capacity: bufferCount * stride))
    // Touched now, so that no page has to be found while data flow.
    memory.raw.initialize(repeating: 0, count: bufferCount * stride)
    full = IndexRing(
      capacity: bufferCount, filledWith: Entry(buffer: 0, count: 0, nanoseconds: 0))
    free = IndexRing(capacity: bufferCount, filledWith: 0)
    taken = CPointer(raw: .allocate(capacity: bufferCount))
    for index in slotCount..<bufferCount { _ = free.put(Int32(index)) }
    for index in 0..<slotCount {
      guard let transfer = libusb_alloc_transfer(0) else { preconditionFailure("no memory") }
      (slots.raw + index).initialize(
        to: Slot(transfer: transfer, core: .passUnretained(self), buffer: Int32(index)))
      transfer.pointee.dev_handle = device.handle.raw
      transfer.pointee.endpoint = endpoint.address
      let isInterrupt = endpoint.kind == .interrupt
      transfer.pointee.type = UInt8(
        (isInterrupt ? LIBUSB_TRANSFER_TYPE_INTERRUPT : LIBUSB_TRANSFER_TYPE_BULK).rawValue)
      transfer.pointee.timeout = 0
      transfer.pointee.length = Int32(stride)
      transfer.pointee.buffer = memory.raw + index * stride
      transfer.pointee.user_data = UnsafeMutableRawPointer(slots.raw + index)
      transfer.pointee.callback = { transfer in
        guard let user = transfer?.pointee.user_data else { return }
        let slot = user.assumingMemoryBound(to: Slot.self)
        slot.pointee.core.takeUnretainedValue().land(slot)
      }
    }
  }

  deinit {
    for index in 0..<slotCount {
      // As in USBTransfer.
      slots.raw[index].transfer.pointee.dev_handle = nil
      libusb_free_transfer(slots.raw[index].transfer)
    }
    slots.raw.deallocate()
    memory.raw.deallocate()
    taken.raw.deallocate()
    if wakeup >= 0 { close(wakeup) }
  }

  /// Why the stream ended by itself, as libusb saw it; nil when it was stopped.
  var failure: USBFailure.Code? { firstFailure.withLock { $0 } }

  var lostSoFar: Int { lostTransfers.load(ordering: .relaxed) }

  /// Submits all transfers.
  func start() {
    for index in 0..<slotCount {
      flying.wrappingAdd(1, ordering: .relaxed)
      if !submit(slots.raw + index) { landed() }
    }
    landed()
  }

  /// Has all transfers end. Any thread, any number of times.
  func stop() {
    let isFirst = isStopping.withLock { isStopping in
      defer { isStopping = true }
      return !isStopping
    }
    guard isFirst else { return }
    for index in 0..<slotCount { libusb_cancel_transfer(slots.raw[index].transfer) }
  }

  /// - Returns: whether it is under way.
  private func submit(_ slot: UnsafeMutablePointer<Slot>) -> Bool {
    let status: Int32? = isStopping.withLock { isStopping in
      isStopping ? nil : libusb_submit_transfer(slot.pointee.transfer)
    }
    guard let status else { return false }
    if status < 0 { fail(USBFailure.Code(libusb: status)) }
    return status >= 0
  }

  private func fail(_ code: USBFailure.Code) {
    firstFailure.withLock { if $0 == nil { $0 = code } }
    stop()
  }

  private func landed() {
    let remaining = flying.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue
    if remaining == 0 { hasEnded.raise() }
  }

  /// The event thread: a transfer has ended.
  private func land(_ slot: UnsafeMutablePointer<Slot>) {
    let transfer = slot.pointee.transfer
    let code = USBVerdict.code(transfer.pointee.status)
    let isStopped = isStopping.withLock { $0 }
    // What came before a cancellation or an error counts too.
    if code == nil || transfer.pointee.actual_length > 0 { queue(slot) }
    if let code {
      if !(isStopped && code == .cancelled) { fail(code) }
      landed()
    } else if !submit(slot) {
      landed()
    }
  }

  private func queue(_ slot: UnsafeMutablePointer<Slot>) {
    let transfer = slot.pointee.transfer
    guard let next = free.take() else {
      lostTransfers.wrappingAdd(1, ordering: .relaxed)
      lostBytes.wrappingAdd(Int(transfer.pointee.actual_length), ordering: .relaxed)
      return
    }
    _ = full.put(
      Entry(
        buffer: slot.pointee.buffer, count: transfer.pointee.actual_length,
        nanoseconds: MonotonicTime.now.nanoseconds))
    slot.pointee.buffer = next
    transfer.pointee.buffer = memory.raw + Int(next) * stride
    // Between putting and asking here, between saying and looking in `wait`: one of the two threads
    // sees what the other did.
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    let wanted = wakeAt.load(ordering: .relaxed)
    if wanted > 0, full.count >= wanted, wakeAt.exchange(0, ordering: .relaxed) > 0 {
      var one: UInt64 = 1
      _ = write(wakeup, &one, 8)
    }
  }

  /// The stream's thread: hands over until the last transfer has ended.
  func consume(
    batchSeconds: Double, _ handler: (borrowing USBBatch) -> Void
  ) -> USBStream.Summary {
    var summary = USBStream.Summary()
    while true {
      // Asked before looking: what came in between is then seen below.
      let isLast = hasEnded.isRaised
      let count = takeAll()
      if count == 0 {
        if isLast { break }
        wait(for: 1, until: .never)
        continue
      }
      for index in 0..<count {
        summary.transfers += 1
        summary.bytes += Int(taken.raw[index].count)
        if taken.raw[index].count == 0 { summary.emptyTransfers += 1 }
      }
      handler(
        USBBatch(
          entries: UnsafeBufferPointer(start: taken.raw, count: count), memory: memory.raw,
          stride: stride, lostTransfers: lostSoFar))
      for index in 0..<count { _ = free.put(taken.raw[index].buffer) }
      // A burst ends the pause before it fills the queue.
      if batchSeconds > 0, !isLast {
        wait(for: max(1, (bufferCount - slotCount) / 2), until: .after(seconds: batchSeconds))
      }
    }
    summary.lostTransfers = lostSoFar
    summary.lostBytes = lostBytes.load(ordering: .relaxed)
    return summary
  }

  private func takeAll() -> Int {
    var count = 0
    while count < bufferCount, let entry = full.take() {
      (taken.raw + count).initialize(to: entry)
      count += 1
    }
    return count
  }

  private func wait(for count: Int, until deadline: Deadline) {
    wakeAt.store(count, ordering: .relaxed)
    defer { wakeAt.store(0, ordering: .relaxed) }
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    guard full.count < count, !hasEnded.isRaised else { return }
    let limit = Deadline(time: deadline.time, interrupt: hasEnded)
    guard limit.wait(for: wakeup) == .ready else { return }
    var number: UInt64 = 0
    _ = read(wakeup, &number, 8)
  }
}
