/// Makes samples of what a JS110 sends while it streams. Pure; used by one thread.
///
/// Packets are 512 bytes, the lowest byte of numbers first: their kind (1), a status (0), their length, whose highest bit is
/// the range of the voltage, their number modulo 2¹⁶, two bytes, and 126 samples for ``JS110Decoder``.
/// Source: jetperch/joulescope_driver, src/devices/js110/js110_usb.c (handle_stream_in_frame).
///
/// A sample's number is 126 times that of its packet and its place there; its time is that times 500 ns. So a
/// packet that never came leaves its hole in time.
package struct JS110Stream: Sendable {
  package static let packetSize = 512
  static let headerSize = 8
  package static let samplesInPacket = 126

  package enum Part: Sendable {
    /// Samples in a row: the number of the first, codes of current and voltage, and inputs 0 and 1 in the bits 0
    /// and 1 of a word, if they are recorded.
    case samples(first: Int64, current: [Int64], voltage: [Int64], inputs: [UInt32])
    /// Between two samples so many are missing.
    case gap(after: Int64, before: Int64, count: Int64)
    /// From one sample to another so many showed something.
    case marks(Mark, from: Int64, to: Int64, count: Int64)
  }

  package enum Mark: Sendable {
    case currentSaturated
    case voltageSaturated
    case switched
    /// The bit that alternates did not.
    case unsteady
  }

  private var decoder: JS110Decoder
  private var switches: JS110Switches?
  private let hasInputs: Bool

  /// Of the next sample.
  package private(set) var number: Int64 = 0
  /// That are missing, from the first sample that was given out on.
  package private(set) var lost: Int64 = 0
  /// Packets of which nothing can be believed.
  package private(set) var damaged: Int64 = 0
  package private(set) var switched: Int64 = 0
  package private(set) var saturated: Int64 = 0
  package private(set) var unsteady: Int64 = 0
  /// Whether its packets' numbers have begun anew: what is missing before can not be told.
  package private(set) var isBroken = false
  /// Samples at changes of range whose current was replaced.
  package var replaced: Int64 { switches?.replaced ?? 0 }
  /// Whether samples are given out: before, nobody knows their times.
  package var isOpen = false

  /// The number of the next packet; nil before the first.
  private var expected: UInt16?
  /// The number behind a packet whose own was not believed.
  private var suspect: UInt16?
  /// Of the sample before, and its current; nil before the first that was decoded.
  private var last: Int64?
  private var lastCurrent: Int64 = 0
  /// What is not given out yet, from the sample `last - current.count + 1` on.
  private var current: [Int64] = []
  private var voltage: [Int64] = []
  private var inputs: [UInt32] = []

  /// - Parameter isFiltered: whether ``JS110Switches`` has a say.
  package init(_ calibration: JS110Calibration, hasInputs: Bool, isFiltered: Bool) {
    decoder = JS110Decoder(calibration, hasInputs: hasInputs)
    switches = isFiltered ? JS110Switches() : nil
    self.hasInputs = hasInputs
  }

  /// Takes the bytes of a transfer: whole packets, the last of which may be shorter.
  ///
  /// - Parameters:
  ///   - most: samples that can be missing, by the clock: no packet's number is believed beyond it.
  ///   - give: takes what became of them, but for samples in a row that may go on: see ``flush(_:)``.
  package mutating func take(
    _ bytes: RawSpan, most: Int64 = .max, _ give: (Part) -> Void
  ) {
    let packets = bytes.byteCount / Self.packetSize
    current.reserveCapacity(current.count + packets * Self.samplesInPacket)
    voltage.reserveCapacity(voltage.count + packets * Self.samplesInPacket)
    var most = most
    for packet in 0..<packets {
      let start = packet * Self.packetSize
      self.packet(bytes.extracting(start..<start + Self.packetSize), &most, give)
    }
    if bytes.byteCount % Self.packetSize > 0 { damaged += 1 }
  }

  /// Gives out what is held back, but for samples at a change of range that wait for others.
  package mutating func flush(_ give: (Part) -> Void) {
    let count = current.count - (switches?.held ?? 0)
    guard count > 0, let last else { return }
    let first = last - Int64(current.count) + 1
    give(
      .samples(
        first: first, current: Array(current[..<count]), voltage: Array(voltage[..<count]),
        inputs: hasInputs ? Array(inputs[..<count]) : []))
    lastCurrent = current[count - 1]
    current.removeFirst(count)
    voltage.removeFirst(count)
    if hasInputs { inputs.removeFirst(count) }
    switches?.shift(by: count)
  }

  /// Gives out all that there is: what still waits is missing.
  package mutating func finish(_ give: (Part) -> Void) {
    flush(give)
    drop()
  }

  // MARK: packets

  private mutating func packet(_ bytes: RawSpan, _ most: inout Int64, _ give: (Part) -> Void) {
    guard !isBroken else { return }
    let head = JS110Decoder.word(bytes, 0)
    // Kind, status, and length, without the voltage's range.
    guard head & 0x7fff_ffff == 0x0200_0001 else {
      damaged += 1
      return
    }
    let index = UInt16(truncatingIfNeeded: JS110Decoder.word(bytes, 1))
    guard follows(index, &most) else { return }
    expected = index &+ 1
    let samples = bytes.extracting(Self.headerSize..<Self.packetSize)
    let voltageRange = Int(head >> 31)
    guard isOpen else {
      number += Int64(Self.samplesInPacket)
      return
    }
    var place = 0
    while place < Self.samplesInPacket {
      if JS110Decoder.word(samples, place) == JS110Decoder.missing {
        number += 1
        place += 1
        continue
      }
      join(give)
      let rest = samples.extracting((place * JS110Decoder.wordSize)...)
      place += decode(rest, voltageRange, give)
    }
  }

  /// Whether a packet's number can be believed; passes over those that are missing before it.
  private mutating func follows(_ index: UInt16, _ most: inout Int64) -> Bool {
    let other = suspect
    suspect = nil
    guard let expected, index != expected else { return true }
    let ahead = index &- expected
    let samples = Int64(ahead) * Int64(Self.samplesInPacket)
    if ahead < 0x8000, samples <= most {
      most -= samples
      number += samples
      return true
    }
    // What an earlier stream has left, before its own.
    guard isOpen else { return true }
    // Two in a row that agree with each other mean it.
    if other == index { isBroken = true }
    suspect = index &+ 1
    damaged += 1
    return false
  }

  // MARK: samples

  /// Tells what is missing between the last sample and this one.
  private mutating func join(_ give: (Part) -> Void) {
    guard let before = last, number != before + 1 else { return }
    flush(give)
    drop()
    decoder.restart()
    switches?.restart()
    let after = last ?? before
    lost += number - after - 1
    give(.gap(after: after, before: number, count: number - after - 1))
  }

  /// Leaves out what waits for samples that never came.
  private mutating func drop() {
    guard let before = last, !current.isEmpty else { return }
    last = before - Int64(current.count)
    current.removeAll(keepingCapacity: true)
    voltage.removeAll(keepingCapacity: true)
    inputs.removeAll(keepingCapacity: true)
    switches?.restart()
  }

  /// Decodes samples up to one that is missing; gives how many.
  private mutating func decode(
    _ words: RawSpan, _ voltageRange: Int, _ give: (Part) -> Void
  ) -> Int {
    let count = words.byteCount / JS110Decoder.wordSize
    let place = current.count
    var notes = JS110Decoder.Notes()
    var decoder = decoder
    var voltage: [Int64] = []
    swap(&voltage, &self.voltage)
    current.append(addingCapacity: count) { current in
      voltage.append(addingCapacity: count) { voltage in
        notes = decoder.decode(words, voltageRange: voltageRange, into: &current, &voltage)
      }
    }
    swap(&voltage, &self.voltage)
    self.decoder = decoder
    if hasInputs {
      for index in 0..<notes.decoded {
        let word = JS110Decoder.word(words, index)
        inputs.append(word >> 2 & 1 | word >> 17 & 2)
      }
    }
    filter(words, notes, at: place)
    let first = number
    number += Int64(notes.decoded)
    last = number - 1
    tell(notes, first, give)
    return notes.decoded
  }

  private mutating func filter(_ words: RawSpan, _ notes: JS110Decoder.Notes, at place: Int) {
    guard let isIdle = switches?.isIdle else { return }
    if isIdle, notes.switched.count == 0 {
      switches?.note(range: JS110Decoder.range(JS110Decoder.word(words, 0)))
    } else {
      switches?.take(words, notes.decoded, codes: &current, at: place, last: lastCurrent)
    }
  }

  private mutating func tell(
    _ notes: JS110Decoder.Notes, _ first: Int64, _ give: (Part) -> Void
  ) {
    func tell(_ mark: Mark, _ marks: JS110Decoder.Notes.Marks) {
      guard marks.count > 0 else { return }
      give(
        .marks(
          mark, from: first + Int64(marks.first), to: first + Int64(marks.last),
          count: Int64(marks.count)))
    }
    switched += Int64(notes.switched.count)
    unsteady += Int64(notes.unsteady.count)
    saturated += Int64(notes.current.count + notes.voltage.count)
    tell(.currentSaturated, notes.current)
    tell(.voltageSaturated, notes.voltage)
    tell(.switched, notes.switched)
    tell(.unsteady, notes.unsteady)
  }
}
