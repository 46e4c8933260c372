internal import KelvinConnections
public import KelvinModel
internal import KelvinStore
internal import KelvinTargets

/// Hard and soft interrupts in the measured window, by interrupt and CPU.
public struct Interrupts: Instrument {
  public static let declaration = Declaration(
    .instrument, "interrupts",
    summary: "Hard and soft interrupts in the measured window.",
    description: """
      /proc/interrupts and /proc/softirqs are read just before and just after the measured window. \
      The artifact interrupts.csv has a row for each interrupt and CPU: before, after, difference. \
      Interrupts or CPUs that came or went in between are in it without a difference. The kernel \
      counts in 32 bits; a count that went back is taken as wrapped and flagged.
      """,
    metrics: [
      MetricDeclaration("interrupts", "Hard interrupts on all CPUs."),
      MetricDeclaration("softirqs", "Soft interrupts on all CPUs.")
    ])

  private static let files: [TargetPath] = ["/proc/interrupts", "/proc/softirqs"]
  private let reader = WindowReader()

  /// Takes no settings of its own.
  public init(settings: [String: Value]) {}

  public func prepare(_ run: RunContext, until deadline: Deadline) async throws {
    let contents = try await run.target.connection.read(Interrupts.files, until: deadline)
    let paths = zip(Interrupts.files, contents).filter { _, content in
      (try? content.get()).flatMap { InterruptTable(KernelText($0)) } != nil
    }.map(\.0)
    // Containers and some architectures have one of the two only.
    guard !paths.isEmpty else {
      throw InstrumentUnavailable(
        "/proc/interrupts and /proc/softirqs: not there, not readable or without CPU columns")
    }
    reader.paths = paths
  }

  public var hooks: [Hook] {
    very_fast.start { context in try await reader.readBefore(context) }
    very_fast.stop { context in try await reader.readAfter(context) }
    normal.update_output { context in
      let job = try context.requireJob()
      guard let window = reader.take(job, source: name) else { return }
      try report(window, job)
    }.hostSide
  }

  private func report(_ window: WindowReader.Window, _ job: JobContext) throws {
    var csv = CSVText(header: [
      "source", "interrupt", "description", "cpu", "before", "after", "difference", "note"
    ])
    var flagged: [String] = []
    for (index, path) in reader.paths.enumerated() {
      guard let before = window.before.text(index), let after = window.after.text(index) else {
        continue
      }
      guard let from = InterruptTable(before), let to = InterruptTable(after) else {
        job.record(.warning, source: name, "\(path): has no CPU columns")
        continue
      }
      let source = path == "/proc/softirqs" ? "softirqs" : "interrupts"
      let difference = InterruptDifference(from: from, to: to)
      for entry in difference.entries {
        if case .wrapped = entry.step { flagged.append("\(source) \(entry.label)") }
        csv.add(Interrupts.row(entry, source: source))
      }
      job.add(
        Metric(
          source, .integer(Int64(clamping: difference.total)), lowerIsBetter: true, source: name))
      if !difference.changedCPUs.isEmpty {
        job.record(
          .warning, source: name,
          "\(path): CPUs went on or off in the measured window and do not count: "
            + difference.changedCPUs.map(String.init).shortList)
      }
    }
    if !flagged.isEmpty {
      job.record(
        .warning, source: name,
        "went back and were taken as wrapped at 32 bits: \(flagged.shortList)")
    }
    try job.write(
      csv.bytes, to: "interrupts.csv", kind: .data,
      description: "interrupts by CPU before, after, and between", source: name)
  }

  private static func row(_ entry: InterruptDifference.Entry, source: String) -> [String] {
    let note: String
    switch (entry.step, entry.before, entry.after) {
    case (.wrapped, _, _): note = "wrapped"
    case (.reset, _, _): note = "reset"
    case (nil, nil, _): note = "appeared"
    case (nil, _, nil): note = "went away"
    default: note = ""
    }
    return [
      source, entry.label, entry.description, entry.cpu.map(String.init) ?? "",
      entry.before.map(String.init) ?? "", entry.after.map(String.init) ?? "",
      entry.step?.value.map(String.init) ?? "", note
    ]
  }
}
