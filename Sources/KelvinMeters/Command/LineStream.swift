internal import KelvinModel
internal import KelvinPatterns

/// Makes blocks of a program's lines as they come, and counts what cannot be read. Used by one thread.
struct LineStream: ProgramReader {
  private let plan: LinePlan
  private let name: String
  private let sink: any BlockSink
  private var clock: LineClock
  /// The beginning of a line whose end has not come.
  private var part: [UInt8] = []
  /// The line was too long, and is passed over up to its end.
  private var isCut = false
  /// No line of the bytes that came last has been taken.
  private var isFresh = true
  private var header: Int
  private var fields: [Range<Int>] = []
  /// Lines that were counted, for their times.
  private var counted: Int64 = 0
  /// Of the last line that was taken.
  private var last: (time: Int64, arrival: Int64)?
  /// The same, on the clock of the capture; nil where that is this machine's monotonic one.
  var latest: Int64? {
    switch plan.timing {
    case .printed(.monotonic, _), .arrival: nil
    case .printed, .counted: last?.time
    }
  }
  /// Lines that could not be read since then, and what the first of them was.
  private var bad: (count: Int64, note: String) = (0, "")
  /// Lines in a row whose times do not go on.
  private var backwards = 0
  /// Since when a channel's values cannot be read, and what the first of them was.
  private var broken: [(from: Int64, to: Int64, count: Int64, note: String)?]
  private var sums: [Int64]
  private var times: [[Int64]]
  private var codes: [[Int64]]
  private(set) var samples: [Int64]
  /// Lines that could not be read, and those that are missing by the pace.
  private(set) var lost: Int64 = 0
  /// Why no further line is taken.
  private(set) var failure: MeterFailure?

  var witnesses: [String] { plan.witnesses }

  static let lineLimit = 1 << 16
  private static let patience = 8

  init(_ plan: LinePlan, name: String, into sink: any BlockSink) {
    self.plan = plan
    self.name = name
    self.sink = sink
    clock = LineClock(plan.timing)
    header = plan.header
    broken = plan.channels.map { _ in nil }
    sums = plan.channels.map { _ in 0 }
    times = plan.channels.map { _ in [] }
    codes = times
    samples = sums
  }

  /// Takes bytes as they came.
  ///
  /// - Parameter arrival: when, on the monotonic clock, in nanoseconds.
  mutating func take(_ bytes: Span<UInt8>, arrival: Int64) {
    var start = 0
    isFresh = true
    for place in bytes.indices where bytes[place] == 10 {
      guard failure == nil else { return }
      if isCut {
        isCut = false
      } else if part.isEmpty {
        line(bytes.extracting(start..<place), arrival)
      } else {
        append(bytes.extracting(start..<place))
        let whole = part
        part.removeAll(keepingCapacity: true)
        if isCut { isCut = false } else { line(whole.span, arrival) }
      }
      start = place + 1
    }
    if !isCut { append(bytes.extracting(start..<bytes.count)) }
    hand()
  }

  private mutating func append(_ bytes: Span<UInt8>) {
    guard part.count + bytes.count <= Self.lineLimit else {
      miss("a line of more than \(Self.lineLimit) bytes")
      part.removeAll()
      isCut = true
      return
    }
    for place in bytes.indices { part.append(bytes[place]) }
  }

  private mutating func line(_ line: Span<UInt8>, _ arrival: Int64) {
    if header > 0 {
      header -= 1
      return
    }
    let isWhole: Bool
    do throws(Pattern.LimitFailure) {
      guard try !plan.passesOver(line) else { return }
      counted += 1
      isWhole = try plan.format.find(in: line, &fields)
    } catch {
      return giveUp(error, line)
    }
    guard isWhole else { return miss(Self.excerpt(line)) }
    guard var time = time(of: line, arrival) else { return miss(Self.excerpt(line)) }
    if isFresh, let last { time = clock.takenBack(time, arrival: arrival, after: last.time) }
    guard isOfThisMachine(time, arrival) else { return refuseClock(line) }
    if let last, !follows(time, last, arrival) {
      backwards += 1
      miss("a time that does not go on: " + Self.excerpt(line))
      if backwards >= Self.patience {
        failure = MeterFailure(
          .malfunction, "\(name): \(backwards) lines in a row have times that do not go on",
          evidence: Self.excerpt(line),
          hint: "which column is the time, and in which unit? does the program start anew?")
      }
      return
    }
    backwards = 0
    isFresh = false
    tellMisses(before: time)
    tellPace(time)
    clock.observe(time, arrival: arrival)
    let steps = clock.newSteps()
    if !steps.isEmpty {
      hand()
      for step in steps { sink.take(step) }
    }
    read(line, at: time)
    last = (time, arrival)
  }

  /// A pattern that one line takes beyond its limits takes the next ones there, too: each would cost the
  /// time of many, and the capture would fall behind.
  private mutating func giveUp(_ limit: Pattern.LimitFailure, _ line: Span<UInt8>) {
    miss(Self.excerpt(line))
    failure = MeterFailure(
      .invalid, "\(name): \(limit.message): \(Self.excerpt(line))", evidence: limit.evidence,
      hint: limit.hint)
  }

