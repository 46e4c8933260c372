internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// A capture of a PPK2, on a thread of its own.
final class PPK2Capture: Sendable {
  /// Raised when the first samples have been given out.
  let hasBegun = Interrupt()
  /// Raised when it has ended, by itself or not.
  let isOver = Interrupt()
  private let isAsked = Interrupt()
  private let result = Mutex(CaptureSummary(samples: []))
  private let thread = Mutex<NamedThread?>(nil)

  init(
    _ port: PPK2Port, _ decoder: PPK2Decoder, inputs: [Int], millivolts: Int64?,
    into sink: any BlockSink
  ) throws(MeterFailure) {
    do throws(PlainFailure) {
      let thread = try NamedThread("ppk2") { [self] in
        var worker = PPK2Worker(
          port, decoder, inputs: inputs, millivolts: millivolts, into: sink, hasBegun: hasBegun)
        let summary = worker.run(until: isAsked)
        result.withLock { $0 = summary }
        isOver.raise()
      }
      self.thread.withLock { $0 = thread }
    } catch {
      throw MeterFailure(.malfunction, "\(port.name): \(error.message)")
    }
  }

  /// Ends it, after all that was sent before the meter stopped. Idempotent.
  func end() -> CaptureSummary {
    isAsked.raise()
    thread.take()?.join()
    return result.withLock { $0 }
  }

  /// Ends it without waiting.
  func abandon() { isAsked.raise() }
}
