/// Rows of text in columns; the last column is as wide as it is.
struct TextTable {
  let header: [String]
  /// Columns that stand to the right, as numbers do.
  let right: Set<Int>
  let rows: [[String]]

  /// The lines, the header first.
  var lines: [String] {
    let all = [header] + rows
    let widths = header.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
    return all.map { row in
      row.indices.map { column in
        let padding = String(repeating: " ", count: widths[column] - row[column].count)
        if right.contains(column) { return padding + row[column] }
        return column == row.indices.last ? row[column] : row[column] + padding
      }.joined(separator: "  ")
    }
  }

  /// Writes the lines to standard output.
  func print() {
    var stream = Terminal.standardOutput.stream
    for line in lines { stream.write(line + "\n") }
    stream.flush()
  }

  /// What a target says, without anything that a terminal obeys.
  static func printable(_ text: String) -> String {
    String(
      String.UnicodeScalarView(
        text.unicodeScalars.map {
          $0.properties.generalCategory == .control || $0.properties.generalCategory == .format
            ? "\u{FFFD}" : $0
        }))
  }
}
