internal import CLibExpat

/// The elements of an XML document with their attributes, by Debian's expat; text between them is passed
/// over.
///
/// What a document may be is bounded: its declared entities are refused, since nobody needs them here
/// and they multiply, and so are documents that are deeper or longer than any device describes itself.
struct XMLElements {
  struct Element: Sendable, Hashable {
    /// 0 for the outermost.
    var depth: Int
    var name: String
    var attributes: [String: String]
  }

  /// Why a document cannot be read.
  struct Failure: Error, Sendable, Hashable {
    var reason: String
    /// From 1.
    var line: Int
  }

  /// Reads a whole document.
  static func read(_ bytes: [UInt8], limit: Int = 200_000) throws(Failure) -> [Element] {
    guard let parser = XML_ParserCreate("UTF-8") else {
      throw Failure(reason: "no memory for a parser", line: 1)
    }
    defer { XML_ParserFree(parser) }
    guard let length = Int32(exactly: bytes.count) else {
      throw Failure(reason: "too long", line: 1)
    }
    let collector = Collector(parser, limit: limit)
    XML_SetUserData(parser, Unmanaged.passUnretained(collector).toOpaque())
    XML_SetElementHandler(
      parser,
      { data, name, attributes in Collector.of(data)?.begin(name, attributes) },
      { data, _ in Collector.of(data)?.end() })
    XML_SetEntityDeclHandler(
      parser,
      { data, _, _, _, _, _, _, _, _ in Collector.of(data)?.refuse("it declares an entity") })
    let status = withExtendedLifetime(collector) {
      bytes.withUnsafeBytes {
        XML_Parse(parser, $0.baseAddress?.assumingMemoryBound(to: CChar.self), length, 1)
      }
    }
    guard status == XML_STATUS_OK, collector.refusal == nil else {
      let code = XML_GetErrorCode(parser)
      let reason =
        collector.refusal ?? XML_ErrorString(code).map { String(cString: $0) } ?? "error \(code)"
      throw Failure(reason: reason, line: Int(XML_GetCurrentLineNumber(parser)))
    }
    return collector.elements
  }

  /// What expat's callbacks fill, on the thread that parses.
  private final class Collector {
    private(set) var elements: [Element] = []
    private(set) var refusal: String?
    private let parser: XML_Parser
    private let limit: Int
    private var depth = 0

    init(_ parser: XML_Parser, limit: Int) {
      self.parser = parser
      self.limit = limit
    }

    static func of(_ data: UnsafeMutableRawPointer?) -> Collector? {
      data.map { Unmanaged<Collector>.fromOpaque($0).takeUnretainedValue() }
    }

    func begin(
      _ name: UnsafePointer<CChar>?, _ attributes: UnsafeMutablePointer<UnsafePointer<CChar>?>?
    ) {
      guard refusal == nil, let name else { return }
      guard elements.count < limit else { return refuse("more than \(limit) elements") }
      guard depth < 16 else { return refuse("elements nested more than 16 deep") }
      var found: [String: String] = [:]
      var index = 0
      // Name, value, name, value, to a null pointer.
      while let key = attributes?[index], let value = attributes?[index + 1] {
        found[String(cString: key)] = String(cString: value)
        index += 2
      }
      elements.append(Element(depth: depth, name: String(cString: name), attributes: found))
      depth += 1
    }

    func end() { depth -= 1 }

    func refuse(_ reason: String) {
      guard refusal == nil else { return }
      refusal = reason
      XML_StopParser(parser, 0)
    }
  }
}
