internal import KelvinModel

/// A YAML text as located values.
struct YAMLDocument {
  /// Nil when the text holds no document.
  var root: LocatedValue?
  /// Values in it, counted after aliases are expanded.
  var valueCount = 0
  /// Levels of lists and maps; 0 for a scalar.
  var height = 0
  var hasIncludes = false
  /// Where values of secret keys stand, in characters from the start of the text.
  var secrets: [Range<Int>] = []
  /// Mistakes that do not end the reading: duplicate keys.
  var diagnostics: [Diagnostic] = []
}

/// A mistake that ends the reading of a file at its place.
struct YAMLFailure: Error {
  var diagnostic: Diagnostic

  init(_ location: SourceLocation, _ message: String, hint: String = "") {
    diagnostic = Diagnostic(at: location, message, hint: hint)
  }
}

extension YAMLDocument {
  /// The key that names files to include.
  static let includeKey = "include#"
  /// Keys whose values are kept out of the copy of the agenda in the store.
  static let secretKeys: Set<String> = ["password", "passphrase"]

  /// Reads one document.
  ///
  /// - Parameters:
  ///   - file: names the text in locations.
  ///   - limits: values and nesting count.
  init(text: String, file: String, limits: AgendaRequest.Limits) throws(YAMLFailure) {
    try YAMLDocument.refuseManyDirectives(text, file: file)
    var text = text
    let composed = text.withUTF8 { bytes -> Result<YAMLDocument, YAMLFailure> in
      do throws(YAMLFailure) {
        guard let reader = YAMLReader(bytes) else {
          throw YAMLFailure(SourceLocation(file: file), "out of memory")
        }
        var composer = YAMLComposer(reader: reader, file: file, limits: limits)
        return .success(try composer.compose())
      } catch {
        return .failure(YAMLDocument.explain(error, bytes))
      }
    }
    self = try composed.get()
  }

  /// libyaml compares each %TAG directive with all before it, so a file of nothing else would take
  /// hours; nobody needs one.
  private static func refuseManyDirectives(
    _ text: String, file: String
  ) throws(YAMLFailure) {
    var line = 1
    var count = 0
    var isAtLineStart = true
    for byte in text.utf8 {
      if isAtLineStart, byte == UInt8(ascii: "%") {
        count += 1
        guard count <= 100 else {
          throw YAMLFailure(
            SourceLocation(file: file, line: line, column: 1),
            "more than 100 lines start with '%'", hint: "YAML directives are not needed here")
        }
      }
      isAtLineStart = byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
      if byte == UInt8(ascii: "\n") { line += 1 }
    }
  }

  /// Adds what to do to the syntax errors that people meet.
  private static func explain(
    _ failure: YAMLFailure, _ bytes: UnsafeBufferPointer<UInt8>
  ) -> YAMLFailure {
    var failure = failure
    guard failure.diagnostic.hint.isEmpty else { return failure }
    let place = failure.diagnostic.location.line
    // The line named, or the one before it, which is where an unexpected end was caused.
    let lines = bytes.split(
      separator: UInt8(ascii: "\n"), maxSplits: max(1, place), omittingEmptySubsequences: false)
    func isIndentedByTab(_ line: Int) -> Bool {
      guard line >= 1, line <= lines.count else { return false }
      return lines[line - 1].prefix { $0 == 0x20 || $0 == 0x09 }.contains(0x09)
    }
    let message = failure.diagnostic.message
    if let line = [place, place - 1].first(where: isIndentedByTab) {
      failure.diagnostic.hint = "line \(line) is indented with a tab; YAML takes spaces only"
    } else if message.contains("mapping values are not allowed") {
      failure.diagnostic.hint = "check the indentation, and quote text that contains ': '"
    } else if message.contains("cannot start any token") {
      failure.diagnostic.hint = "quote text that starts with this character"
    } else if message.contains("did not find expected") {
      failure.diagnostic.hint = "check the indentation, brackets and quotes up to here"
    }
    return failure
  }
}
