internal import KelvinModel
internal import KelvinSystem

/// A sampler that runs at the other end of a shell's link. Used by one thread at a time.
struct SamplerLink {
  let link: any ShellLink
  let name: String
  /// Times of questions and arrivals are those of its time that goes on.
  var sleep = HostSleep()
  private(set) var frames: SamplerFrames
  private var waiting: [SamplerMessage] = []
  private var nonce: Int64 = 0
  private var output: [UInt8] = []
  private var error: [UInt8] = []

  /// Starts it in place of a new shell.
  ///
  /// - Parameter environment: exported to it, so that what a dead Kelvin left is found.
  init(
    _ transport: any ShellTransport, program: TargetPath, plan: SamplePlan,
    environment: [String: String], until deadline: Deadline
  ) throws(ConnectionFailure) {
    name = transport.name
    frames = SamplerFrames(files: plan.files.count)
    var words = [
      program.string, "\(plan.periodNanoseconds)", "\(plan.buffer ?? SamplerLink.linkBuffer)",
      plan.buffer == nil ? "stream" : "keep", "\(plan.realtimePriority ?? 0)",
      "\(Int(min(max(1, plan.limitSeconds.rounded(.up)), 1e9)))"
    ]
    words += plan.files.map(\.string)
    var script = environment.sorted { $0.key < $1.key }
      .map { "export \($0.key)=\(ShellWords.quote($0.value))\n" }.joined()
    script += "exec " + words.map(ShellWords.quote).joined(separator: " ") + "\n"
    link = try transport.open(until: deadline)
    do {
      try link.send(all: Array(script.utf8), until: deadline)
    } catch {
      link.abandon()
      throw error
    }
  }

  /// Bytes that wait for the link when samples are sent as they come.
  static let linkBuffer = 1 << 20

  /// Sends a command; they are a few bytes.
  func send(_ command: String, until deadline: Deadline) throws(ConnectionFailure) {
    try link.send(all: Array((command + "\n").utf8), until: deadline)
  }

  /// The next message.
  ///
  /// - Returns: with the host's time at which it may have been there; nil when the time is over or the
  ///   interrupt was raised.
  /// - Throws: `connectionLost` when nothing comes any more.
  mutating func next(
    until deadline: Deadline
  ) throws(ConnectionFailure) -> (message: SamplerMessage, time: Int64)? {
    while true {
      if !waiting.isEmpty { return (waiting.removeFirst(), lastArrival) }
      guard link.wait(toSend: false, until: deadline) == .ready else { return nil }
      lastArrival = sleep.now()
      let event = try link.receive(into: &output, error: &error)
      waiting += frames.take(output)
      output.removeAll(keepingCapacity: true)
      if error.count > 1 << 16 { error.removeFirst(error.count - 1 << 12) }
      if case .ended(let status) = event, waiting.isEmpty {
        let said = String(decoding: error.suffix(300), as: UTF8.self).trimmingASCIIWhitespace
        throw ConnectionFailure(
          .connectionLost,
          "\(name): the sampler has ended\(status.map { " with status \($0)" } ?? "")"
            + (said.isEmpty ? "" : ": \(said)"))
      }
      if deadline.hasPassed, waiting.isEmpty { return nil }
    }
  }
  private var lastArrival: Int64 = 0

  /// Asks for the board's time.
  ///
  /// - Returns: the question, whose answer is a ``SamplerMessage/clock(_:)``.
  mutating func askClock(
    until deadline: Deadline
  ) throws(ConnectionFailure) -> (nonce: Int64, sent: Int64) {
    nonce += 1
    let sent = sleep.now()
    try send("p \(nonce)", until: deadline)
    return (nonce, sent)
  }

  /// Asks for the board's time so many times, one after the other, outside the window.
  mutating func readClock(
    times: Int, until deadline: Deadline
  ) throws(ConnectionFailure) -> [ClockReading] {
    var readings: [ClockReading] = []
    for _ in 0..<times {
      let question = try askClock(until: deadline)
      while let (message, time) = try next(until: deadline) {
        guard case .clock(let answer) = message, answer.nonce == question.nonce else { continue }
        let reading = ClockReading(
          sent: question.sent, boardReceived: answer.received, boardSent: answer.sent,
          received: time)
        if reading.isPlausible { readings.append(reading) }
        break
      }
      if deadline.hasPassed { break }
    }
    guard !readings.isEmpty else {
      throw ConnectionFailure(.timedOut, "\(name): the sampler did not tell its time")
    }
    return readings
  }
}