  /// When a line's values were measured, on the capture's clock; nil when it does not say.
  private mutating func time(of line: Span<UInt8>, _ arrival: Int64) -> Int64? {
    switch plan.timing {
    case .arrival:
      // Those that came together are taken in their order.
      return max(arrival, (last?.time ?? .min) &+ 1)
    case .counted:
      return clock.time(Int64(Double(counted) * (plan.period ?? 1e9)), arrival: arrival)
    case .printed(_, let digits):
      guard let field = plan.fields.firstIndex(of: .time),
        let number = LineNumber(line.extracting(fields[field])),
        let own = number.scaled(to: 9 - digits)
      else { return nil }
      return clock.time(own, arrival: arrival)
    }
  }

  /// Whether a time can be one of the clock that it is said to be of.
  private func isOfThisMachine(_ time: Int64, _ arrival: Int64) -> Bool {
    guard last == nil, case .printed(let clock, _) = plan.timing, clock != .own else { return true }
    return abs(Double(time) - Double(arrival)) < 3.6e12
  }

  private mutating func refuseClock(_ line: Span<UInt8>) {
    miss(Self.excerpt(line))
    failure = MeterFailure(
      .malfunction, "\(name): its times are hours from this machine's clock",
      evidence: Self.excerpt(line),
      hint: "which column is the time, in which unit, of which clock? 'clock: own' takes any")
  }

  /// Whether a time may follow another: later, and not by hours more than the clock on the wall.
  private func follows(
    _ time: Int64, _ last: (time: Int64, arrival: Int64), _ arrival: Int64
  ) -> Bool {
    guard time > last.time else { return false }
    let ahead = Double(time) - Double(last.time) - Double(arrival - last.arrival)
    return ahead < 3.6e12
  }

  private mutating func read(_ line: Span<UInt8>, at time: Int64) {
    for (place, field) in plan.fields.enumerated() {
      guard case .channel(let channel) = field else { continue }
      let text = line.extracting(fields[place])
      let coding = plan.codings[channel]
      guard let number = LineNumber(text),
        let code = Int64(exactly: (number.value * coding.factor).rounded())
      else {
        fail(channel, at: time, Self.excerpt(text))
        continue
      }
      mend(channel, before: time)
      var value = coding.isLevel ? (number.value == 0 ? 0 : 1) : code
      if coding.isSummed {
        let (sum, isOver) = sums[channel].addingReportingOverflow(code)
        // Begins anew: an hour of terajoules.
        sums[channel] = isOver ? code : sum
        value = sums[channel]
      }
      times[channel].append(time)
      codes[channel].append(value)
      samples[channel] += 1
    }
  }

  // MARK: what is missing

  private mutating func miss(_ note: String) {
    if bad.count == 0 { bad.note = note }
    bad.count += 1
    lost += 1
  }

  private mutating func tellMisses(before time: Int64) {
    guard bad.count > 0 else { return }
    hand()
    let from = last?.time ?? time
    sink.take(CaptureEvent(.error, from: from, to: time, count: bad.count, note: bad.note))
    // What lines that were not read would have added is not in the sum.
    for channel in plan.channels.indices where plan.codings[channel].isSummed {
      sink.take(
        CaptureEvent(.reset, channel: channel, from: from, to: time, note: "lines are missing"))
    }
    bad = (0, "")
  }

  private mutating func tellPace(_ time: Int64) {
    guard let period = plan.period, let last, plan.timing != .counted else { return }
    let missing = (Double(time - last.time) / period).rounded() - 1
    guard missing >= 1, missing < 1e15 else { return }
    hand()
    lost += Int64(missing)
    sink.take(CaptureEvent(.gap, from: last.time, to: time, count: Int64(missing)))
  }

  private mutating func fail(_ channel: Int, at time: Int64, _ note: String) {
    var error = broken[channel] ?? (last?.time ?? time, time, 0, note)
    error.to = time
    error.count += 1
    broken[channel] = error
  }

  private mutating func mend(_ channel: Int, before time: Int64) {
    guard let error = broken[channel] else { return }
    broken[channel] = nil
    hand()
    sink.take(
      CaptureEvent(
        .error, channel: channel, from: error.from, to: error.to, count: error.count,
        note: error.note))
    if plan.codings[channel].isSummed {
      sink.take(
        CaptureEvent(
          .reset, channel: channel, from: error.from, to: time, note: "values are missing"))
    }
  }

  /// What a line says, for people.
  private static func excerpt(_ line: Span<UInt8>) -> String {
    var bytes: [UInt8] = []
    for place in line.indices.prefix(60) {
      bytes.append(line[place] >= 32 && line[place] < 127 ? line[place] : UInt8(ascii: "?"))
    }
    return "'" + String(decoding: bytes, as: UTF8.self) + "'"
  }

  /// Hands over what was read.
  private mutating func hand() {
    let blocks = plan.channels.indices.filter { !times[$0].isEmpty }.map {
      SampleBlock(channel: $0, times: times[$0], codes: codes[$0])
    }
    guard !blocks.isEmpty else { return }
    for channel in times.indices {
      times[channel] = []
      codes[channel] = []
    }
    sink.take(blocks)
  }

  /// Tells what is still to be told, after the last byte.
  mutating func finish() -> ClockFit {
    if !part.isEmpty { miss("a line without an end") }
    let end = last?.time ?? MonotonicTime.now.nanoseconds
    tellMisses(before: end)
    for channel in plan.channels.indices { mend(channel, before: end) }
    hand()
    let (fit, step) = clock.finish(end)
    if let step { sink.take(step) }
    return fit
  }
}
