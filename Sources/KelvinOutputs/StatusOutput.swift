public import KelvinModel
public import KelvinStore

/// Writes status.txt: how the run and each job went, for people.
public struct StatusOutput: OutputProcessor {
  public static let declaration = Declaration(
    .output, "status",
    summary: "status.txt: how the run and each job went, for people",
    description: "The run's verdict and times, counts, one line a job, and the summary table.")

  private static let fileName = "status.txt"

  public init(settings: [String: Value]) {}

  public func process(run: RunReader, to directory: String) throws -> [Artifact] {
    let info = try run.run()
    let file = try ExportFile(path: directory + "/" + Self.fileName)
    try file.write(Self.heading(info, try run.verdictCounts()))
    try file.write("\nverdict                 attempts  job\n")
    try run.forEachJob { job in
      let spec = try run.spec(job.spec)
      var line = (job.outcome?.verdict.text ?? "not ended").padded(22)
      line += " " + String(job.attempts).padded(9, left: true)
      line += "  \(spec.id) \(spec.label), iteration \(job.iteration)"
      if let reason = job.outcome?.reason, !reason.isEmpty { line += ": \(reason.cut(200))" }
      try file.write(line + "\n")
    }
    try file.write("\n")
    try file.write(try SummaryTable(run).render(columns: 120))
    try file.commit()
    return [artifact(Self.fileName, "how the run and each job went")]
  }

  /// The lines about the run as a whole.
  static func heading(_ info: RunInfo, _ verdicts: [Verdict.Status?: Int]) -> String {
    let record = info.record
    var lines = [
      "run       \(record.name.cut(200))", "id        \(record.id)",
      "board     \(record.board.cut(200))", "created   \(isoTime(record.createdWallNanoseconds))"
    ]
    if let ended = info.endedWallNanoseconds {
      let duration = max(0, ended &- record.createdWallNanoseconds)
      lines.append("ended     \(isoTime(ended)), after \(durationText(nanoseconds: duration))")
    }
    var state = info.state.rawValue
    if let outcome = info.outcome {
      state += ": \(outcome.verdict.text)"
      if !outcome.reason.isEmpty { state += " (\(outcome.reason.cut(200)))" }
    } else if info.isCutOff {
      state += ", cut off; 'kelvin resume' continues it"
    }
    lines.append("state     \(state)")
    if info.lives.count > 1 { lines.append("resumed   \(info.lives.count - 1) times") }
    lines.append("jobs      \(SummaryTable.counts(verdicts))")
    return lines.joined(separator: "\n") + "\n"
  }
}
