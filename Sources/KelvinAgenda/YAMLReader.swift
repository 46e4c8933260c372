internal import CLibYAML

// Why libyaml's event API and not Yams, which DESIGN names: Yams hashes whole aliased nodes when
// they are keys (exponential on hostile input), keeps several times the memory a value needs (the
// goal is 10,000 distinct specs in a process under 64 MB), and reports a duplicate key without the
// place of the first. The composer needs events only. This is the one file that touches the C
// library.

/// One event of a YAML stream and where it stands.
struct YAMLEvent {
  enum Kind {
    case streamStart, streamEnd, documentStart, documentEnd
    case scalar(text: String, isPlain: Bool)
    case alias(String)
    case listStart, listEnd, mapStart, mapEnd
  }

  enum Tag: Equatable {
    /// None, or one that only says what the text says already (`!!int`, `!!map`).
    case none
    /// `!!str` or `!`: never anything but text.
    case text
    /// Written by `wa create agenda` for regular expressions: `FLAGS:PATTERN`.
    case pattern
    case unknown(String)
  }

  var kind: Kind
  /// From 1; columns in characters.
  var line: Int
  var column: Int
  /// In characters from the start of the text.
  var range: Range<Int>
  var anchor: String?
  var tag: Tag = .none
}

/// Where and why the text is not YAML.
struct YAMLSyntaxError: Error {
  var line: Int
  var column: Int
  var problem: String
}

/// Reads YAML events from memory; the one wrapper of libyaml's parser.
struct YAMLReader: ~Copyable {
  private let parser: UnsafeMutablePointer<yaml_parser_t>
  private let text: UnsafeBufferPointer<UInt8>

  /// Starts reading UTF-8 text, which must outlive the reader; nil when memory is short.
  init?(_ text: UnsafeBufferPointer<UInt8>) {
    parser = .allocate(capacity: 1)
    guard yaml_parser_initialize(parser) == 1 else {
      parser.deallocate()
      return nil
    }
    self.text = text
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
    yaml_parser_set_input_string(parser, text.baseAddress, text.count)
  }

  deinit {
    yaml_parser_delete(parser)
    parser.deallocate()
  }

  /// The next event; after an error, or after `streamEnd`, nothing may be read.
  mutating func next() throws(YAMLSyntaxError) -> YAMLEvent {
    var event = yaml_event_t()
    guard yaml_parser_parse(parser, &event) == 1 else { throw syntaxError() }
    defer { yaml_event_delete(&event) }
    let start = event.start_mark
    var result = YAMLEvent(
      kind: .streamEnd, line: start.line + 1, column: start.column + 1,
      range: start.index..<max(start.index, event.end_mark.index))
    switch event.type {
    case YAML_STREAM_START_EVENT: result.kind = .streamStart
    case YAML_DOCUMENT_START_EVENT: result.kind = .documentStart
    case YAML_DOCUMENT_END_EVENT: result.kind = .documentEnd
    case YAML_ALIAS_EVENT: result.kind = .alias(string(event.data.alias.anchor) ?? "")
    case YAML_SCALAR_EVENT:
      let scalar = event.data.scalar
      let bytes = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
      result.kind = .scalar(
        text: String(decoding: bytes, as: UTF8.self),
        isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE)
      result.anchor = string(scalar.anchor)
      result.tag = tag(scalar.tag)
    case YAML_SEQUENCE_START_EVENT:
      result.kind = .listStart
      result.anchor = string(event.data.sequence_start.anchor)
      result.tag = tag(event.data.sequence_start.tag)
    case YAML_SEQUENCE_END_EVENT: result.kind = .listEnd
    case YAML_MAPPING_START_EVENT:
      result.kind = .mapStart
      result.anchor = string(event.data.mapping_start.anchor)
      result.tag = tag(event.data.mapping_start.tag)
    case YAML_MAPPING_END_EVENT: result.kind = .mapEnd
    default: result.kind = .streamEnd
    }
    return result
  }

  private func string(_ bytes: UnsafeMutablePointer<yaml_char_t>?) -> String? {
    bytes.map { String(cString: $0) }
  }

  private func tag(_ bytes: UnsafeMutablePointer<yaml_char_t>?) -> YAMLEvent.Tag {
    guard let tag = string(bytes) else { return .none }
    switch tag {
    case "!", "tag:yaml.org,2002:str": return .text
    case "tag:wa:regex": return .pattern
    case "tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:bool",
      "tag:yaml.org,2002:null", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq",
      "tag:yaml.org,2002:omap":
      return .none
    default: return .unknown(tag)
    }
  }

  private func syntaxError() -> YAMLSyntaxError {
    let problem = parser.pointee.problem.map { String(cString: $0) } ?? "cannot be read"
    if parser.pointee.error == YAML_READER_ERROR {
      // The reader knows only the byte.
      let before = text.prefix(max(0, parser.pointee.problem_offset))
      let line = before.count { $0 == UInt8(ascii: "\n") } + 1
      let start = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
      let column = String(decoding: before[start...], as: UTF8.self).unicodeScalars.count + 1
      return YAMLSyntaxError(line: line, column: column, problem: problem)
    }
    let mark = parser.pointee.problem_mark
    var text = problem
    if let context = parser.pointee.context {
      let place = parser.pointee.context_mark
      text = "\(String(cString: context)) at \(place.line + 1):\(place.column + 1): \(problem)"
    }
    return YAMLSyntaxError(line: mark.line + 1, column: mark.column + 1, problem: text)
  }
}
