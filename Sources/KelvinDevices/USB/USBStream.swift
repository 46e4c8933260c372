internal import CLibUSB
public import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// A continuous flow of data from an endpoint: some transfers are always under way, and what they
/// bring is handed over in batches on the stream's own thread.
///
/// Each transfer that has ended goes to a bounded queue and is submitted again with another buffer at
/// once, by the event thread. When the consumer is too slow and no buffer is left, the transfer's data
/// are lost and counted, and the flow goes on. This layer allocates nothing while it runs; libusb
/// allocates the kernel's request with each submission.
public final class USBStream: Sendable {
  /// Sizes, all fixed at the start.
  public struct Options: Sendable {
    /// Transfers under way.
    public var transfers = 8
    /// Of one transfer; a multiple of the endpoint's packet size. A transfer also ends with a packet
    /// that is not full.
    public var bytesPerTransfer = 16_384
    /// Transfers that may wait for the consumer.
    public var queued = 64
    /// How long data may wait to be handed over together with later ones; 0: at once.
    public var batchSeconds = 0.005

    /// Creates the default sizes.
    public init() {}
  }

  /// What came and what did not.
  public struct Summary: Sendable {
    /// Handed over.
    public var transfers = 0
    public var bytes = 0
    /// Among them those that brought nothing: empty packets.
    public var emptyTransfers = 0
    /// Had come from the device, and found no buffer.
    public var lostTransfers = 0
    public var lostBytes = 0
    /// Why it ended; nil: it was stopped.
    public var failure: USBFailure?
  }

  private let core: USBStreamCore
  private let thread: NamedThread
  private let summary: SummaryBox

  /// Starts the flow.
  ///
  /// - Parameters:
  ///   - handler: is called on the stream's thread with each batch; while it runs, later data queue up.
  ///   - end: is called on the same thread once, after the last batch.
  public init(
    _ interface: USBInterface, _ address: UInt8, options: Options = Options(),
    onEnd end: @escaping @Sendable (Summary) -> Void = { _ in },
    _ handler: @escaping @Sendable (borrowing USBBatch) -> Void
  ) throws(USBFailure) {
    precondition(address & 0x80 != 0, "endpoint \(address) is not IN")
    let device = interface.device
    let endpoint = try interface.endpoint(at: address)
    let what = USBTransfer.Request.endpoint(address, endpoint.kind, endsWithEmptyPacket: false)
      .words
    let core = USBStreamCore(device, endpoint, options)
    guard let devicesUse = device.uses.begin({ core.stop() }) else { throw device.closed(what) }
    guard let interfacesUse = interface.uses.begin({ core.stop() }) else {
      device.uses.end(devicesUse)
      throw device.closed(what)
    }
    let summary = SummaryBox()
    do {
      thread = try NamedThread("usb-stream") {
        var result = core.consume(batchSeconds: options.batchSeconds, handler)
        if var code = core.failure {
          if code == .transferError, device.looksGone() { code = .disconnected }
          result.failure = device.failure(code, what)
        }
        interface.uses.end(interfacesUse)
        device.uses.end(devicesUse)
        summary.value.withLock { [result] in $0 = result }
        end(result)
      }
    } catch {
      interface.uses.end(interfacesUse)
      device.uses.end(devicesUse)
      throw USBFailure(.library(0), error.message)
    }
    self.core = core
    self.summary = summary
    core.start()
  }

  deinit { core.stop() }

  /// Transfers whose data were lost so far.
  public var lostTransfers: Int { core.lostSoFar }

  /// Ends the flow, waits until everything that had come is handed over, and tells what it was.
  /// Blocks. Idempotent; not to be called by the handler.
  @discardableResult
  public func stop() -> Summary {
    core.stop()
    thread.join()
    return summary.value.withLock { $0 }
  }
}

private final class SummaryBox: Sendable {
  let value = Mutex(USBStream.Summary())
}

/// Transfers that ended since the last batch, in order. Its bytes are the handler's until it returns.
public struct USBBatch: ~Copyable {
  let entries: UnsafeBufferPointer<USBStreamCore.Entry>
  let memory: UnsafePointer<UInt8>
  let stride: Int
  /// Transfers whose data were lost since the stream began.
  public let lostTransfers: Int

  /// How many transfers it has.
  public var count: Int { entries.count }

  /// Calls `body` with each transfer's bytes and the time at which it ended.
  public func forEach(_ body: (RawSpan, MonotonicTime) -> Void) {
    for entry in entries {
      let bytes = UnsafeRawBufferPointer(
        start: memory + Int(entry.buffer) * stride, count: Int(entry.count))
      body(bytes.bytes, MonotonicTime(nanoseconds: entry.nanoseconds))
    }
  }
}
