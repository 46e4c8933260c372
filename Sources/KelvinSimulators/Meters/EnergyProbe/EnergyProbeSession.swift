internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// What the thread of a simulated Energy Probe owns.
struct EnergyProbeSession {
  private let master: Int32
  private let waveform: EnergyProbeWaveform
  private let faults: EnergyProbeFaults
  private let record: SimulatedEnergyProbe.RecordBox
  private let stopping: Interrupt
  private var received: [UInt8] = []
  private var masks: [UInt8] = [0, 0, 0]
  /// When frame 0 was taken, on this machine's clock; nil while it does not measure.
  private var begin: Int64?
  private var next: Int64 = 0
  /// Of the frame whose number is 0.
  private var zero: Int64 = 0
  private var outgoing = InstrumentQueue()
  private var isStalled = false
  private var wasAsked = false
  private var random: SeededGenerator

  /// From frame to frame, in nanoseconds.
  private static let period = 100_000.0

  init(
    _ master: Int32, _ waveform: EnergyProbeWaveform, _ faults: EnergyProbeFaults,
    _ record: SimulatedEnergyProbe.RecordBox, _ stopping: Interrupt, seed: UInt64
  ) {
    self.master = master
    self.waveform = waveform
    self.faults = faults
    self.record = record
    self.stopping = stopping
    random = SeededGenerator(seed: seed)
    if faults.isLeftRunning {
      masks = [7, 7, 7]
      begin = MonotonicTime.now.nanoseconds
    }
  }

  mutating func serve() {
    defer { close(master) }
    // A device has its own processor.
    _ = kelvin_set_fifo(41)
    while !stopping.isRaised {
      var wait = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
      let ready = poll(&wait, 1, begin != nil || outgoing.count > 0 ? 1 : 20)
      if ready > 0, wait.revents & Int16(POLLIN) != 0 {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = read(master, &buffer, buffer.count)
        if count > 0 { received += buffer[..<count] }
        while obey() {}
      } else if ready > 0, wait.revents & Int16(POLLHUP) != 0 {
        // What nobody reads is lost, and a line that is closed takes nothing.
        outgoing.clear()
        usleep(2_000)
      }
      if begin != nil, !measure() { return }
      record.value.withLock {
        $0.isMeasuring = begin != nil
        $0.masks = masks
      }
      outgoing.flush(to: master, pieces: faults.pieces, &random)
    }
  }

  /// One command; false when none is there as a whole.
  private mutating func obey() -> Bool {
    guard let first = received.first else { return false }
    let length = first == 0x07 ? 3 : 1
    guard received.count >= length else { return false }
    let command = Array(received[..<length])
    received.removeFirst(length)
    if faults.answers == .silent { return true }
    if faults.answers == .foreign {
      if first != 0 { outgoing += Array("AT+OK\r\nERROR: unknown command\r\n".utf8) }
      return true
    }
    switch first {
    case 0x00: break
    case 0xff: reset()
    case 0x01: answer(Self.number(faults.answers == .version ? 20_120_101 : 20_110_803))
    case 0x03:
      let name = Array("ARM simulated".utf8)
      answer(faults.answers == .endless ? [UInt8](repeating: 0x41, count: 5000) : name + [0])
    case 0x05: answer(Self.number(faults.answers == .rate ? 5000 : 10_000))
    case 0x07:
      if command[1] < 3 { masks[Int(command[1])] = command[2] & 7 }
      answer([])
    case 0x09: start()
    case 0x0b: halt()
    default: record.value.withLock { $0.unknown.append(first) }
    }
    return true
  }

  private mutating func reset() {
    if !wasAsked, faults.stale > 0 {
      var bytes: [UInt8] = []
      var frame: Int64 = 4711
      while bytes.count < faults.stale {
        bytes += waveform.frame(frame, number: frame, masks: [7, 7, 7])
        frame += 1
      }
      outgoing += bytes.prefix(faults.stale)
    }
    wasAsked = true
    if !faults.isDeaf { begin = nil }
    outgoing += [UInt8](repeating: 0xff, count: 8)
  }

  private mutating func answer(_ bytes: [UInt8]) {
    if faults.answers != .unacknowledged { outgoing += [0xac] + bytes }
  }

  private mutating func start() {
    guard faults.answers != .unstarted else { return }
    answer([])
    begin = MonotonicTime.now.nanoseconds
    (next, zero) = (0, 0)
    record.value.withLock {
      $0.starts += 1
      ($0.frames, $0.lost) = (0, 0)
    }
  }

  private mutating func halt() {
    guard !faults.isDeaf else { return }
    begin = nil
    answer([])
    for _ in 0..<faults.trailing {
      outgoing += waveform.frame(next, number: next - zero, masks: masks)
      next += 1
    }
    record.value.withLock { $0.frames = next }
  }

  private static func number(_ value: UInt32) -> [UInt8] {
    [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: value >> $0) }
  }

  /// Frames that are due by now. False when it is unplugged.
  private mutating func measure() -> Bool {
    guard let begin, !isStalled else { return true }
    let elapsed = Double(MonotonicTime.now.nanoseconds - begin)
    let late = faults.jitter > 0 ? Double.random(in: 0...faults.jitter, using: &random) * 1e9 : 0
    let due = Int64((elapsed - late) * (1 + faults.skew) / Self.period)
    while next < due {
      if let event = faults.events[next] {
        guard happen(event) else { return isStalled }
        continue
      }
      // As when it is far behind: what it measured meanwhile is gone.
      guard !outgoing.isFull else {
        lose(min(16, due - next))
        continue
      }
      outgoing += waveform.frame(next, number: next - zero, masks: masks)
      next += 1
    }
    record.value.withLock { $0.frames = next }
    return true
  }

  private mutating func lose(_ count: Int64) {
    next += count
    record.value.withLock { $0.lost += count }
  }

  /// False when nothing comes after it.
  private mutating func happen(_ event: EnergyProbeFaults.Event) -> Bool {
    if event == .restart { zero = next }
    var bytes = waveform.frame(next, number: next - zero, masks: masks)
    switch event {
    case .byte(let place):
      bytes.remove(at: place % bytes.count)
      outgoing += bytes
      lose(1)
    case .frames(let count): lose(Int64(count))
    case .noise(let count):
      outgoing += random.bytes(count) + bytes
      next += 1
    case .flip(let bit):
      bytes[bit / 8 % bytes.count] ^= 1 << UInt8(bit % 8)
      outgoing += bytes
      next += 1
    case .restart:
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
