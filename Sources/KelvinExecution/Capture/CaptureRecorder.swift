public import KelvinMeters
public import KelvinModel
public import KelvinStore
internal import Synchronization

/// Takes what a meter gives into a capture of a store.
///
/// The meter's thread only puts aside what it brings; ``flush()`` stores it, on its caller's thread, which
/// calls it several times a second: what was stored a second ago survives a power cut. With a
/// trigger, what came before it is kept for a while and then forgotten.
public final class CaptureRecorder: BlockSink {
  /// When recording begins.
  public struct Trigger: Sendable, Hashable {
    /// Index of the channel, a value in its unit, and on which side of it recording begins.
    public var channel: Int
    public var isAbove: Bool
    public var value: Double
    /// How much of what came before is kept, in nanoseconds.
    public var before: Int64

    /// Describes a trigger.
    public init(channel: Int, isAbove: Bool, value: Double, before: Int64) {
      self.channel = channel
      self.isAbove = isAbove
      self.value = value
      self.before = before
    }
  }

  private let store: RunStore
  public let capture: Int64
  private let channels: [Channel]
  private let trigger: Trigger?
  private struct State {
    var blocks: [SampleBlock] = []
    var events: [CaptureEvent] = []
    var isTriggered: Bool
    /// Samples that wait.
    var waiting = 0
    /// The last time of each channel, on the meter's clock.
    var reached: [Int64]
    var stored: Int64 = 0
    /// Samples that found no room because nothing was stored meanwhile.
    var dropped: Int64 = 0
  }
  private let state: Mutex<State>

  /// Samples that may wait for a store that does not take them: 64 MiB.
  private static let room = 1 << 22

  /// Begins a capture.
  ///
  /// - Parameter attempt: nil for a capture of the run as a whole.
  public init(
    _ meter: any Meter, into store: RunStore, attempt: Int64?, source: String,
    trigger: Trigger? = nil
  ) throws(StoreFailure) {
    self.store = store
    self.trigger = trigger
    channels = meter.channels
    capture = try store.beginCapture(
      attempt: attempt, source: source, channels: meter.channels, meter: meter.identity)
    state = Mutex(
      State(isTriggered: trigger == nil, reached: meter.channels.map { _ in .min }))
  }

  public func take(_ blocks: [SampleBlock]) {
    let count = blocks.reduce(0) { $0 + $1.codes.count }
    state.withLock { state in
      for block in blocks {
        if let last = block.times.last { state.reached[block.channel] = last }
      }
      guard state.waiting + count <= CaptureRecorder.room else {
        state.dropped += Int64(count)
        for block in blocks {
          guard let from = block.times.first, let to = block.times.last else { continue }
          state.events.append(
            CaptureEvent(
              .gap, channel: block.channel, from: from, to: to, count: Int64(block.codes.count),
              note: "the store took nothing"))
        }
        return
      }
      state.blocks += blocks
      state.waiting += count
      if !state.isTriggered, let trigger { watch(trigger, blocks, &state) }
    }
  }

  public func take(_ event: CaptureEvent) { state.withLock { $0.events.append(event) } }

  /// The time of the channel that is furthest behind, on the meter's clock; nil before all have begun.
  public var reached: Int64? {
    state.withLock { state in state.reached.min().flatMap { $0 == .min ? nil : $0 } }
  }

  /// Whether recording has begun.
  public var isTriggered: Bool { state.withLock { $0.isTriggered } }

  /// Samples that were stored, and that were dropped for want of room.
  public var counts: (stored: Int64, dropped: Int64) {
    state.withLock { ($0.stored, $0.dropped) }
  }

  /// Stores what waits. What cannot be stored waits on.
  public func flush() throws(StoreFailure) {
    let (blocks, events) = state.withLock { state -> ([SampleBlock], [CaptureEvent]) in
      guard state.isTriggered else { return ([], []) }
      defer { (state.blocks, state.events, state.waiting) = ([], [], 0) }
      return (state.blocks, state.events)
    }
    guard !blocks.isEmpty || !events.isEmpty else { return }
    let count = blocks.reduce(0) { $0 + $1.codes.count }
    do {
      try store.append(capture: capture, blocks: blocks, events: events)
      state.withLock { $0.stored += Int64(count) }
    } catch {
      state.withLock { state in
        state.blocks = blocks + state.blocks
        state.events = events + state.events
        state.waiting += count
      }
      throw error
    }
  }

  /// Stores the rest and ends the capture, after its meter was stopped.
  public func finish(_ summary: CaptureSummary) throws(StoreFailure) {
    try flush()
    try store.setClock(capture: capture, fit: summary.clock)
    var record = summary.counts
    record["samples"] = .list(summary.samples.map { .integer($0) })
    record["lost"] = .integer(summary.lost)
    record["witnesses"] = .list(summary.witnesses.map { .text($0) })
    let dropped = counts.dropped
    if dropped > 0 { record["dropped"] = .integer(dropped) }
    if let cpu = summary.hostCPU { record["host cpu"] = .integer(cpu) }
    if let cpu = summary.boardCPU { record["board cpu"] = .integer(cpu) }
    if let failure = summary.failure { record["failure"] = .text("\(failure)") }
    if trigger != nil { record["triggered"] = .boolean(isTriggered) }
    try store.endCapture(capture, summary: record)
  }

  /// Looks for the trigger in what came, and forgets what is too old for it.
  private func watch(_ trigger: Trigger, _ blocks: [SampleBlock], _ state: inout State) {
    let channel = channels[trigger.channel]
    for block in blocks where block.channel == trigger.channel {
      let place = block.codes.firstIndex { code in
        let value = channel.value(of: code)
        return trigger.isAbove ? value > trigger.value : value < trigger.value
      }
      guard let place else { continue }
      let time = block.times[place]
      state.isTriggered = true
      state.events.append(
        CaptureEvent(.mark, channel: block.channel, from: time, to: time, note: "trigger"))
      forget(before: time - trigger.before, &state)
      return
    }
    guard let last = blocks.compactMap(\.times.last).max() else { return }
    forget(before: last - trigger.before, &state)
  }

  private func forget(before time: Int64, _ state: inout State) {
    state.blocks = state.blocks.compactMap { block in
      guard let last = block.times.last, last >= time else { return nil }
      guard let first = block.times.first, first < time else { return block }
      let times = Array(block.times)
      let start = times.firstIndex { $0 >= time } ?? times.count
      return SampleBlock(
        channel: block.channel, times: Array(times[start...]), codes: Array(block.codes[start...]))
    }
    state.events.removeAll { $0.to < time }
    state.waiting = state.blocks.reduce(0) { $0 + $1.codes.count }
  }
}
