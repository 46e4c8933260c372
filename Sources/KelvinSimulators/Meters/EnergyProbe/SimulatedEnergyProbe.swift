package import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// An Energy Probe on a serial line: it answers as ARM-software/caiman (caiman/EnergyProbe.cpp) expects,
/// sends 10,000 frames a second, and knows what it has sent.
package final class SimulatedEnergyProbe: Sendable {
  /// What became of it.
  package struct Record: Sendable, Hashable {
    /// Since it was started last; those that were not sent count.
    package var frames: Int64 = 0
    package var lost: Int64 = 0
    package var starts = 0
    package var isMeasuring = false
    /// What is enabled of each channel: 1 for power, 2 for voltage, 4 for current.
    package var masks: [UInt8] = [0, 0, 0]
    /// Commands that it does not know.
    package var unknown: [UInt8] = []

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
    _ waveform: EnergyProbeWaveform = EnergyProbeWaveform(),
    faults: EnergyProbeFaults = EnergyProbeFaults(), at port: String? = nil, seed: UInt64 = 1
  ) throws(PlainFailure) {
    let line = try InstrumentLine(at: port)
    path = line.path
    let (record, stopping) = (RecordBox(), stopping)
    box = record
    thread = try NamedThread("energy-probe") {
      var device = EnergyProbeSession(
        line.descriptor, waveform, faults, record, stopping, seed: seed)
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
