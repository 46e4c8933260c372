internal import KelvinModel
internal import KelvinStore

extension KernelSigns {
  /// The file of an attempt that holds what its kernel reported.
  static let reportName = "kernel-report.txt"

  /// What is shown of a list of signs.
  private static let shownSigns = 3
  private static let shownCharacters = 160

  /// Records how often a kernel said that it is in trouble: a metric in any case, a warning when it
  /// did.
  func record(as metric: String, of what: String, in job: JobContext, source: String) {
    job.add(Metric(metric, .integer(Int64(alarmCount)), lowerIsBetter: true, source: source))
    guard alarmCount > 0 else { return }
    let lines = signs.filter { $0.kind.isTrouble && $0.severity > .note }
      .prefix(KernelSigns.shownSigns)
      .map { "\($0.kind.rawValue): '\($0.line.prefix(KernelSigns.shownCharacters))'" }
    job.record(
      .warning, source: source,
      "\(what) tells \(alarmCount) time(s) of a kernel in trouble, first: "
        + lines.joined(separator: ", "))
  }

  /// The reports of signs, one behind the other, each under a heading; empty when there are none.
  static func text(of signs: [KernelSign]) -> [UInt8] {
    var text: [UInt8] = []
    for sign in signs {
      if !text.isEmpty { text.append(10) }
      text += "# \(sign.severity): \(sign)\n".utf8
      text += sign.report
    }
    return text
  }

  /// Attaches the reports of signs to an attempt, as ``reportName``; nothing where there are none.
  ///
  /// Called once for an attempt: what several places saw of it goes into one file.
  static func attach(_ signs: [KernelSign], to job: JobContext, source: String) throws(PlainFailure)
  {
    guard !signs.isEmpty else { return }
    try job.write(
      text(of: signs), to: reportName, kind: .log, description: "what the kernel reported",
      source: source)
  }
}
