internal import CLinux
internal import KelvinDevices
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// A capture of a FNIRSI tester: reports come on the USB stream's thread; the capture's own tells it to go on.
final class FNIRSIFlow: Sendable {
  private let port: FNIRSIPort
  private let worker: Mutex<FNIRSIWorker>
  /// Raised when the stream has ended by itself, or should.
  private let isOver = Interrupt()
  /// Of the stream's thread, in nanoseconds; nil before it has ended.
  private let spent = Mutex<Int64?>(nil)

  /// How long no samples may come, in seconds, before it is told anew to send them, and before it is given up.
  private static let (silence, patience) = (0.4, 2.0)

  init(_ port: FNIRSIPort, _ worker: FNIRSIWorker) {
    self.port = port
    self.worker = Mutex(worker)
  }

  /// Captures until it is asked to end.
  func run(_ isAsked: Interrupt, _ hasBegun: Interrupt) -> CaptureSummary {
    var failure: MeterFailure?
    do throws(USBFailure) {
      var options = USBStream.Options()
      options.bytesPerTransfer = FNIRSIReport.size
      options.batchSeconds = 0
      // Ten seconds' worth, for a host that is busy.
      options.queued = 256
      let stream = try USBStream(
        port.interface, port.input, options: options,
        onEnd: { [self] _ in
          spent.withLock { $0 = kelvin_cpu_time(1) }
          isOver.raise()
        },
        { [self] batch in take(batch, hasBegun) })
      do throws(MeterFailure) {
        for command in port.model.start { try port.tell(command) }
        try refresh(until: isAsked)
      } catch { failure = error }
      // Gone is gone, whichever thread notices it first.
      if let end = stream.stop().failure { failure = MeterFailure(end, of: port.name) }
    } catch { failure = MeterFailure(error, of: port.name) }
    let (end, cpu) = (failure, spent.withLock { $0 })
    return worker.withLock {
      $0.finish()
      return $0.summary(end, cpu: cpu)
    }
  }

  private func take(_ batch: borrowing USBBatch, _ hasBegun: Interrupt) {
    let (isGoing, isBroken) = worker.withLock { worker in
      worker.take(batch)
      return (worker.hasBegun, worker.failure != nil)
    }
    if isGoing { hasBegun.raise() }
    if isBroken { isOver.raise() }
  }

  private func refresh(until isAsked: Interrupt) throws(MeterFailure) {
    var told = MonotonicTime.now.nanoseconds
    while true {
      _ = Deadline.after(seconds: port.model.refresh).ended(by: [isAsked, isOver]).wait()
      if isAsked.isRaised || isOver.isRaised { return }
      let now = MonotonicTime.now.nanoseconds
      let idle = Double(now &- worker.withLock { $0.newest }) / 1e9
      guard idle < Self.patience else {
        throw MeterFailure(
          .timedOut, "\(port.name): it sends no samples",
          hint: "unplug it and plug it in again; what came before is kept")
      }
      if idle > Self.silence, Double(now &- told) / 1e9 > Self.silence {
        told = now
        worker.withLock { $0.restarts += 1 }
        try port.tell(.sample)
      } else {
        try port.tell(.goOn)
      }
    }
  }
}
