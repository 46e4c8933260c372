internal import ArgumentParser
internal import KelvinMeters
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// `kelvin meter live`: what a meter says, a line at a time.
struct MeterLiveCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "live",
    abstract: "Shows what a meter measures, a line for each interval.",
    discussion: """
      Each line has the mean of every channel since the line before; of energy counters, the mean \
      power. Ends by Ctrl-C or after --for.

      EXAMPLES
        kelvin meter live hwmon/ina226
        kelvin meter live rapl --for '10 s' --every '0.5 s'
      """)

  @Argument(
    help:
      "The meter, as 'kelvin meter list' names it, or as YAML: 'DRIVER: {OPTION: VALUE}'; default: the best one."
  )
  var meter: String?
  @OptionGroup var meters: MeterOptions
  @Option(name: .customLong("for"), help: "How long; default: until it is stopped.")
  var time: TimeArgument?
  @Option(help: "The time between two lines.") var every = "1 s"

  func run() async throws {
    let every = try DurationText.seconds(every, "--every")
    guard every > 0 else { throw ValidationError("--every: more than 0 s") }
    let interrupt = SignalInterrupt.begin()
    let seconds = time?.seconds ?? .infinity
    let failure = try await meters.withMeter(
      meter, for: "meter live", until: .after(seconds: 30, interrupt: interrupt)
    ) { meter, _ -> MeterFailure? in
      let sink = LiveSink(meter.channels)
      Terminal.standardOutput.line("\(meter.identity.name), \(meter.identity.location)")
      try await meter.start(into: sink, until: .after(seconds: 10, interrupt: interrupt))
      // From now on: reaching the meter took its own time.
      let limit = Deadline.after(seconds: seconds, interrupt: interrupt)
      let begin = MonotonicTime.now
      var lines = 1.0
      while !limit.hasPassed, !limit.isInterrupted, meter.isOver?.isRaised != true {
        let left = lines * every - Double(MonotonicTime.now - begin) / 1e9
        _ = limit.limited(toSeconds: max(0, left)).ended(with: meter).wait()
        lines += 1
        let text = sink.take()
        Terminal.standardOutput.line(
          "\(DurationText.short(MonotonicTime.now - begin))  \(text.joined(separator: "  "))")
      }
      return await meter.stop(until: .after(seconds: 10)).failure
    }
    if let failure { throw failure }
  }
}

/// Means of what came since it was last asked.
private final class LiveSink: BlockSink {
  private struct Sum {
    var count = 0
    var sum = 0.0
    /// Of a counter: the last reading of the line before, and the last one.
    var before: (time: Int64, code: Int64)?
    var last: (time: Int64, code: Int64)?
  }
  private let channels: [Channel]
  private let sums: Mutex<[Sum]>

  init(_ channels: [Channel]) {
    self.channels = channels
    sums = Mutex(channels.map { _ in Sum() })
  }

  func take(_ blocks: [SampleBlock]) {
    sums.withLock { sums in
      for block in blocks {
        let channel = channels[block.channel]
        sums[block.channel].count += block.codes.count
        for code in block.codes { sums[block.channel].sum += channel.value(of: code) }
        if let time = block.times.last, let code = block.codes.last {
          sums[block.channel].last = (time, code)
          if sums[block.channel].before == nil, let first = block.times.first {
            sums[block.channel].before = (first, block.codes[0])
          }
        }
      }
    }
  }

  func take(_ event: CaptureEvent) {}

  func take() -> [String] {
    sums.withLock { sums in
      channels.indices.map { index in
        let channel = channels[index]
        defer { sums[index] = Sum(before: sums[index].last) }
        guard sums[index].count > 0 else { return "\(channel.name) -" }
        guard channel.wrap != nil, channel.kind == .energy else {
          return "\(channel.name) "
            + FigureText.quantity(sums[index].sum / Double(sums[index].count), channel.unit)
        }
        guard let before = sums[index].before, let last = sums[index].last, last.time > before.time,
          last.code >= before.code
        else { return "\(channel.name) -" }
        let joules = Double(last.code - before.code) * channel.scale
        return "\(channel.name) "
          + FigureText.quantity(joules / Double(last.time - before.time) * 1e9, "W")
      }
    }
  }
}
