public import KelvinModel

/// One file that ``Connection/settle(_:until:)`` looks at, and what it is to hold.
public struct ValueStep: Sendable, Hashable {
  public var path: TargetPath
  /// Written in one write(2), to the byte; nil: the file is only read, a witness.
  public var wanted: [UInt8]?
  /// Written even when the file reads so already: its reading says nothing of what was written.
  public var isAlwaysWritten: Bool
  /// Other spellings of ``wanted``, for which nothing is written: a mask with its zeros, say.
  public var equivalents: [[UInt8]]

  /// Creates a step that writes bytes, or a witness.
  public init(
    _ path: TargetPath, wanted: [UInt8]? = nil, isAlwaysWritten: Bool = false,
    equivalents: [[UInt8]] = []
  ) {
    self.path = path
    self.wanted = wanted
    self.isAlwaysWritten = isAlwaysWritten
    self.equivalents = equivalents
  }

  /// Creates a step that writes a line, as echo(1) does: the text and a newline.
  public init(
    _ path: TargetPath, line: String, isAlwaysWritten: Bool = false, equivalents: [String] = []
  ) {
    self.init(
      path, wanted: Array(line.utf8) + [10], isAlwaysWritten: isAlwaysWritten,
      equivalents: equivalents.map { Array($0.utf8) })
  }

  /// Whether a file that reads so holds what is wanted; a witness is content with anything.
  ///
  /// Whitespace at the end (newlines, blanks, NUL bytes) does not count. A line with one word in
  /// brackets, `always [madvise] never`, holds that word. NUL bytes within do not count either, unless
  /// what is wanted has bytes that are no printable ASCII: then all bytes do, and brackets are bytes.
  public func isMet(by value: [UInt8]) -> Bool {
    guard wanted != nil else { return true }
    let forms = forms
    guard !isBinary else { return forms.contains(ValueStep.trimmed(value)) }
    let text = ValueStep.trimmed(value.filter { $0 != 0 })
    return forms.contains(text) || ValueStep.choice(in: text).map(forms.contains) == true
  }

  /// What may be read where ``wanted`` is held, without whitespace at the end.
  var forms: [[UInt8]] {
    ((wanted.map { [$0] } ?? []) + equivalents).map { ValueStep.trimmed($0[...]) }
  }

  /// Whether bytes are compared as they are, not as text.
  var isBinary: Bool { !forms.allSatisfy(ValueStep.isText) }

  /// Whether bytes pass through the variables of any shell unharmed.
  static func isText(_ bytes: [UInt8]) -> Bool {
    bytes.allSatisfy { (0x20...0x7E).contains($0) || $0 == 9 || $0 == 10 }
  }

  static func trimmed(_ bytes: [UInt8]) -> [UInt8] { trimmed(bytes[...]) }

  private static func trimmed(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
    guard let last = bytes.lastIndex(where: { $0 != 32 && $0 != 9 && $0 != 10 && $0 != 0 })
    else { return [] }
    return Array(bytes[...last])
  }

  /// The one word in brackets of a line; nil when there is none, or more than one.
  private static func choice(in line: [UInt8]) -> [UInt8]? {
    let (open, close) = (UInt8(ascii: "["), UInt8(ascii: "]"))
    guard let start = line.firstIndex(of: open), let end = line.lastIndex(of: close),
      start + 1 < end, line.lastIndex(of: open) == start, line.firstIndex(of: close) == end,
      !line.contains(10)
    else { return nil }
    let word = line[(start + 1)..<end]
    let isBlank: (UInt8) -> Bool = { $0 == 32 || $0 == 9 }
    guard !word.contains(where: isBlank), start == 0 || isBlank(line[start - 1]),
      end == line.count - 1 || isBlank(line[end + 1])
    else { return nil }
    return Array(word)
  }
}

/// What became of a ``ValueStep``.
public struct ValueOutcome: Sendable, Hashable {
  /// Whether something was written.
  public enum Writing: Sendable, Hashable {
    /// Nothing was: the file held the value, or is a witness.
    case notNeeded
    case done
    /// The kernel's answer.
    case failed(Errno)
  }

  /// What the file held when its turn came.
  public var before: Result<[UInt8], Errno>
  public var writing: Writing
  /// What it held after all steps: what a later one does to it shows here.
  public var after: Result<[UInt8], Errno>

  /// Creates an outcome.
  public init(
    before: Result<[UInt8], Errno>, writing: Writing, after: Result<[UInt8], Errno>
  ) {
    self.before = before
    self.writing = writing
    self.after = after
  }
}
