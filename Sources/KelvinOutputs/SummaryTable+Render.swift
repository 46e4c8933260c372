internal import Glibc
internal import KelvinModel
public import KelvinStore

extension SummaryTable {
  /// Collects a run's figures and renders them.
  public static func render(run: RunReader, columns: Int) throws -> String {
    try SummaryTable(run).render(columns: columns)
  }

  /// The table as text of lines that are at most `columns` wide where that can be; ends with a line
  /// end.
  public func render(columns: Int) -> String {
    var lines: [String] = []
    // Counters that stayed at zero are of no help in a long table.
    let isLong = rows.count > 30
    let shown = isLong ? rows.filter { $0.statistics.min != 0 || $0.statistics.max != 0 } : rows
    if !shown.isEmpty { lines += table(shown, columns: columns) }
    if shown.count < rows.count {
      lines.append("\(rows.count - shown.count) rows of zeros left out: see results.csv")
    }
    for entry in crowded {
      lines.append(
        "\(entry.label) \(entry.metric): one value per classifier, see results.csv".cut(columns))
    }
    if moreWorkloads > 0 {
      lines.append("\(moreWorkloads) more workloads: see results.csv")
    }
    if !lines.isEmpty { lines.append("") }
    lines.append("jobs \(SummaryTable.counts(verdicts))")
    for problem in problems {
      let reason = problem.outcome.reason.isEmpty ? "" : ": \(problem.outcome.reason)"
      lines.append(
        "  \(problem.job): \(problem.outcome.verdict.text)\(reason)".cut(max(40, columns)))
    }
    if moreProblems > 0 { lines.append("  and \(moreProblems) more: see status.txt") }
    return lines.joined(separator: "\n") + "\n"
  }

  private func table(_ rows: [Row], columns: Int) -> [String] {
    // How far single values can be trusted stands where somebody knows it.
    let hasUncertainty = rows.contains { $0.expanded.count > 0 }
    let header =
      ["workload", "metric", "n", "mean"] + (hasUncertainty ? ["± k=2"] : [])
      + ["± sd", "min", "max", "unit"]
    var cells: [[String]] = [header]
    var last = ""
    for row in rows {
      var figures = SummaryTable.figures(row.statistics)
      if hasUncertainty { figures.insert(SummaryTable.expanded(row.expanded), at: 1) }
      cells.append(
        [row.label == last ? "" : row.label, row.metric, String(row.statistics.count)] + figures
          + [row.unit])
      last = row.label
    }
    var widths = header.indices.map { column in cells.map { $0[column].count }.max() ?? 0 }
    var shown = Array(header.indices)
    func excess() -> Int {
      shown.reduce(0) { $0 + widths[$1] } + 2 * (shown.count - 1) - columns
    }
    // Minimum and maximum give way to names, and these to the other figures, but stay recognizable.
    let numbers = 2..<header.count - 1
    if excess() > 0 {
      shown.removeAll { $0 == numbers.upperBound - 1 || $0 == numbers.upperBound - 2 }
    }
    if excess() > 0 { widths[1] = max(min(16, widths[1]), widths[1] - excess()) }
    if excess() > 0 { widths[0] = max(min(12, widths[0]), widths[0] - excess()) }
    return cells.map { row in
      var line = ""
      for column in shown {
        if column > 0 { line += "  " }
        let isNumber = numbers.contains(column)
        line += row[column].cut(widths[column]).padded(widths[column], left: isNumber)
      }
      while line.last == " " { line.removeLast() }
      return line
    }
  }

  /// An uncertainty to two significant digits (JCGM 100:2008, 7.2.6); empty where nobody knows it.
  private static func expanded(_ statistics: Statistics) -> String {
    let value = statistics.mean
    guard statistics.count > 0, value > 0 else { return statistics.count > 0 ? "0" : "" }
    guard value < 1e9, value >= 1e-6 else { return scientific(value) }
    return fixed(value, decimals: max(0, min(8, 1 - Int(log10(value).rounded(.down)))))
  }

  /// Mean, deviation, minimum and maximum, with decimals that suit the mean.
  private static func figures(_ statistics: Statistics) -> [String] {
    let numbers = [
      statistics.mean, statistics.deviation, statistics.min, statistics.max
    ]
    let largest = numbers.compactMap { $0?.magnitude }.max() ?? 0
    if largest >= 1e9 || (largest > 0 && largest < 1e-4) {
      return numbers.map { $0.map(scientific) ?? "" }
    }
    let areIntegers = numbers.allSatisfy { $0.map { $0 == $0.rounded() } ?? true }
    let exponent = largest > 0 ? Int(log10(largest).rounded(.down)) : 0
    let decimals = areIntegers ? 0 : max(0, min(8, 4 - exponent))
    return numbers.map { $0.map { fixed($0, decimals: decimals) } ?? "" }
  }
}
