internal import KelvinModel

/// Makes samples of sigrok-cli's lines as they come. Used by one thread.
///
/// A line has no time: its arrival is taken, and that is late by up to `delay`. The newest line is held back until the
/// next one, and is left out at the end: of an answer that broke off sigrok makes a value.
struct SigrokStream: ProgramReader {
  private let name: String
  private let channels: [Channel]
  /// By the names that sigrok has for them.
  private let places: [String: Int]
  private let delay: Double
  private let sink: any BlockSink
  /// The beginning of a line whose end has not come.
  private var part: [UInt8] = []
  private var newest: (channel: Int, time: Int64, value: SigrokLine)?
  private var last: [Int64]
  private var times: [[Int64]]
  private var codes: [[Int64]]
  /// Since when a channel has no values, how many, and why.
  private var missing:
    [(from: Int64, to: Int64, count: Int64, kind: CaptureEvent.Kind, note: String)?]
  /// Lines that could not be read in a row.
  private var bad = 0
  private(set) var samples: [Int64]
  private(set) var lost: Int64 = 0
  private(set) var failure: MeterFailure?
  /// Times are this machine's.
  let latest: Int64? = nil
  let witnesses: [String] = []

  private static let lineLimit = 4096
  private static let mostBad = 64

  /// - Parameters:
  ///   - delay: by how much a line may be late, in nanoseconds.
  ///   - names: of the channels, as sigrok has them.
  init(
    _ channels: [Channel], names: [String], delay: Double, name: String, into sink: any BlockSink
  ) {
    self.name = name
    self.channels = channels
    self.delay = delay
    self.sink = sink
    places = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) })
    last = channels.map { _ in .min }
    times = channels.map { _ in [] }
    codes = times
    missing = channels.map { _ in nil }
    samples = channels.map { _ in 0 }
  }

  mutating func take(_ bytes: Span<UInt8>, arrival: Int64) {
    for place in bytes.indices {
      guard failure == nil else { return }
      guard bytes[place] == 10 else {
        if part.count < Self.lineLimit { part.append(bytes[place]) }
        continue
      }
      let whole = part
      part.removeAll(keepingCapacity: true)
      line(whole.span, arrival)
    }
    hand()
  }

  private mutating func line(_ line: Span<UInt8>, _ arrival: Int64) {
    guard let read = SigrokLine(line) else {
      // Its header and what it says between frames; but not for ever.
      bad += 1
      guard bad >= Self.mostBad else { return }
      failure = MeterFailure(
        .malfunction, "\(name): \(bad) lines in a row hold no value of sigrok's",
        hint: "which version of sigrok-cli is it?")
      return
    }
    bad = 0
    guard let channel = places[read.channel] else { return }
    if let before = newest { give(before) }
    newest = (channel, max(arrival, last[channel] &+ 1), read)
    last[channel] = newest?.time ?? arrival
  }

  private mutating func give(_ sample: (channel: Int, time: Int64, value: SigrokLine)) {
    let (channel, time, read) = sample
    guard let value = read.value, let quantity = SigrokLine.quantity(read.unit),
      quantity.kind == channels[channel].kind,
      let code = Int64(exactly: (value * quantity.factor / channels[channel].scale).rounded())
    else {
      let isOther = read.value != nil
      return miss(
        channel, time, read.isOverload ? .saturation : .error,
        read.isOverload ? "overload" : isOther ? "it measures '\(read.unit)' now" : "no number")
    }
    tell(channel)
    times[channel].append(time)
    codes[channel].append(code)
    samples[channel] += 1
  }

  private mutating func miss(
    _ channel: Int, _ time: Int64, _ kind: CaptureEvent.Kind, _ note: String
  ) {
    if let before = missing[channel], before.kind != kind { tell(channel) }
    var gap = missing[channel] ?? (time, time, 0, kind, note)
    gap.to = time
    gap.count += 1
    missing[channel] = gap
    lost += 1
  }

  private mutating func tell(_ channel: Int) {
    guard let gap = missing[channel] else { return }
    missing[channel] = nil
    hand()
    sink.take(
      CaptureEvent(
        gap.kind, channel: channel, from: gap.from, to: gap.to, count: gap.count, note: gap.note))
  }

  /// Hands over what was read.
  private mutating func hand() {
    let blocks = channels.indices.filter { !times[$0].isEmpty }.map {
      SampleBlock(channel: $0, times: times[$0], codes: codes[$0])
    }
    guard !blocks.isEmpty else { return }
    for channel in channels.indices { (times[channel], codes[channel]) = ([], []) }
    sink.take(blocks)
  }

  mutating func finish() -> ClockFit {
    // The newest line may be of an answer that broke off.
    newest = nil
    for channel in channels.indices { tell(channel) }
    hand()
    // Between 0 and so late, evenly.
    return ClockFit(
      origin: MonotonicTime.now.nanoseconds, offset: -Int64(delay / 2), skew: 0,
      uncertainty: delay / 12.0.squareRoot(), residual: delay, count: 0)
  }
}
