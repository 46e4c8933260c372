internal import CLibYAML
internal import KelvinModel

/// What limits a file of configuration.
public struct YAMLLimits: Sendable, Hashable {
  /// Bytes of one file.
  public var bytes: Int = 16 << 20
  /// Nodes of one file after its aliases are expanded.
  public var nodes: Int = 2_000_000
  /// Lists and maps within one another.
  public var depth: Int = 200
  /// Files that include one another.
  public var includeDepth: Int = 32

  /// Creates the default limits.
  public init() {}
}

/// Reads YAML 1.1 into located values, through Debian's libyaml; the only file that calls it.
///
/// Not Yams (DESIGN 4.11): that hashes whole trees as keys, which an alias makes exponential, keeps
/// several times the memory for each node, and says only one place of a duplicate key.
struct YAMLReader {
  private var parser = yaml_parser_t()
  private let file: String
  private let limits: YAMLLimits
  private var nodes = 0
  private var anchors: [String: (value: LocatedValue, count: Int)] = [:]
  private(set) var diagnostics: [Diagnostic] = []

  /// Thrown where reading cannot go on.
  private struct Stop: Error { let diagnostic: Diagnostic }

  /// Reads one document.
  ///
  /// - Returns: nil for an empty document or when reading could not go on; diagnostics say which.
  static func read(
    _ bytes: [UInt8], file: String, limits: YAMLLimits, into diagnostics: inout [Diagnostic]
  ) -> LocatedValue? {
    var reader = YAMLReader(file: file, limits: limits)
    var value: LocatedValue?
    do {
      value = try reader.document(bytes)
    } catch let stop as Stop {
      reader.diagnostics.append(stop.diagnostic)
    } catch {
      reader.diagnostics.append(Diagnostic(at: SourceLocation(file: file), "\(error)"))
    }
    diagnostics += reader.diagnostics
    return value
  }

  private init(file: String, limits: YAMLLimits) {
    self.file = file
    self.limits = limits
  }

