internal import CLinux
internal import KelvinModel
internal import KelvinSystem

/// What the thread of a capture owns that reads a recording while it grows.
///
/// Times are those of the recording, which are seconds since its beginning: one clock for all channels of a device.
struct OtiiWorker {
  private let session: OtiiSession
  private let recording: OtiiRecording
  private let device: String
  private let wanted: [OtiiChannel]
  private let channels: [Channel]
  private let patience: Double
  private let sink: any BlockSink
  private var clock = StreamClock(period: 1)
  private var lateness = OtiiLateness()
  /// Entries that were read, of each channel.
  private var fetched: [Int64]
  /// Where the next sample has to begin, in nanoseconds of the recording, and from one to the next; nil before the
  /// first one.
  private var next: [(time: Int64, interval: Double)?]
  /// What is added to the recording's times for samples that it left out without a word.
  private var shift: Int64 = 0
  private var lines: [OtiiLine?]
  private var samples: [Int64]
  private var lost: Int64 = 0
  private var requests = 0
  private var rounds = 0
  /// What came while times were not known, and what was missing from it.
  private var early: [Piece] = []
  private var gaps: [(channel: Int, from: Int64, to: Int64, count: Int64)] = []
  private var suspends = HostSuspends()

  /// Samples of a channel, with the time of the first one, in nanoseconds of the recording.
  private struct Piece {
    var channel: Int
    var first: Int64
    var interval: Double
    var codes: [Int64]
  }

  /// Between two looks, in seconds.
  private static let pause = 0.1
  /// Of one answer: a second of an Ace, and less than half a megabyte.
  private static let most: Int64 = 20_000

  init(
    _ session: OtiiSession, _ recording: OtiiRecording, of device: String, _ wanted: [OtiiChannel],
    _ channels: [Channel], patience: Double, into sink: any BlockSink
  ) {
    self.session = session
    self.recording = recording
    self.device = device
    self.wanted = wanted
    self.channels = channels
    self.patience = patience
    self.sink = sink
    fetched = wanted.map { _ in 0 }
    next = wanted.map { _ in nil }
    lines = wanted.enumerated().map { $1.kind == .logic ? OtiiLine(channel: $0) : nil }
    samples = fetched
  }

  private var soon: Deadline { .after(seconds: patience) }

  mutating func run(until isAsked: Interrupt, hasBegun: Interrupt) -> CaptureSummary {
    var failure: MeterFailure?
    do throws(MeterFailure) {
      try measure(until: isAsked, hasBegun)
      try recording.end(session, until: soon)
      // What it had by then.
      while try look() > 0 {}
    } catch { failure = error }
    begin(hasBegun)
    give(lines: nil)
    var counts: [String: Value] = ["requests": .integer(Int64(requests))]
    let late = lines.reduce(0) { $0 + ($1?.late ?? 0) }
    if late > 0 { counts["late edges"] = .integer(Int64(late)) }
    return CaptureSummary(
      samples: samples, lost: lost,
      witnesses: ["time stamps of the server", "host clock against the recording"],
      clock: suspends.doubt(clock.fit), hostCPU: kelvin_cpu_time(1), counts: counts,
      failure: failure)
  }

  private mutating func measure(
    until isAsked: Interrupt, _ hasBegun: Interrupt
  ) throws(MeterFailure) {
    var late = soon
    while true {
      let pause = Deadline.after(seconds: Self.pause, interrupt: isAsked)
      if pause.wait() == .interrupted { return }
      if try look() > 0 {
        late = soon
        if rounds > 2 { begin(hasBegun) }
      } else if late.hasPassed {
        throw MeterFailure(
          .timedOut, "\(session.name): its recording has not grown for \(patience) s",
          hint: "is the device still connected? has somebody stopped the recording?")
      }
    }
  }

  /// Reads what there is of every channel.
  ///
  /// - Returns: how many samples there were.
  private mutating func look() throws(MeterFailure) -> Int {
    var counts: [Int64] = []
    for channel in wanted {
      counts.append(try recording.count(channel, of: device, session, until: soon))
      requests += 1
    }
    let arrival = MonotonicTime.now.nanoseconds
    if clock.isSet { suspends.look(at: arrival, latest: clock.time((newest ?? 0) &+ shift), sink) }
    // As it was for all of them before this round.
    let before = fetched
    var found: [Piece] = []
    for channel in counts.indices {
      // Those of one rate are read as far as each other, so that they can be given out together.
      let reach = reach(channel, counts, after: before)
      guard reach > before[channel] else { continue }
      let piece = try recording.piece(
        wanted[channel], of: device, from: fetched[channel],
        count: min(reach &- fetched[channel], Self.most),
        scale: channels[channel].scale, session, until: soon)
      requests += 1
      switch piece.values {
      case .analog(let first, let interval, let codes) where !codes.isEmpty:
        fetched[channel] += Int64(codes.count)
        found.append(Piece(channel: channel, first: first, interval: interval, codes: codes))
      case .digital(let changes) where lines[channel] != nil:
        fetched[channel] += Int64(changes.count)
        let step = Int64(step)
        for change in changes {
          lines[channel]?.change(to: change.isHigh, at: change.time, step: step)
        }
      case .analog, .digital:
        throw session.lacks("samples of \(wanted[channel].rawValue)", "its data", [:])
      }
    }
    guard !found.isEmpty else { return 0 }
    rounds += 1
    try take(found, arrival, isWhole: counts == fetched)
    return found.reduce(0) { $0 + $1.codes.count }
  }

