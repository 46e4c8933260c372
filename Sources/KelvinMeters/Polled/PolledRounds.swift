internal import KelvinModel

/// Puts rounds together, and holds them until answers are known to have belonged to their questions. Used by
/// one thread.
struct PolledRounds {
  private let channels: [Channel]
  private let sink: any BlockSink
  private var held: [Held] = []
  /// Rounds in which every channel has a value.
  private var times: [Int64] = []
  private var codes: [[Int64]]
  /// Of channels without a value: since when, and how many rounds.
  private var missing: [(from: Int64, count: Int64, note: String)?]
  /// The last round's, and the last with a value, channel by channel.
  private var last: Int64?
  private var lastValue: [Int64?]
  /// The first round that is held.
  private var begin: Int64?
  private(set) var samples: [Int64]
  private var heldSamples: [Int64]
  private(set) var lost: Int64 = 0

  private enum Held {
    case blocks([SampleBlock])
    case event(CaptureEvent)
  }

  init(_ channels: [Channel], into sink: any BlockSink) {
    self.channels = channels
    self.sink = sink
    codes = channels.map { _ in [] }
    missing = channels.map { _ in nil }
    lastValue = channels.map { _ in nil }
    samples = channels.map { _ in 0 }
    heldSamples = samples
  }

  /// Rounds that wait.
  var isEmpty: Bool { held.isEmpty && times.isEmpty }

  /// Takes a round's values, one for each channel: a code, or why there is none.
  mutating func take(_ values: [Value], at time: Int64) {
    begin = begin ?? time
    let isWhole = values.allSatisfy { $0.code != nil } && missing.allSatisfy { $0 == nil }
    if isWhole {
      times.append(time)
      for (channel, value) in values.enumerated() { codes[channel].append(value.code ?? 0) }
    } else {
      close()
      takeApart(values, at: time)
    }
    for (channel, value) in values.enumerated() where value.code != nil {
      heldSamples[channel] += 1
      lastValue[channel] = time
    }
    last = time
  }

  /// What a channel's answer came to.
  enum Value: Sendable, Hashable {
    case code(Int64)
    case overload
    case none(String)

    var code: Int64? { if case .code(let code) = self { code } else { nil } }
  }

  private mutating func takeApart(_ values: [Value], at time: Int64) {
    var blocks: [SampleBlock] = []
    for (channel, value) in values.enumerated() {
      switch value {
      case .code(let code):
        if let gap = missing[channel] { tell(gap, channel, until: time) }
        missing[channel] = nil
        blocks.append(SampleBlock(channel: channel, times: [time], codes: [code]))
      case .overload:
        miss(channel, time, "beyond what it measures")
        held.append(
          .event(CaptureEvent(.saturation, channel: channel, from: time, to: time, count: 1)))
      case .none(let note): miss(channel, time, note)
      }
    }
    if !blocks.isEmpty { held.append(.blocks(blocks)) }
  }

  private mutating func miss(_ channel: Int, _ time: Int64, _ note: String) {
    lost += 1
    var gap = missing[channel] ?? (lastValue[channel] ?? time, 0, note)
    gap.count += 1
    missing[channel] = gap
  }

  private mutating func tell(
    _ gap: (from: Int64, count: Int64, note: String), _ channel: Int, until time: Int64
  ) {
    held.append(
      .event(
        CaptureEvent(
          .gap, channel: channel, from: gap.from, to: time, count: gap.count, note: gap.note)))
  }

  /// Takes an event behind the rounds that came before it.
  mutating func take(_ event: CaptureEvent) {
    close()
    held.append(.event(event))
  }

  private mutating func close() {
    guard !times.isEmpty else { return }
    held.append(
      .blocks(
        channels.indices.map { SampleBlock(channel: $0, times: times, codes: codes[$0]) }))
    times = []
    codes = channels.map { _ in [] }
  }

  /// Gives out what waits: its answers belonged to their questions.
  mutating func confirm() {
    close()
    for entry in held {
      switch entry {
      case .blocks(let blocks): sink.take(blocks)
      case .event(let event): sink.take(event)
      }
    }
    for channel in samples.indices { samples[channel] += heldSamples[channel] }
    forget()
  }

  /// Gives up what waits: nobody knows which question was answered.
  mutating func discard(_ note: String) {
    close()
    let count = heldSamples.reduce(0, +)
    lost += count
    if let begin, let last, count > 0 {
      sink.take(CaptureEvent(.gap, from: begin, to: last, count: count, note: note))
    }
    forget()
  }

  private mutating func forget() {
    held = []
    heldSamples = channels.map { _ in 0 }
    begin = nil
  }

  /// Tells what is still missing at the end.
  mutating func finish() {
    close()
    for channel in channels.indices {
      if let gap = missing[channel], let last { tell(gap, channel, until: last) }
      missing[channel] = nil
    }
  }
}
