package import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// A USB tester on a serial line, which knows what it has said.
package final class SimulatedTester: Sendable {
  /// What became of it.
  package struct Record: Sendable, Hashable {
    /// Of one frame.
    package struct Frame: Sendable, Hashable {
      /// When it was made, on this machine's monotonic clock, in nanoseconds.
      package var time: Int64
      package var truth: TesterTruth
    }

    /// In their order, also those that were not sent as they are.
    package var frames: [Frame] = []
    package var questions = 0
    /// Bytes that were no question.
    package var unknown = 0

    package init() {}
  }

  /// The port.
  package let path: String
  private let stopping = Interrupt()
  private let box: RecordBox
  private let thread: NamedThread

  /// Begins.
  ///
  /// - Parameters:
  ///   - port: the device's side of a USB gadget's serial port; nil: a pseudo terminal.
  ///   - seed: of what faults draw.
  package init(
    _ model: TesterModel, _ waveform: TesterWaveform = TesterWaveform(),
    faults: TesterFaults = TesterFaults(), at port: String? = nil, seed: UInt64 = 1
  ) throws(PlainFailure) {
    let line = try InstrumentLine(at: port)
    path = line.path
    let (record, stopping) = (RecordBox(), stopping)
    box = record
    thread = try NamedThread("tester") {
      var device = TesterSession(
        line.descriptor, model, waveform, faults, record, stopping, seed: seed)
      device.serve()
    }
  }

  deinit { stop() }

  /// What became of it by now.
  package var record: Record { box.value.withLock { $0 } }

  /// Unplugs it. Idempotent.
  package func stop() {
    stopping.raise()
    thread.join()
  }

  final class RecordBox: Sendable { let value = Mutex(Record()) }
}
