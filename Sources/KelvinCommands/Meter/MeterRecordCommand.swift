internal import ArgumentParser
internal import Foundation
internal import KelvinExecution
internal import KelvinMeters
internal import KelvinModel
internal import KelvinStore
internal import KelvinSystem
internal import KelvinTargets

/// `kelvin meter record`: a meter's samples into a capture.
struct MeterRecordCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "record",
    abstract: "Records what a meter measures into a capture.",
    discussion: """
      The capture is a run directory of its own: every sample with its time, and what happened \
      meanwhile. It ends by Ctrl-C or after --for. Whatever ends it, what was recorded up to the last \
      second is kept.

      With --trigger recording begins when a channel first goes beyond a value, and --pre keeps what \
      came just before.

      EXAMPLES
        kelvin meter record hwmon/ina226 -d captures/idle --for '1 min'
        kelvin meter record rapl --board rock
        kelvin meter record hwmon/ina226 --trigger 'curr1 > 10 mA' --pre '1 s' --for '10 s'

      EXIT CODES
        0 when it was recorded; 1 when the trigger never came; 3 when the meter or the disk failed
      """)

  @Argument(
    help:
      "The meter, as 'kelvin meter list' names it, or as YAML: 'DRIVER: {OPTION: VALUE}'; default: the best one."
  )
  var meter: String?
  @OptionGroup var meters: MeterOptions
  @Option(
    name: .shortAndLong, help: "The directory of the capture; default: captures/DATE-METER.",
    completion: .directory)
  var directory: String?
  @Option(name: .customLong("for"), help: "How long; default: until it is stopped.")
  var time: TimeArgument?
  @Option(help: "How often the meter is read, in hertz; default: the meter's own.")
  var rate: Double?
  @Option(help: "Begin when a channel goes beyond a value: 'curr1 > 10 mA', 'power1 < 1 W'.")
  var trigger: String?
  @Option(help: "How much of what came before the trigger is kept.") var pre: TimeArgument?

  func validate() throws {
    if let rate, !(0.01...10_000).contains(rate) {
      throw ValidationError("--rate: 0.01 to 10000 (Hz)")
    }
    if let trigger { _ = try TriggerText(trigger) }
    if pre != nil, trigger == nil { throw ValidationError("--pre: only with --trigger") }
  }

  func run() async throws {
    let interrupt = SignalInterrupt.begin()
    let options: [String: Value] = rate.map { ["rate": .number($0)] } ?? [:]
    let request = Request(
      directory: directory, seconds: time?.seconds ?? .infinity,
      trigger: try trigger.map { try TriggerText($0) }, before: pre?.seconds ?? 0,
      interrupt: interrupt)
    let isTriggered = try await meters.withMeter(
      meter, options, for: "meter record", until: .after(seconds: 30, interrupt: interrupt)
    ) { meter, target in try await Self.record(meter, of: target.name, request) }
    if !isTriggered {
      Terminal.standardError.line("kelvin: the trigger did not come; nothing was recorded")
      throw CommandExit.jobNotOK
    }
  }

  private struct Request: Sendable {
    var directory: String?
    var seconds: Double
    var trigger: TriggerText?
    var before: Double
    var interrupt: Interrupt
  }

  /// Four times a second what has come is stored; in seconds.
  private static let pause = 0.25

  /// - Returns: whether something was recorded.
  private static func record(
    _ meter: any Meter, of board: String, _ request: Request
  ) async throws -> Bool {
    let trigger = try request.trigger?.trigger(of: meter, before: request.before)
    let path = request.directory ?? "captures/\(name(of: meter))"
    let store = try RunStore.create(
      at: path,
      run: RunRecord(
        id: UUID().uuidString.lowercased(), name: meter.identity.name,
        kelvinVersion: KelvinVersion.text, commandLine: CommandLine.arguments, board: board,
        createdWallNanoseconds: MonotonicTime.wallNanoseconds, sources: []),
      plan: Plan(settings: RunSettings(), specs: [], jobs: []), life: .current())
    defer { store.close() }
    let recorder = try CaptureRecorder(
      meter, into: store, attempt: nil, source: meter.identity.name, trigger: trigger)
    let soon = Deadline.after(seconds: 10, interrupt: request.interrupt)
    try await meter.start(into: recorder, until: soon)
    let limit = Deadline.after(seconds: request.seconds, interrupt: request.interrupt)
    let begin = MonotonicTime.now
    let status = Terminal.standardError
    var failure: StoreFailure?
    while !limit.hasPassed, !limit.isInterrupted, failure == nil, meter.isOver?.isRaised != true {
      let next = limit.limited(toSeconds: pause)
      do throws(StoreFailure) { try recorder.flush() } catch { failure = error }
      if status.isTerminal {
        let state = recorder.isTriggered ? "\(recorder.counts.stored) samples" : "no trigger yet"
        status.write("\r\u{1b}[K\(DurationText.short(MonotonicTime.now - begin))  \(state)")
      }
      _ = next.ended(with: meter).wait()
    }
    let summary = await meter.stop(until: .after(seconds: 10))
    if status.isTerminal { status.write("\r\u{1b}[K") }
    if let failure { throw failure }
    try recorder.finish(summary)
    Terminal.standardOutput.line(path)
    let lost = summary.lost + recorder.counts.dropped
    status.line(
      "\(recorder.counts.stored) samples of \(meter.channels.count) channels in "
        + DurationText.short(MonotonicTime.now - begin)
        + (lost > 0 ? ", \(lost) lost" : ""))
    if let suspends = summary.counts["suspends"]?.integer {
      let asleep = summary.counts["asleep"]?.integer.map {
        ", \(FigureText.quantity(Double($0) * 1e-9, "s")) altogether"
      }
      status.line(
        "\(suspends) suspend\(suspends == 1 ? "" : "s") meanwhile\(asleep ?? ""): nothing was measured then"
      )
    }
    if let failure = summary.failure { throw failure }
    return recorder.isTriggered
  }

  /// `2026-11-26T22-10-03-hwmon-ina226`.
  private static func name(of meter: any Meter) -> String {
    let style = Date.ISO8601FormatStyle(timeZone: .gmt)
    let time = style.format(.now).prefix(19).map { $0 == ":" ? "-" : $0 }
    let name = meter.identity.name.map { $0.isLetter || $0.isNumber || $0 == "-" ? $0 : "-" }
    return String(time) + "-" + String(name)
  }
}
