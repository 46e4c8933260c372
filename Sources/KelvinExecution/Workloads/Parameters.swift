public import KelvinModel

/// A spec's validated parameters by name.
public struct Parameters: Sendable {
  let values: [String: Value]

  /// The parameter, or nil when it is absent.
  public subscript(name: String) -> Value? { values[name] }
  public func text(_ name: String) -> String? { values[name]?.text }
  public func integer(_ name: String) -> Int64? { values[name]?.integer }
  public func number(_ name: String) -> Double? { values[name]?.number }
  public func flag(_ name: String) -> Bool { values[name]?.boolean ?? false }
  public func words(_ name: String) -> [String] { values[name]?.list?.compactMap(\.text) ?? [] }
  public func integers(_ name: String) -> [Int64] {
    values[name]?.list?.compactMap(\.integer) ?? []
  }
  /// A text that is split as a shell splits words; nothing is expanded.
  ///
  /// - Throws: when a quote is left open.
  public func line(_ name: String) throws -> [String] {
    guard let words = ShellWords.split(text(name) ?? "") else {
      throw PlainFailure(
        .configuration, "\(name): a quote is left open in \(LocatedValue.quoted(text(name) ?? ""))",
        hint: "close it, or put a backslash before it")
    }
    return words
  }
  /// Seconds rounded to a whole number, at least 1: for tools that take no fractions.
  public func wholeSeconds(_ name: String) -> String? {
    number(name).map { "\(max(1, Int($0.rounded())))" }
  }
}
