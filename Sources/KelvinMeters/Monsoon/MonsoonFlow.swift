internal import CLinux
internal import KelvinDevices
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// A capture of a Monsoon: samples come on the USB stream's thread; the capture's own waits for their end.
final class MonsoonFlow: Sendable {
  private let port: MonsoonPort
  private let worker: Mutex<MonsoonWorker>
  /// Raised when the stream has ended by itself, or should.
  private let isOver = Interrupt()
  /// Of the stream's thread, in nanoseconds; nil before it has ended.
  private let spent = Mutex<Int64?>(nil)

  /// How long nothing may come, in seconds.
  private static let patience = 2.0
  /// How long nothing comes when it has stopped.
  private static let silence = 0.05

  init(_ port: MonsoonPort, _ worker: MonsoonWorker) {
    self.port = port
    self.worker = Mutex(worker)
  }

  /// Captures until it is asked to end, and then on until nothing comes any more.
  func run(_ isAsked: Interrupt, _ hasBegun: Interrupt) -> CaptureSummary {
    var failure: MeterFailure?
    do throws(USBFailure) {
      var options = USBStream.Options()
      options.bytesPerTransfer = MonsoonWorker.packets * MonsoonStream.packetSize
      // Ten seconds' worth, for a host that is busy.
      options.queued = 1024
      let stream = try USBStream(
        port.interface, MonsoonPort.endpoint, options: options,
        onEnd: { [self] _ in
          spent.withLock { $0 = kelvin_cpu_time(1) }
          isOver.raise()
        },
        { [self] batch in take(batch, hasBegun) })
      failure = wait(until: isAsked)
      if failure == nil { drain() }
      if let end = stream.stop().failure, failure == nil {
        failure = MeterFailure(end, of: port.name)
      }
    } catch { failure = MeterFailure(error, of: port.name) }
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
        .timedOut, "\(port.name): it sends nothing any more",
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
