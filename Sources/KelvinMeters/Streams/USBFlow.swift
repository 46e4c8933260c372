internal import CLinux
internal import KelvinDevices
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// Gives out what a meter sends by an endpoint, with its times. Used by one thread at a time.
protocol USBFlowWorker: Sendable {
  /// Takes what came since the last time.
  mutating func take(_ batch: borrowing USBBatch)
  /// When something came, or might have come, last; on the host's clock.
  var newest: Int64 { get }
  /// Why it makes no sense to go on.
  var failure: MeterFailure? { get }
  /// Whether samples have been given out.
  var hasBegun: Bool { get }
  /// What it came to, after the last batch.
  ///
  /// - Parameters:
  ///   - failure: what ended the flow; nil: it was stopped, or ``failure`` says it.
  ///   - cpu: of the flow's thread, in nanoseconds.
  mutating func summary(_ failure: MeterFailure?, cpu: Int64?) -> CaptureSummary
}

/// A capture of what a meter sends by an endpoint of USB: samples come on the stream's thread; the capture's own
/// waits for their end.
final class USBFlow<Worker: USBFlowWorker>: Sendable {
  private let name: String
  private let interface: USBInterface
  private let endpoint: UInt8
  private let options: USBStream.Options
  private let worker: Mutex<Worker>
  /// Raised when the stream has ended by itself, or should.
  private let isOver = Interrupt()
  /// Of the stream's thread, in nanoseconds; nil before it has ended.
  private let spent = Mutex<Int64?>(nil)

  /// How long nothing may come, in seconds.
  private static var patience: Double { 2 }
  /// How long nothing comes when it has stopped.
  private static var silence: Double { 0.05 }

  /// - Parameters:
  ///   - name: of the meter, for messages.
  ///   - endpoint: of its samples.
  init(
    _ name: String, _ interface: USBInterface, _ endpoint: UInt8, options: USBStream.Options,
    _ worker: Worker
  ) {
    self.name = name
    self.interface = interface
    self.endpoint = endpoint
    self.options = options
    self.worker = Mutex(worker)
  }

  /// Captures until it is asked to end, and then on until nothing comes any more.
  func run(_ isAsked: Interrupt, _ hasBegun: Interrupt) -> CaptureSummary {
    var failure: MeterFailure?
    do throws(USBFailure) {
      let stream = try USBStream(
        interface, endpoint, options: options,
        onEnd: { [self] _ in
          spent.withLock { $0 = kelvin_cpu_time(1) }
          isOver.raise()
        },
        { [self] batch in take(batch, hasBegun) })
      failure = wait(until: isAsked)
      if failure == nil { drain() }
      if let end = stream.stop().failure, failure == nil {
        failure = MeterFailure(end, of: name)
      }
    } catch { failure = MeterFailure(error, of: name) }
    let (end, cpu) = (failure, spent.withLock { $0 })
    return worker.withLock { $0.summary(end, cpu: cpu) }
  }

  private func take(_ batch: borrowing USBBatch, _ hasBegun: Interrupt) {
    let (isGoing, isBroken) = worker.withLock { worker in
      worker.take(batch)
      return (worker.hasBegun, worker.failure != nil)
    }
    if isGoing { hasBegun.raise() }
    if isBroken { isOver.raise() }
  }

  private var newest: Int64 { worker.withLock { $0.newest } }

  private func wait(until isAsked: Interrupt) -> MeterFailure? {
    while true {
      _ = Deadline.after(seconds: Self.patience / 4).ended(by: [isAsked, isOver]).wait()
      if isAsked.isRaised || isOver.isRaised { return nil }
      let idle = MonotonicTime.now.nanoseconds - newest
      guard idle > Int64(Self.patience * 1e9) else { continue }
      return MeterFailure(
        .timedOut, "\(name): it sends nothing any more",
        hint: "unplug it and plug it in again; what came before is kept")
    }
  }

  /// Lets come what was on its way.
  private func drain() {
    let limit = Deadline.after(seconds: 1)
    var before: Int64
    repeat {
      before = newest
      _ = Deadline.after(seconds: Self.silence).ended(by: [isOver]).wait()
    } while newest != before && !isOver.isRaised && !limit.hasPassed
  }
}
