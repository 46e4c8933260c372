internal import Glibc
internal import KelvinConnections
internal import KelvinDevices
internal import KelvinModel
internal import KelvinPatterns
internal import KelvinStore
internal import KelvinTargets

/// Boots the board: how long it takes from power-on, or from the order, until it can be used, and through
/// which phases its console says that it goes.
struct Boot: Workload {
  private let by: Rung?
  private let marker: Pattern?
  private let probe: String?
  private let phases: [(name: String, pattern: Pattern)]

  static let type = WorkloadType(
    Declaration(
      .workload, "boot", summary: "Boots the board, and times it.",
      description: """
        The clock begins when the switch acknowledged power, when the reset line was released, or \
        when the board took its reboot command. It ends when the board answers and its system says \
        that it has booted (systemd, Android, the probe), or when the console shows the marker. \
        Phases are read from the console's log, whose every byte has its time. Losing the board \
        meanwhile is what this workload is for; settings of the job are undone by the boot.
        """,
      options: [
        OptionDeclaration(
          "by", .choice(["auto", "reboot", "reset", "power_cycle"]), default: "auto",
          "How: by the board's own reboot command, its reset line, or its power; auto takes the "
            + "hardest that the bench has."),
        OptionDeclaration(
          "marker", .pattern, "A line of the console that ends the boot, such as 'login: $'."),
        OptionDeclaration(
          "probe", .text,
          "A shell line that must succeed on a board that has booted, besides that of the bench "
            + "file."),
        OptionDeclaration(
          "phases", .map(.pattern),
          "Names of phases, and what the first line of each on the console matches: '{kernel: "
            + "Linux version, userspace: 'Run /s?bin/init'}'.")
      ],
      metrics: [
        MetricDeclaration("boot_time", unit: "s", "From the beginning to the end."),
        MetricDeclaration(
          "boot_phase", unit: "s",
          "From the beginning to a phase's first line; classified by phase."),
        MetricDeclaration("console_marker", unit: "s", "From the beginning to the marker.")
      ],
      verified: "the virtual bench, by reboot and by power")
  ) { try Boot($0) }

  init(_ spec: JobSpec) throws {
    by =
      switch spec.parameters["by"]?.text {
      case "reboot": .reboot
      case "reset": .reset
      case "power_cycle": .powerCycle
      default: nil
      }
    marker = try spec.parameters["marker"]?.text.map { text throws in try Pattern(text) }
    probe = spec.parameters["probe"]?.text
    phases = try (spec.parameters["phases"]?.map ?? [:]).sorted { $0.key < $1.key }.map {
      (name, pattern) throws in (name, try Pattern(pattern.text ?? ""))
    }
  }

  func initialize(_ job: JobContext) async throws {
    guard !job.target.connection.capabilities.isThisMachine else {
      throw PlainFailure(
        .configuration, "boot: this machine runs Kelvin and is never rebooted",
        hint: "name a board of the bench: --board")
    }
    let equipment = job.run.equipment
    if by == .reset, equipment.reset == nil {
      throw PlainFailure(
        .configuration, "boot: \(job.target.name) has no reset line",
        hint: "add 'reset' to its entry")
    }
    if by == .powerCycle, equipment.power == nil {
      throw PlainFailure(
        .configuration, "boot: nothing switches the power of \(job.target.name)",
        hint: "add 'power' to its entry")
    }
    if marker != nil || !phases.isEmpty, job.run.consoleLog == nil {
      throw PlainFailure(
        .configuration, "boot: 'marker' and 'phases' need the console of \(job.target.name)",
        hint: "add 'console' to its entry, or see why it could not be held")
    }
  }

  func setup(_ job: JobContext) async throws { job.expectReboot() }

  func run(_ job: JobContext) async throws {
    let equipment = job.run.equipment
    let rung: Rung =
      by ?? (equipment.power != nil ? .powerCycle : equipment.reset != nil ? .reset : .reboot)
    let position = job.run.consoleLog.map { ConsoleLogReader(directory: $0).extent.end }
    let ladder = Ladder(
      target: job.target, equipment: equipment,
      bootID: try await job.target.bootID(until: job.deadline)
    ) { job.record(.info, source: "boot", $0) }
    let begin = try await ladder.order(equipment.plan(of: rung), until: job.deadline)
    try await ladder.waitUntilUp(until: job.deadline)
    if let probe { try await job.target.waitUntilBooted(probe: probe, until: job.deadline) }
    let end = MonotonicTime.now
    var seconds = Double(end - begin) / 1e9
    if let directory = job.run.consoleLog, let position {
      let log = ConsoleTimes(directory: directory, from: position)
      for (name, pattern) in phases {
        report(log.first(pattern), "boot_phase", ["phase": name], begin, job)
      }
      if let marker {
        let time = log.first(marker)
        report(time, "console_marker", [:], begin, job)
        guard let time else {
          throw PlainFailure(
            .workload, "boot: no line of the console matches '\(marker.source)'",
            hint: "'kelvin bench console \(job.target.name)' shows what it says")
        }
        seconds = Double(time - begin) / 1e9
      }
    }
    job.add(
      Metric(
        "boot_time", .number(seconds), unit: "s", lowerIsBetter: true,
        classifiers: ["by": rung.rawValue], source: "boot"))
  }

  private func report(
    _ time: MonotonicTime?, _ metric: String, _ classifiers: [String: String],
    _ begin: MonotonicTime, _ job: JobContext
  ) {
    guard let time else {
      let what = classifiers["phase"].map { "phase '\($0)'" } ?? "the marker"
      return job.record(.warning, source: "boot", "\(what) did not show on the console")
    }
    job.add(
      Metric(
        metric, .number(Double(time - begin) / 1e9), unit: "s", lowerIsBetter: true,
        classifiers: classifiers, source: "boot"))
  }
}

/// What a console said since a position, and when.
struct ConsoleTimes {
  private var lines: [(time: MonotonicTime, bytes: [UInt8])] = []
  /// What is kept of a console that never stops.
  private static let limit = 16 << 20

  init(directory: String, from position: UInt64) {
    let reader = ConsoleLogReader(directory: directory)
    let piece = reader.read(at: position, limit: ConsoleTimes.limit)
    let chunks = reader.entries.compactMap { entry -> (UInt64, Int64)? in
      guard case .chunk(let length) = entry.content else { return nil }
      return (entry.position + UInt64(length), entry.monotonic)
    }
    self.init(piece.bytes, from: piece.position, chunks: chunks)
  }

  /// - Parameter chunks: where each ends, and when it came.
  init(_ bytes: [UInt8], from position: UInt64, chunks: [(end: UInt64, nanoseconds: Int64)]) {
    var index = 0
    var start = 0
    for end in bytes.indices where bytes[end] == 10 || end == bytes.count - 1 {
      let first = position + UInt64(start)
      while index < chunks.count, chunks[index].end <= first { index += 1 }
      if index < chunks.count {
        var line = Array(bytes[start...end])
        while let last = line.last, last == 10 || last == 13 { line.removeLast() }
        lines.append((MonotonicTime(nanoseconds: chunks[index].nanoseconds), line))
      }
      start = end + 1
    }
  }

  /// When the first line that matches began to come.
  func first(_ pattern: Pattern) -> MonotonicTime? {
    lines.first { line in
      line.bytes.withUnsafeBytes { ((try? pattern.firstMatch(in: $0, group: 0)) ?? nil) != nil }
    }?.time
  }
}
