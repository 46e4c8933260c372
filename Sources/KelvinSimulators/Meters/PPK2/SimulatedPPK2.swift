internal import CLinux
internal import Glibc
package import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// A PPK2 on a serial line: it answers as the true one does, sends 100,000 samples a second, and knows
/// what it has sent.
///
/// The board behind it is off when the port has been closed for half a second (tipoLi5890/ppk2lab).
package final class SimulatedPPK2: Sendable {
  /// What became of it.
  package struct Record: Sendable, Hashable {
    /// Numbers count from 0 at each start, and those that were not sent count.
    package var samples: Int64 = 0
    package var lost: Int64 = 0
    package var starts = 0
    package var isConnected = false
    package var millivolts = 0
    /// 1 for ampere, 2 for source, 0 before it was told.
    package var mode = 0
    /// Commands that it does not know.
    package var unknown: [UInt8] = []
    /// How often the board was connected and disconnected.
    package var switches = 0

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
  ///   - seed: of the converter's noise, and of what faults draw.
  package init(
    _ unit: PPK2Unit = PPK2Unit(), faults: PPK2Faults = PPK2Faults(), at port: String? = nil,
    seed: UInt64 = 1
  ) throws(PlainFailure) {
    let line = try InstrumentLine(at: port)
    path = line.path
    let (record, stopping) = (RecordBox(), stopping)
    box = record
    thread = try NamedThread("ppk2") {
      var device = PPK2Session(line.descriptor, unit, faults, record, stopping, seed: seed)
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

/// What the thread owns.
private struct PPK2Session {
  private let master: Int32
  private let unit: PPK2Unit
  private let faults: PPK2Faults
  private let record: SimulatedPPK2.RecordBox
  private let stopping: Interrupt
  private let seed: UInt64
  private var received: [UInt8] = []
  private var waveform: PPK2Waveform?
  /// When sample 0 was taken, on this machine's clock; nil while it does not measure.
  private var begin: Int64?
  private var next: Int64 = 0
  private var outgoing = InstrumentQueue()
  private var isStalled = false
  private var isBehind = false
  private var wasAsked = false
  private var closedSince: Int64?
  private var random: SeededGenerator

  /// Samples from one look at the port to the next: few, so that an emulated machine, which takes a tenth of a
  /// millisecond for each, sends often.
  private static let mostAtOnce: Int64 = 512

  init(
    _ master: Int32, _ unit: PPK2Unit, _ faults: PPK2Faults, _ record: SimulatedPPK2.RecordBox,
    _ stopping: Interrupt, seed: UInt64
  ) {
    self.master = master
    self.unit = unit
    self.faults = faults
    self.record = record
    self.stopping = stopping
    self.seed = seed
    random = SeededGenerator(seed: seed)
  }

  mutating func serve() {
    defer { close(master) }
    // A device has its own processor.
    _ = kelvin_set_fifo(41)
    while !stopping.isRaised {
      var wait = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
      let ready = poll(&wait, 1, isBehind ? 0 : begin != nil || outgoing.count > 0 ? 1 : 20)
      if ready > 0, wait.revents & Int16(POLLIN) != 0 {
        closedSince = nil
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = read(master, &buffer, buffer.count)
        if count > 0 { received += buffer[..<count] }
        while obey() {}
      } else if ready > 0, wait.revents & Int16(POLLHUP) != 0 {
        hungUp()
      }
      if begin != nil, !measure() { return }
      outgoing.flush(to: master, pieces: faults.pieces, &random)
    }
  }

  /// Nobody has the port open.
  private mutating func hungUp() {
    let now = MonotonicTime.now.nanoseconds
    let since = closedSince ?? now
    closedSince = since
    if now - since > 500_000_000, record.value.withLock({ $0.isConnected }) { connect(false) }
    // What nobody reads is lost, and a line that is closed takes nothing.
    outgoing.clear()
    usleep(2_000)
  }

  private mutating func connect(_ isOn: Bool) {
    record.value.withLock {
      if $0.isConnected != isOn { $0.switches += 1 }
      $0.isConnected = isOn
    }
    waveform = nil
    // Not at its first sample: it takes seconds on an emulated machine.
    if isOn { _ = wave() }
  }

  /// One command; false when none is there as a whole.
  private mutating func obey() -> Bool {
    guard let first = received.first else { return false }
    let length: Int
    switch first {
    case 0x0c, 0x11: length = 2
    case 0x0d: length = 3
    case 0x25: length = 6
    default: length = 1
    }
    guard received.count >= length else { return false }
    let command = Array(received[..<length])
    received.removeFirst(length)
    switch first {
    case 0x06:
      begin = MonotonicTime.now.nanoseconds
      (next, isBehind) = (0, false)
      record.value.withLock {
        $0.starts += 1
        ($0.samples, $0.lost) = (0, 0)
      }
    case 0x07:
      if !faults.isDeaf { (begin, isBehind) = (nil, false) }
    case 0x0c: connect(command[1] == 1)
    case 0x0d:
      record.value.withLock { $0.millivolts = Int(command[1]) << 8 | Int(command[2]) }
      waveform = nil
    case 0x11: record.value.withLock { $0.mode = Int(command[1]) }
    case 0x19: describe()
    case 0x15, 0x16, 0x25: break
    case 0x20:
      begin = nil
      connect(false)
    default: record.value.withLock { $0.unknown.append(first) }
    }
    return true
  }

  private mutating func describe() {
    if !wasAsked, faults.stale > 0 {
      let wave = wave()
      var bytes: [UInt8] = []
      for sample in 0..<Int64(faults.stale / 4 + 1) { bytes += self.bytes(of: wave.word(sample)) }
      outgoing += bytes.prefix(faults.stale)
    }
    wasAsked = true
    let (millivolts, mode) = record.value.withLock { ($0.millivolts, $0.mode) }
    switch faults.metadata {
    case .silent: break
    case .foreign: outgoing += Array("AT+OK\r\nERROR: unknown command\r\n".utf8)
    default:
      outgoing += Array(unit.metadata(millivolts: millivolts, mode: mode, faults: faults).utf8)
    }
  }

  private mutating func wave() -> PPK2Waveform {
    if let waveform { return waveform }
    let (millivolts, isConnected) = record.value.withLock { ($0.millivolts, $0.isConnected) }
    let new = PPK2Waveform(
      unit, volts: Double(millivolts) / 1000, isConnected: isConnected, seed: seed)
    waveform = new
    return new
  }

  private func bytes(of word: UInt32) -> [UInt8] {
    [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: word >> $0) }
  }

  /// Samples that are due by now, some at a time. False when it is unplugged.
  private mutating func measure() -> Bool {
    guard let begin, !isStalled else { return true }
    let wave = wave()
    let elapsed = Double(MonotonicTime.now.nanoseconds - begin)
    let late = faults.jitter > 0 ? Double.random(in: 0...faults.jitter, using: &random) * 1e9 : 0
    let now = Int64((elapsed - late) * (1 + faults.skew) / 10_000)
    // On a machine that is too slow to simulate it: what it cannot keep is gone.
    let behind = now - next - Int64(InstrumentQueue.most / 4)
    if behind > 0 { lose((behind + 15) / 16 * 16) }
    let due = min(now, next + Self.mostAtOnce)
    isBehind = due < now
    while next < due {
      if let event = faults.events[next] {
        guard happen(event, wave) else { return !isStalled ? false : true }
        continue
      }
      guard !outgoing.isFull else {
        let packet = min(16, due - next)
        lose(packet)
        continue
      }
      outgoing.append(wave.word(next))
      next += 1
    }
    record.value.withLock { $0.samples = next }
    return true
  }

  private mutating func lose(_ count: Int64) {
    next += count
    record.value.withLock { $0.lost += count }
  }

  /// False when nothing comes after it.
  private mutating func happen(_ event: PPK2Faults.Event, _ wave: PPK2Waveform) -> Bool {
    var bytes = bytes(of: wave.word(next))
    switch event {
    case .byte(let place):
      bytes.remove(at: place)
      outgoing += bytes
      lose(1)
    case .samples(let count): lose(Int64(count))
    case .noise(let count):
      outgoing += random.bytes(count)
      outgoing += bytes
      next += 1
    case .flip(let bit):
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
      outgoing += bytes
      next += 1
    case .stall:
      isStalled = true
      return false
    case .unplug: return false
    }
    return true
  }
}
