internal import KelvinModel

/// A sum of rails with weights, as agendas write it: `cpu + 0.5 * gpu - io`.
///
/// Words stand apart by blanks, since names of sites have `+`, `-` and `/` in them (`+12V`,
/// `package-0/dram`); a name with blanks stands in quotes.
struct RailSum: Sendable, Hashable {
  struct Term: Sendable, Hashable {
    var weight: Double
    var name: String
  }
  var terms: [Term] = []

  /// A single rail.
  init(_ name: String) { terms = [Term(weight: 1, name: name)] }

  /// Reads a sum.
  ///
  /// - Parameter option: for messages: `rails: total`.
  /// - Throws: `configuration`, saying where the sum cannot be read.
  init(_ text: String, of option: String) throws(PlainFailure) {
    func refuse(_ what: String) -> PlainFailure {
      PlainFailure(
        .configuration, "\(option): '\(text)': \(what)",
        hint: "write sums and differences with blanks around signs: 'input - 0.5 * io'")
    }
    guard let words = RailSum.words(text) else { throw refuse("a quote is left open") }
    var rest = words[...]
    var sign: Double? = 1
    if rest.first?.isSign == true { sign = nil }
    while let word = rest.popFirst() {
      guard var weight = sign else {
        guard word.isSign else { throw refuse("expected + or -, found '\(word.text)'") }
        sign = word.text == "-" ? -1 : 1
        continue
      }
      var name = word
      if let factor = rest.first, !factor.isQuoted, factor.text == "*" {
        guard !word.isQuoted, let number = Double(word.text), number.isFinite else {
          throw refuse("expected a number before *, found '\(word.text)'")
        }
        rest = rest.dropFirst()
        weight *= number
        guard let next = rest.popFirst() else { throw refuse("a rail is missing after *") }
        name = next
      }
      guard name.isQuoted || !["+", "-", "*", "/"].contains(name.text) else {
        throw refuse("expected the name of a rail, found '\(name.text)'")
      }
      terms.append(Term(weight: weight, name: name.text))
      sign = nil
    }
    guard sign == nil, !terms.isEmpty else { throw refuse("a rail is missing at the end") }
  }

  struct Word: Hashable {
    var text: String
    var isQuoted: Bool
    var isSign: Bool { !isQuoted && (text == "+" || text == "-") }
  }

  /// Words that are apart by blanks, or in quotes; nil when a quote is left open.
  static func words(_ text: String) -> [Word]? {
    var words: [Word] = []
    var rest = Substring(text)
    while true {
      rest = rest.drop { $0 == " " || $0 == "\t" }
      guard let first = rest.first else { return words }
      if first == "\"" || first == "'" {
        rest = rest.dropFirst()
        guard let end = rest.firstIndex(of: first) else { return nil }
        words.append(Word(text: String(rest[..<end]), isQuoted: true))
        rest = rest[end...].dropFirst()
      } else {
        let word = rest.prefix { $0 != " " && $0 != "\t" }
        words.append(Word(text: String(word), isQuoted: false))
        rest = rest[word.endIndex...]
      }
    }
  }
}

/// A quotient of two rails: `out / in`.
struct RailRatio: Sendable, Hashable {
  var output: String
  var input: String

  /// Reads a quotient.
  ///
  /// - Throws: `configuration` for anything else than two names around a `/`.
  init(_ text: String, of option: String) throws(PlainFailure) {
    guard let words = RailSum.words(text), words.count == 3,
      words[1] == RailSum.Word(text: "/", isQuoted: false)
    else {
      throw PlainFailure(
        .configuration, "\(option): '\(text)' is no quotient of two rails",
        hint: "write 'output / input' with blanks around /; sums of rails get a name in 'rails'")
    }
    (output, input) = (words[0].text, words[2].text)
  }
}
