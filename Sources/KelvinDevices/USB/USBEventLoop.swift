internal import CLibUSB
internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// The thread that takes in the ends of transfers and calls their callbacks, and that cancels
/// transfers whose deadline's interrupt is raised.
///
/// It waits with its own poll(2), over libusb's descriptors and the interrupts', and has libusb
/// handle what is ready. The thread retains the loop, never a context or a device, so that those can
/// end it.
final class USBEventLoop: Sendable {
  let library: USBLibrary
  private let isStopping = Atomic<Bool>(false)
  /// Changes with libusb's set of descriptors.
  private let generation = Atomic<Int>(0)
  private let watched = Mutex<[ObjectIdentifier: Watch]>([:])
  private let thread = Mutex<NamedThread?>(nil)

  private struct Watch {
    let interrupt: Interrupt
    var transfers: [ObjectIdentifier: USBTransfer] = [:]
  }

  init(_ library: USBLibrary) throws(PlainFailure) {
    self.library = library
    // No reference is counted: the notifiers are taken away before the thread lets go of the loop.
    libusb_set_pollfd_notifiers(
      context,
      { _, _, loop in USBEventLoop.changed(loop) },
      { _, loop in USBEventLoop.changed(loop) },
      Unmanaged.passUnretained(self).toOpaque())
    do {
      let thread = try NamedThread("usb-events") { self.run() }
      self.thread.withLock { $0 = thread }
    } catch {
      libusb_set_pollfd_notifiers(context, nil, nil, nil)
      throw error
    }
  }

  private var context: OpaquePointer { library.context.raw }

  private static func changed(_ user: UnsafeMutableRawPointer?) {
    guard let user else { return }
    let loop = Unmanaged<USBEventLoop>.fromOpaque(user).takeUnretainedValue()
    loop.generation.wrappingAdd(1, ordering: .releasing)
    // libusb wakes the thread before it calls this, so the thread may have looked too early.
    loop.wake()
  }

  /// Ends the thread; no device may be open. Idempotent.
  func stop() {
    isStopping.store(true, ordering: .releasing)
    guard let thread = thread.take() else { return }
    wake()
    thread.join()
  }

  /// Makes the thread look again at what it waits for.
  private func wake() { libusb_interrupt_event_handler(context) }

  /// Cancels the transfer when the interrupt is raised from now on.
  func watch(_ interrupt: Interrupt, for transfer: USBTransfer) {
    let isNew = watched.withLock { watched in
      let isNew = watched[ObjectIdentifier(interrupt)] == nil
      watched[ObjectIdentifier(interrupt), default: Watch(interrupt: interrupt)]
        .transfers[ObjectIdentifier(transfer)] = transfer
      return isNew
    }
    if isNew { wake() }
  }

  /// Ends the watch. The interrupt stays polled for a while, since the next transfer mostly has it too.
  func unwatch(_ interrupt: Interrupt, for transfer: USBTransfer) {
    _ = watched.withLock {
      $0[ObjectIdentifier(interrupt)]?.transfers.removeValue(forKey: ObjectIdentifier(transfer))
    }
  }

  private func run() {
    var polled: [pollfd] = []
    var ownCount = 0
    var seen = -1
    while !isStopping.load(ordering: .acquiring) {
      let now = generation.load(ordering: .acquiring)
      if now != seen {
        polled = libusbDescriptors()
        ownCount = polled.count
        seen = now
      }
      polled.removeSubrange(ownCount...)
      polled += interruptDescriptors()
      var next = timeval()
      // With timerfd, which every supported kernel has, libusb keeps its times by itself.
      let hasTime = libusb_get_next_timeout(context, &next) == 1
      let milliseconds = hasTime ? next.tv_sec * 1000 + (next.tv_usec + 999) / 1000 : -1
      _ = poll(&polled, nfds_t(polled.count), Int32(clamping: milliseconds))
      cancelInterrupted()
      var zero = timeval()
      libusb_handle_events_timeout_completed(context, &zero, nil)
    }
    libusb_set_pollfd_notifiers(context, nil, nil, nil)
  }

  private func libusbDescriptors() -> [pollfd] {
    guard let list = libusb_get_pollfds(context) else { return [] }
    defer { libusb_free_pollfds(list) }
    var polled: [pollfd] = []
    while let entry = list[polled.count] {
      polled.append(pollfd(fd: entry.pointee.fd, events: entry.pointee.events, revents: 0))
    }
    return polled
  }

  private func interruptDescriptors() -> [pollfd] {
    watched.withLock { watched in
      if watched.count > 16 { watched = watched.filter { !$0.value.transfers.isEmpty } }
      return watched.values.map {
        pollfd(fd: $0.interrupt.descriptor, events: Int16(POLLIN), revents: 0)
      }
    }
  }

  private func cancelInterrupted() {
    let raised = watched.withLock { watched in
      var raised: [USBTransfer] = []
      // A raised interrupt stays ready for ever, so it is polled no more.
      for (key, watch) in watched where watch.interrupt.isRaised {
        raised += watch.transfers.values
        watched[key] = nil
      }
      return raised
    }
    for transfer in raised { transfer.cancel() }
  }
}
