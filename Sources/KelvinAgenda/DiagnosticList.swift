internal import KelvinModel

/// Collects mistakes: each once, bounded in number, in the order of the files at the end.
struct DiagnosticList {
  /// More mistakes than this are only counted.
  static let limit = 1000

  private var found: [Diagnostic] = []
  private var seen: Set<Diagnostic> = []
  private var omitted = 0
  private var omittedAt = SourceLocation(file: "")
  /// Whether no plan can be made.
  private(set) var blocksPlan = false
  /// Mistakes count as warnings: in the config file that belongs to WA.
  var isLenient = false

  /// Whether further mistakes are only counted, so that hints need not be looked for.
  var isFull: Bool { found.count >= DiagnosticList.limit }

  /// Records a mistake; after one that does not block the plan, `kelvin plan` can still show it.
  mutating func error(
    _ location: SourceLocation, _ message: String, hint: String = "", blocksPlan: Bool = true
  ) {
    add(Diagnostic(at: location, message, hint: hint), blocksPlan: blocksPlan)
  }

  /// Records something doubtful.
  mutating func warning(_ location: SourceLocation, _ message: String, hint: String = "") {
    add(Diagnostic(.warning, at: location, message, hint: hint))
  }

  /// Records what `body` appends, and gives its result.
  mutating func collect<Result>(_ body: (inout [Diagnostic]) -> Result) -> Result {
    var added: [Diagnostic] = []
    let result = body(&added)
    for diagnostic in added { add(diagnostic) }
    return result
  }

  mutating func add(_ diagnostic: Diagnostic, blocksPlan: Bool = true) {
    var diagnostic = diagnostic
    if isLenient, diagnostic.severity == .error {
      diagnostic.severity = .warning
      diagnostic.message += " (ignored: this file belongs to WA)"
    }
    if diagnostic.severity == .error, blocksPlan { self.blocksPlan = true }
    guard seen.insert(diagnostic).inserted else { return }
    guard !isFull else {
      seen.remove(diagnostic)
      omitted += 1
      omittedAt = SourceLocation(file: diagnostic.location.file)
      return
    }
    found.append(diagnostic)
  }

  /// Everything found, by file in the order of `files`, then by line and column; places outside
  /// all files (the command line) first.
  func sorted(files: [String]) -> [Diagnostic] {
    let order = Dictionary(
      files.enumerated().map { ($0.element, $0.offset) }, uniquingKeysWith: { first, _ in first })
    func rank(_ location: SourceLocation) -> (Int, Int, Int) {
      (order[location.file] ?? -1, location.line, location.column)
    }
    let ranked = found.enumerated().sorted {
      let (left, right) = (rank($0.element.location), rank($1.element.location))
      return left == right ? $0.offset < $1.offset : left < right
    }
    var result = ranked.map(\.element)
    if omitted > 0 {
      result.append(
        Diagnostic(
          blocksPlan ? .error : .warning, at: omittedAt,
          "\(omitted) more mistakes are not listed", hint: "mend the first ones and try again"))
    }
    return result
  }
}
