internal import KelvinModel

/// Builds located values from events, with a stack of its own instead of recursion.
///
/// An alias shares the value it names, so it costs no memory here; but whoever walks the result
/// walks it as often as it is named. So values are counted as if copied, and the count is limited.
struct YAMLComposer: ~Copyable {
  private var reader: YAMLReader
  private let file: String
  private let limits: AgendaRequest.Limits
  private var document = YAMLDocument()
  private var frames: [Frame] = []
  private var anchors: [String: Anchor] = [:]
  /// Anchors of the lists and maps that are being read.
  private var openAnchors: [String: Int] = [:]

  private struct Anchor {
    var value: LocatedValue
    var valueCount: Int
    var height: Int
  }

  /// A list or map that is being read.
  private struct Frame {
    var isMap: Bool
    var location: SourceLocation
    var anchor: String?
    /// Values before this one.
    var countBefore: Int
    /// Of the tallest child so far.
    var height = 0
    var list: [LocatedValue] = []
    var map = MapBuilder()
  }

  init(reader: consuming YAMLReader, file: String, limits: AgendaRequest.Limits) {
    self.reader = reader
    self.file = file
    self.limits = limits
  }

  /// Reads to the end of the text.
  mutating func compose() throws(YAMLFailure) -> YAMLDocument {
    var documents = 0
    while true {
      let event: YAMLEvent
      do throws(YAMLSyntaxError) {
        event = try reader.next()
      } catch {
        let place = SourceLocation(file: file, line: error.line, column: error.column)
        throw YAMLFailure(place, "not valid YAML: \(error.problem)")
      }
      switch event.kind {
      case .streamStart, .documentEnd: break
      case .streamEnd: return document
      case .documentStart:
        documents += 1
        guard documents == 1 else {
          throw YAMLFailure(
            place(event), "a second document starts here",
            hint: "write one document to a file, without '---' between parts")
        }
      default: try take(event)
      }
    }
  }

  private func place(_ event: YAMLEvent) -> SourceLocation {
    SourceLocation(file: file, line: event.line, column: event.column)
  }

  private mutating func take(_ event: YAMLEvent) throws(YAMLFailure) {
    let location = place(event)
    if case .unknown(let tag) = event.tag {
      throw YAMLFailure(
        location, "tag \(LocatedValue.quoted(tag)) is not understood", hint: "remove it")
    }
    switch event.kind {
    case .scalar(let text, let isPlain):
      try count(1, at: location)
      let value = LocatedValue(.scalar(scalar(text, isPlain, event.tag)), at: location)
      noteSecret(event)
      try finish(value, anchor: event.anchor, valueCount: 1, height: 0)
    case .listStart, .mapStart:
      try count(1, at: location)
      guard frames.last?.map.isExpectingKey != true else {
        throw YAMLFailure(
          location, "a key must be a word, not a list or map",
          hint: "quote text that starts with '[' or '{'")
      }
      guard frames.count < limits.nesting else { throw tooDeep(location) }
      if let anchor = event.anchor { openAnchors[anchor, default: 0] += 1 }
      var isMap = false
      if case .mapStart = event.kind { isMap = true }
      var frame = Frame(
        isMap: isMap, location: location, anchor: event.anchor,
        countBefore: document.valueCount - 1)
      frame.map.isExpectingKey = isMap
      frames.append(frame)
    case .listEnd, .mapEnd:
      guard let frame = frames.popLast() else { return }
      if let anchor = frame.anchor { openAnchors[anchor, default: 1] -= 1 }
      let content: LocatedValue.Content =
        frame.isMap ? .map(frame.map.finish(&document.diagnostics)) : .list(frame.list)
      try finish(
        LocatedValue(content, at: frame.location), anchor: frame.anchor,
        valueCount: document.valueCount - frame.countBefore, height: frame.height + 1)
    case .alias(let name): try takeAlias(name, at: location)
    default: break
    }
  }

  private func scalar(
    _ text: String, _ isPlain: Bool, _ tag: YAMLEvent.Tag
  ) -> LocatedValue.Scalar {
    guard tag == .pattern else { return .init(text, isQuoted: !isPlain || tag == .text) }
    let pattern = text.firstIndex(of: ":").map { text[text.index(after: $0)...] } ?? text[...]
    return .init(String(pattern), isQuoted: true)
  }

  private mutating func takeAlias(_ name: String, at location: SourceLocation) throws(YAMLFailure) {
    let shown = LocatedValue.quoted("*" + name)
    guard openAnchors[name, default: 0] == 0 else {
      throw YAMLFailure(location, "alias \(shown) stands inside the value that it names")
    }
    guard let anchor = anchors[name] else {
      throw YAMLFailure(
        location, "alias \(shown) names no anchor before it",
        hint: NearestName.of(name, in: anchors.keys.sorted()).map { "did you mean '*\($0)'?" } ?? ""
      )
    }
    guard frames.count + anchor.height <= limits.nesting else { throw tooDeep(location) }
    let total = document.valueCount.addingReportingOverflow(anchor.valueCount)
    guard !total.overflow, total.partialValue <= limits.values else {
      throw YAMLFailure(
        location,
        "alias \(shown) expands the file to more than \(limits.values) values",
        hint: "aliases of aliases multiply; write the values out")
    }
    document.valueCount = total.partialValue
    try place(anchor.value, at: location, height: anchor.height)
  }

  private func tooDeep(_ location: SourceLocation) -> YAMLFailure {
    YAMLFailure(location, "lists and maps are nested more than \(limits.nesting) levels deep")
  }

  private mutating func count(_ values: Int, at location: SourceLocation) throws(YAMLFailure) {
    document.valueCount += values
    guard document.valueCount <= limits.values else {
      throw YAMLFailure(location, "the file holds more than \(limits.values) values")
    }
  }

  private mutating func noteSecret(_ event: YAMLEvent) {
    guard let frame = frames.last, frame.isMap, !frame.map.isExpectingKey,
      YAMLDocument.secretKeys.contains(frame.map.pendingKey)
    else { return }
    document.secrets.append(event.range)
  }

  /// A value is complete: remembers its anchor and puts it where it belongs.
  private mutating func finish(
    _ value: LocatedValue, anchor: String?, valueCount: Int, height: Int
  ) throws(YAMLFailure) {
    if let anchor {
      anchors[anchor] = Anchor(value: value, valueCount: valueCount, height: height)
    }
    try place(value, at: value.location, height: height)
  }

  /// - Parameter location: of the value, or of the alias that stands for it.
  private mutating func place(
    _ value: LocatedValue, at location: SourceLocation, height: Int
  ) throws(YAMLFailure) {
    guard let top = frames.indices.last else {
      document.root = value
      document.height = height
      return
    }
    frames[top].height = max(frames[top].height, height)
    guard frames[top].isMap else {
      frames[top].list.append(value)
      return
    }
    try frames[top].map.take(value, at: location)
    if frames[top].map.pendingKey == YAMLDocument.includeKey { document.hasIncludes = true }
  }
}
