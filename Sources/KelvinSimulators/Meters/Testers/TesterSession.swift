internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// What the thread of a simulated tester owns.
struct TesterSession {
  private let master: Int32
  private let model: TesterModel
  private let waveform: TesterWaveform
  private let faults: TesterFaults
  private let record: SimulatedTester.RecordBox
  private let stopping: Interrupt
  private let begin = MonotonicTime.now.nanoseconds
  private var received: [UInt8] = []
  /// What is to be sent, and when.
  private var waiting: [(due: Int64, bytes: [UInt8])] = []
  private var outgoing = InstrumentQueue()
  private var number: Int64 = 0
  /// When one that sends by itself does so next.
  private var next: Int64
  private var isStalled = false
  private var isBabbling = false
  private var isUnplugged = false
  private var random: SeededGenerator

  init(
    _ master: Int32, _ model: TesterModel, _ waveform: TesterWaveform, _ faults: TesterFaults,
    _ record: SimulatedTester.RecordBox, _ stopping: Interrupt, seed: UInt64
  ) {
    self.master = master
    self.model = model
    self.waveform = waveform
    self.faults = faults
    self.record = record
    self.stopping = stopping
    next = begin
    random = SeededGenerator(seed: seed)
  }

  mutating func serve() {
    defer { close(master) }
    // A device has its own processor.
    _ = kelvin_set_fifo(41)
    while !stopping.isRaised, !isUnplugged {
      var wait = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
      let isBusy = isBabbling || model.isTalking || !waiting.isEmpty || outgoing.count > 0
      let ready = poll(&wait, 1, isBusy ? 1 : 20)
      if ready > 0, wait.revents & Int16(POLLIN) != 0 {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = read(master, &buffer, buffer.count)
        if count > 0 { received += buffer[..<count] }
        while obey() {}
      } else if ready > 0, wait.revents & Int16(POLLHUP) != 0 {
        // What nobody reads is lost, and a line that is closed takes nothing.
        outgoing.clear()
        waiting = []
        usleep(2_000)
      }
      talk()
      if isBabbling { outgoing += random.bytes(8) }
      flush()
    }
  }

  /// One question; false when none is there as a whole.
  private mutating func obey() -> Bool {
    guard let first = received.first else { return false }
    let question: [UInt8] = model == .tc66c ? Array("getva".utf8) : [0xf0]
    guard !model.isTalking, first == question[0] else {
      received.removeFirst()
      record.value.withLock { $0.unknown += 1 }
      return true
    }
    guard received.count >= question.count else { return false }
    guard received.starts(with: question) else {
      received.removeFirst()
      record.value.withLock { $0.unknown += 1 }
      return true
    }
    received.removeFirst(question.count)
    record.value.withLock { $0.questions += 1 }
    say(after: faults.delay)
    return true
  }

  private mutating func talk() {
    guard model.isTalking else { return }
    let now = MonotonicTime.now.nanoseconds
    while next <= now, !isUnplugged {
      say(after: 0)
      next += Int64(faults.interval * 1e9)
    }
  }

  private mutating func flush() {
    let now = MonotonicTime.now.nanoseconds
    while let first = waiting.first, first.due <= now {
      outgoing += first.bytes
      waiting.removeFirst()
    }
    outgoing.flush(to: master, pieces: faults.pieces, &random)
  }

  /// Says what passes through it now.
  private mutating func say(after seconds: Double) {
    let now = MonotonicTime.now.nanoseconds
    guard !isStalled, !isBabbling, faults.answers != .silent else { return }
    guard faults.answers != .foreign else {
      return queue(Array("AT+OK\r\nERROR: unknown command\r\n".utf8), at: now)
    }
    let truth = waveform.truth(at: now - begin)
    var bytes = TesterFrames.frame(model, truth, isUnknown: faults.answers == .unknown)
    record.value.withLock { $0.frames.append(.init(time: now, truth: truth)) }
    if faults.answers == .damaged { bytes[bytes.count - 1] ^= 0x55 }
    if faults.answers == .endless { bytes = (0..<40).flatMap { _ in bytes } }
    var due = now + Int64(seconds * 1e9)
    let event = faults.events[number]
    number += 1
    switch event {
    case nil: break
    case .byte(let place): bytes.remove(at: place % bytes.count)
    case .flip(let bit): bytes[bit / 8 % bytes.count] ^= 1 << UInt8(bit % 8)
    case .noise(let count): bytes = random.bytes(count) + bytes
    case .late(let time): due += Int64(time) * 1_000_000
    case .twice: bytes += bytes
    case .mute: return
    case .babble: isBabbling = true
    case .stall:
      isStalled = true
      return
    case .unplug:
      isUnplugged = true
      return
    }
    queue(bytes, at: due)
  }

  private mutating func queue(_ bytes: [UInt8], at due: Int64) {
    waiting.append((due, bytes))
    waiting.sort { $0.due < $1.due }
  }
}
