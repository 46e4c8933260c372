internal import KelvinDevices
public import KelvinModel
internal import KelvinStore

/// What the board's console said while a job ran.
///
/// The owner of ports holds the console and logs it anyway; this takes the job's part of that log.
/// Positions are noted beside the measured window, and nothing is ever sent on the line.
public struct SerialMonitor: Instrument {
  public static let declaration = Declaration(
    .instrument, "serialmon",
    summary: "What the board's console said while the job ran.",
    description: """
      The part of the console's log from just before the measured window until the job's output \
      is updated, as the artifact console.log: what is said last is still on its way when the \
      window ends. Bytes are kept as they came. Panics, oopses, BUGs, lockups, hung tasks, \
      an exhausted memory, sanitizers' and machine check reports are counted, and shown in a \
      warning. The console is the one that the bench file gives the \
      board; it is held by the owner of ports for the whole run, whose own console.log has \
      everything, and nothing is sent on the line. The board need not answer any more.
      """,
    options: [
      OptionDeclaration(
        "max_size", .quantity(.size, bare: "B"), default: 67_108_864, range: 1...1e12,
        "What the artifact of one job may take; what comes later is left out and counted."),
      OptionDeclaration(
        "serial_port", .text,
        "Accepted for Workload Automation's agendas; the bench file says which console it is."),
      OptionDeclaration(
        "baudrate", .integer,
        "Accepted for Workload Automation's agendas; the bench file or the board's profile says it."
      )
    ],
    metrics: [
      MetricDeclaration("console_bytes", unit: "B", "What the console said."),
      MetricDeclaration(
        "console_alarms", "How often the kernel says there that it is in trouble.")
    ])

  private let maxSize: UInt64
  private let begin = BoardConfined<(attempt: Int64, position: UInt64)?>(nil)

  /// Takes the declared options.
  public init(settings: [String: Value]) {
    maxSize = UInt64(settings["max_size"]?.number ?? 67_108_864)
  }

  public func prepare(_ run: RunContext, until deadline: Deadline) async throws {
    guard run.consoleLog == nil else { return }
    throw InstrumentUnavailable(
      "the run holds no console of this board",
      hint: "give the board a 'console' in its bench file; one that cannot be held is told when "
        + "the run begins")
  }

  public var hooks: [Hook] {
    very_fast.start { context in
      let job = try context.requireJob()
      begin.value = context.run.consoleLog.map { directory in
        (job.attemptID, ConsoleLogReader(directory: directory).extent.end)
      }
    }.hostSide
    normal.update_output { context in
      let job = try context.requireJob()
      guard let begin = begin.exchange(nil), begin.attempt == job.attemptID,
        let directory = context.run.consoleLog
      else { return }
      try report(ConsoleLogReader(directory: directory), from: begin.position, job)
    }.hostSide
  }

  private func report(
    _ reader: ConsoleLogReader, from begin: UInt64, _ job: JobContext
  ) throws {
    // Only what is there now: a console that never stops must not keep the job from ending.
    let end = max(begin, reader.extent.end)
    var position = begin
    var kept: [UInt8] = []
    var signs = KernelSigns()
    var gone: UInt64 = 0
    while position < end {
      let piece = reader.read(at: position, limit: Int(min(1 << 20, end - position)))
      if piece.bytes.isEmpty { break }
      gone += piece.position - position
      signs.take(piece.bytes)
      kept += piece.bytes.prefix(Int(clamping: maxSize - UInt64(kept.count)))
      position = piece.end
    }
    gone += end - min(position, end)
    signs.finish()
    if !kept.isEmpty {
      try job.write(
        kept, to: "console.log", kind: .log, description: "what the board's console said",
        source: name)
    }
    let seen = end - begin - gone
    job.add(
      Metric("console_bytes", .integer(Int64(clamping: end - begin)), unit: "B", source: name))
    if gone > 0 {
      job.record(
        .warning, source: name, "console.log: \(gone) bytes are no longer in the console's log")
    }
    if seen > UInt64(kept.count) {
      job.record(
        .warning, source: name,
        "console.log: \(seen - UInt64(kept.count)) bytes beyond max_size were left out")
    }
    signs.record(as: "console_alarms", of: "the console", in: job, source: name)
  }
}
