internal import GRDB
internal import KelvinModel

/// Reads the columns of a row of a database that may be damaged: what does not fit is a failure,
/// never a trap as with GRDB's own conversions.
struct RowReader {
  let row: Row
  /// For the failure.
  let path: String

  var count: Int { row.count }

  /// What is thrown for a column that holds what Kelvin never wrote.
  func unexpected(_ index: Int) -> StoreFailure { damaged(index) }

  private func damaged(_ index: Int) -> StoreFailure {
    StoreFailure(
      .corrupt, path: path, "the database is damaged",
      evidence: "column '\(Array(row.columnNames)[index])' holds an unexpected value")
  }

  private func storage(_ index: Int) -> DatabaseValue.Storage {
    (row[index] as DatabaseValue).storage
  }

  /// An integer that may be NULL.
  func optionalInteger(_ index: Int) throws(StoreFailure) -> Int64? {
    switch storage(index) {
    case .null: return nil
    case .int64(let value): return value
    default: throw damaged(index)
    }
  }

  /// An integer.
  func integer(_ index: Int) throws(StoreFailure) -> Int64 {
    guard let value = try optionalInteger(index) else { throw damaged(index) }
    return value
  }

  /// An integer that indexes or counts something: from 0 to 2^31.
  func int(_ index: Int) throws(StoreFailure) -> Int {
    let value = try integer(index)
    guard (0...Int64(Int32.max)).contains(value) else { throw damaged(index) }
    return Int(value)
  }

  /// A number.
  func number(_ index: Int) throws(StoreFailure) -> Double {
    switch storage(index) {
    case .double(let value): return value
    case .int64(let value): return Double(value)
    default: throw damaged(index)
    }
  }

  /// A number that may be NULL.
  func optionalNumber(_ index: Int) throws(StoreFailure) -> Double? {
    if case .null = storage(index) { return nil }
    return try number(index)
  }

  /// A text that may be NULL.
  func optionalText(_ index: Int) throws(StoreFailure) -> String? {
    switch storage(index) {
    case .null: return nil
    case .string(let value): return value
    default: throw damaged(index)
    }
  }

  /// A text.
  func text(_ index: Int) throws(StoreFailure) -> String {
    guard let value = try optionalText(index) else { throw damaged(index) }
    return value
  }

  /// JSON; NULL reads as null.
  func json(_ index: Int) throws(StoreFailure) -> Value {
    guard let text = try optionalText(index) else { return .null }
    guard let value = Value(json: text) else { throw damaged(index) }
    return value
  }

  /// A JSON object of texts.
  func texts(_ index: Int) throws(StoreFailure) -> [String: String] {
    let text = try text(index)
    if text == "{}" { return [:] }
    guard let map = Value(json: text)?.map else { throw damaged(index) }
    return map.compactMapValues(\.text)
  }

  /// One of an enumeration's words.
  func word<Word: RawRepresentable<String>>(
    _ index: Int, as type: Word.Type
  ) throws(StoreFailure) -> Word {
    guard let word = Word(rawValue: try text(index)) else { throw damaged(index) }
    return word
  }

  /// A verdict and, in the next column, its reason; nil when there is none yet.
  func outcome(_ index: Int) throws(StoreFailure) -> Outcome? {
    guard let text = try optionalText(index) else { return nil }
    guard let verdict = Verdict(text: text) else { throw damaged(index) }
    return Outcome(verdict, try optionalText(index + 1) ?? "")
  }

  /// Start and end in two columns; nil when either is missing.
  func range(_ index: Int) throws(StoreFailure) -> Range<Int64>? {
    guard let start = try optionalInteger(index), let end = try optionalInteger(index + 1) else {
      return nil
    }
    guard start <= end else { throw damaged(index) }
    return start..<end
  }

  /// A metric's value; NULL is NaN, which SQLite cannot hold.
  func metricValue(_ index: Int) throws(StoreFailure) -> MetricValue {
    switch storage(index) {
    case .null: return .number(.nan)
    case .int64(let value): return .integer(value)
    case .double(let value): return .number(value)
    case .string(let value): return .text(value)
    case .blob: throw damaged(index)
    }
  }

  /// Bytes.
  func bytes(_ index: Int) throws(StoreFailure) -> [UInt8] {
    guard case .blob(let data) = storage(index) else { throw damaged(index) }
    return [UInt8](data)
  }
}

extension String {
  /// The text as a column can hold it: NULs, at which readers of SQLite's text stop, become U+FFFD;
  /// what exceeds `limit` bytes is cut, and the end says so.
  func storable(limit: Int = 1 << 20) -> String {
    if utf8.count <= limit, !utf8.contains(0) { return self }
    var text = self
    if utf8.count > limit {
      text = String(decoding: utf8.prefix(limit), as: UTF8.self)
      text += " [cut: \(utf8.count - limit) bytes more]"
    }
    return text.replacing("\0", with: "\u{FFFD}")
  }

  var storable: String { storable() }
}