  private mutating func document(_ bytes: [UInt8]) throws -> LocatedValue? {
    guard yaml_parser_initialize(&parser) == 1 else {
      throw Stop(diagnostic: Diagnostic(at: SourceLocation(file: file), "out of memory"))
    }
    defer { yaml_parser_delete(&parser) }
    return try bytes.withUnsafeBufferPointer { buffer in
      yaml_parser_set_input_string(&parser, buffer.baseAddress, buffer.count)
      yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING)
      var event = try next()
      guard event.kind == .streamStart else { return nil }
      event = try next()
      if event.kind == .streamEnd { return nil }
      let value = try node(try next(), depth: 0)
      _ = try next()  // the document's end
      event = try next()
      if event.kind != .streamEnd {
        diagnostics.append(
          Diagnostic(
            at: event.location, "a second document begins here",
            hint: "keep one document in a file"))
      }
      return value
    }
  }

  // MARK: Events

  private struct Event {
    enum Kind {
      case streamStart, streamEnd, documentStart, documentEnd, alias, scalar, listStart, listEnd,
        mapStart, mapEnd
    }
    var kind: Kind
    var location: SourceLocation
    var text = ""
    var isPlain = false
    var anchor: String?
    var tag: String?
  }

  private mutating func next() throws -> Event {
    var raw = yaml_event_t()
    guard yaml_parser_parse(&parser, &raw) == 1 else { throw Stop(diagnostic: syntaxError()) }
    defer { yaml_event_delete(&raw) }
    let location = SourceLocation(
      file: file, line: raw.start_mark.line + 1, column: raw.start_mark.column + 1)
    func text(_ pointer: UnsafeMutablePointer<yaml_char_t>?) -> String? {
      pointer.map { String(cString: $0) }
    }
    switch raw.type {
    case YAML_STREAM_START_EVENT: return Event(kind: .streamStart, location: location)
    case YAML_DOCUMENT_START_EVENT: return Event(kind: .documentStart, location: location)
    case YAML_DOCUMENT_END_EVENT: return Event(kind: .documentEnd, location: location)
    case YAML_ALIAS_EVENT:
      return Event(kind: .alias, location: location, text: text(raw.data.alias.anchor) ?? "")
    case YAML_SCALAR_EVENT:
      let scalar = raw.data.scalar
      let bytes = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
      return Event(
        kind: .scalar, location: location, text: String(decoding: bytes, as: UTF8.self),
        isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE, anchor: text(scalar.anchor),
        tag: text(scalar.tag))
    case YAML_SEQUENCE_START_EVENT:
      return Event(
        kind: .listStart, location: location, anchor: text(raw.data.sequence_start.anchor))
    case YAML_SEQUENCE_END_EVENT: return Event(kind: .listEnd, location: location)
    case YAML_MAPPING_START_EVENT:
      return Event(
        kind: .mapStart, location: location, anchor: text(raw.data.mapping_start.anchor))
    case YAML_MAPPING_END_EVENT: return Event(kind: .mapEnd, location: location)
    default: return Event(kind: .streamEnd, location: location)
    }
  }

  private func syntaxError() -> Diagnostic {
    let problem = parser.problem.map { String(cString: $0) } ?? "not readable"
    let mark = parser.problem_mark
    let hasMark = parser.error == YAML_SCANNER_ERROR || parser.error == YAML_PARSER_ERROR
    let location =
      hasMark
      ? SourceLocation(file: file, line: mark.line + 1, column: mark.column + 1)
      : SourceLocation(file: file)
    var message = "not valid YAML: \(problem)"
    if parser.error == YAML_READER_ERROR { message += " (byte \(parser.problem_offset))" }
    if let context = parser.context { message += " \(String(cString: context))" }
    if hasMark, parser.context != nil, parser.context_mark.line != mark.line {
      message += " that began in line \(parser.context_mark.line + 1)"
    }
    var hint = ""
    if problem.contains("cannot start any token") {
      hint =
        "YAML is indented with spaces, not tabs, and a text that begins with @, ` or % is quoted"
    } else if problem.contains("mapping values are not allowed") {
      hint = "quote a text that holds ': '"
    }
    return Diagnostic(at: location, message, hint: hint)
  }

  // MARK: Composing

  private mutating func count(_ added: Int, at location: SourceLocation) throws {
    nodes += added
    guard nodes <= limits.nodes else {
      throw Stop(
        diagnostic: Diagnostic(
          at: location, "more than \(limits.nodes) values after aliases are expanded",
          hint: "an alias repeated within aliases grows without bound"))
    }
  }

  private mutating func node(_ event: Event, depth: Int) throws -> LocatedValue {
    guard depth <= limits.depth else {
      throw Stop(
        diagnostic: Diagnostic(
          at: event.location, "lists and maps within more than \(limits.depth) others"))
    }
    let nodesBefore = nodes
    try count(1, at: event.location)
    let value: LocatedValue
    switch event.kind {
    case .alias:
      guard let anchored = anchors[event.text] else {
        throw Stop(
          diagnostic: Diagnostic(at: event.location, "alias '*\(event.text)': no such anchor"))
      }
      try count(anchored.count, at: event.location)
      return anchored.value
    case .scalar:
      let isText = event.tag == "tag:yaml.org,2002:str"
      value = LocatedValue(
        .scalar(.init(event.text, isQuoted: !event.isPlain || isText)), at: event.location)
    case .listStart:
      var elements: [LocatedValue] = []
      while true {
        let event = try next()
        if event.kind == .listEnd { break }
        elements.append(try node(event, depth: depth + 1))
      }
      value = LocatedValue(.list(elements), at: event.location)
    case .mapStart:
      value = LocatedValue(.map(try entries(depth: depth)), at: event.location)
    default:
      throw Stop(diagnostic: Diagnostic(at: event.location, "a value was expected here"))
    }
    // Known only now: an alias within its own anchor is refused as unknown.
    if let anchor = event.anchor { anchors[anchor] = (value, nodes - nodesBefore) }
    return value
  }

  private mutating func entries(depth: Int) throws -> [LocatedValue.Entry] {
    var entries: [LocatedValue.Entry] = []
    var places: [String: SourceLocation] = [:]
    var merged: [LocatedValue.Entry] = []
    while true {
      let key = try next()
      if key.kind == .mapEnd { break }
      guard key.kind == .scalar || key.kind == .alias else {
        throw Stop(
          diagnostic: Diagnostic(at: key.location, "a key must be text, not a list or a map"))
      }
      let name: String
      if key.kind == .alias {
        guard let text = anchors[key.text]?.value.scalar?.text else {
          throw Stop(
            diagnostic: Diagnostic(at: key.location, "a key must be text: alias '*\(key.text)'"))
        }
        name = text
      } else {
        name = key.text
      }
      let value = try node(try next(), depth: depth + 1)
      if name == "<<", key.isPlain {
        try merge(value, into: &merged)
        continue
      }
      if let earlier = places[name] {
        diagnostics.append(
          Diagnostic(
            at: key.location, "key '\(name)' stands here again, first at \(earlier)",
            hint: "remove one of them"))
        continue
      }
      places[name] = key.location
      entries.append(.init(key: name, keyLocation: key.location, value: value))
    }
    // Keys of the map itself win over merged ones, earlier merged maps over later ones.
    for entry in merged where places[entry.key] == nil {
      places[entry.key] = entry.keyLocation
      entries.append(entry)
    }
    return entries
  }

  private mutating func merge(
    _ value: LocatedValue, into merged: inout [LocatedValue.Entry]
  ) throws {
    for source in value.list ?? [value] {
      guard let entries = source.map else {
        throw Stop(
          diagnostic: Diagnostic(
            at: source.location, "'<<' merges maps, not \(source.shortDescription)"))
      }
      try count(entries.count, at: source.location)
      merged += entries
    }
  }
}