  /// How far a channel is read: as far as all of its rate are.
  private func reach(_ channel: Int, _ counts: [Int64], after before: [Int64]) -> Int64 {
    guard lines[channel] == nil else { return counts[channel] }
    var reach = counts[channel]
    for other in counts.indices where lines[other] == nil {
      guard next[channel]?.interval == next[other]?.interval,
        before[channel] == before[other]
      else { continue }
      reach = min(reach, counts[other])
    }
    return reach
  }

  /// From one sample to the next of the fastest channel, in nanoseconds.
  private var step: Double { next.compactMap { $0?.interval }.min() ?? 1e6 }
  /// Up to which time of the recording there are samples of all channels that have numbers.
  private var newest: Int64? {
    next.compactMap { next in next.map { $0.time &- Int64($0.interval) } }.min()
  }

  private mutating func take(
    _ found: [Piece], _ arrival: Int64,
    isWhole: Bool
  ) throws(MeterFailure) {
    var ready = found
    for (place, piece) in found.enumerated() {
      ready[place].first = try follow(piece)
    }
    guard let newest else { return }
    guard clock.isSet else {
      early += ready
      if isWhole { clock.begin(samples: newest &+ shift, arrival: arrival) }
      return
    }
    give(ready)
    give(lines: newest)
    guard isWhole else { return }
    clock.observe(number: newest &+ shift, arrival: arrival)
    let time = clock.time(newest &+ shift)
    guard let missing = lateness.observe(meter: time, host: arrival) else { return }
    tell(missing, at: time)
  }

  /// Holds a piece's first time against the end of the one before.
  ///
  /// - Returns: the time of its first sample, in nanoseconds of the recording.
  private mutating func follow(
    _ piece: Piece
  ) throws(MeterFailure) -> Int64 {
    var first = piece.first
    if let expected = next[piece.channel]?.time {
      let off = Double(first &- expected)
      if off < -0.5 * piece.interval {
        throw MeterFailure(
          .malfunction,
          "\(session.name): the times of \(wanted[piece.channel].rawValue) went back by "
            + "\(-off / 1e9) s",
          hint: "did somebody else begin a recording?")
      }
      if off > 0.5 * piece.interval {
        let count = max(1, Int64((off / piece.interval).rounded()))
        lost += count
        gaps.append((piece.channel, expected &- Int64(piece.interval), first, count))
        if clock.isSet { tellGaps() }
      } else {
        // Stamps are rounded: the samples are not.
        first = expected
      }
    }
    next[piece.channel] = (
      first &+ Int64((Double(piece.codes.count) * piece.interval).rounded()), piece.interval
    )
    return first
  }

  private mutating func tellGaps() {
    for (channel, from, to, count) in gaps {
      sink.take(
        CaptureEvent(
          .gap, channel: channel, from: clock.time(from &+ shift), to: clock.time(to &+ shift),
          count: count, note: "by the server's time stamps"))
    }
    gaps = []
  }

  private mutating func begin(_ hasBegun: Interrupt) {
    guard !clock.isSet, !early.isEmpty else { return }
    clock.set()
    tellGaps()
    give(early)
    early = []
    hasBegun.raise()
  }

  /// Gives pieces out; those of one time together.
  private mutating func give(
    _ pieces: [Piece]
  ) {
    var rest = pieces[...]
    while let head = rest.first {
      let together = rest.prefix {
        $0.first == head.first && $0.interval == head.interval && $0.codes.count == head.codes.count
      }
      rest = rest.dropFirst(together.count)
      let times = SampleTimes.regular(
        first: clock.time(head.first &+ shift), step: head.interval, count: head.codes.count)
      var blocks: [SampleBlock] = []
      for piece in together {
        let (block, event) = SampleBlock(
          channel: piece.channel, times: times, codes: piece.codes
        ).whole()
        if let block { blocks.append(block) }
        guard let event else { continue }
        lost += event.count ?? 0
        sink.take(event)
      }
      for block in blocks { samples[block.channel] += Int64(block.codes.count) }
      sink.take(blocks)
    }
  }

  /// Gives digital lines out, with the level up to the newest value's time.
  private mutating func give(lines newest: Int64?) {
    guard clock.isSet else { return }
    for place in lines.indices {
      if let newest { lines[place]?.hold(until: newest) }
      guard let block = lines[place]?.hand() else { continue }
      let times = block.times.array.map { clock.time($0 &+ shift) }
      samples[place] += Int64(times.count)
      sink.take([SampleBlock(channel: place, times: times, codes: block.codes)])
    }
  }

  private mutating func tell(_ missing: Int64, at time: Int64) {
    guard missing > 0 else {
      sink.take(
        CaptureEvent(
          .clockStep, from: time, to: time,
          note: "samples that the clock told to be lost had been late by \(-missing) ns"))
      return
    }
    let count = Int64((Double(missing) / step).rounded())
    lost += count
    shift &+= missing
    sink.take(
      CaptureEvent(
        .gap, from: time, to: time &+ missing, count: count,
        note: "by the host's clock, within two seconds before: the server's time stamps show none")
    )
  }
}
