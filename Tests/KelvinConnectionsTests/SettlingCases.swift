extension SettlingConformanceTests {
  /// A file's content, what is wanted of it, and whether that is held.
  struct Case: Sendable {
    let name: String
    let content: [UInt8]
    var wanted: [UInt8]
    var equivalents: [[UInt8]] = []
    var isHeld = true

    init(
      _ name: String, _ content: String, _ wanted: String, or equivalents: [String] = [],
      isHeld: Bool = true
    ) {
      self.name = name
      self.content = Array(content.utf8)
      self.wanted = Array(wanted.utf8)
      self.equivalents = equivalents.map { Array($0.utf8) }
      self.isHeld = isHeld
    }

    init(_ name: String, bytes: [UInt8], _ wanted: [UInt8], isHeld: Bool = true) {
      self.name = name
      content = bytes
      self.wanted = wanted
      self.isHeld = isHeld
    }
  }

  static let cases = [
    Case("same", "performance\n", "performance\n"), Case("bare", "performance\n", "performance"),
    Case("open", "performance", "performance\n"), Case("tail", "1 \t\n\n \n", "1"),
    Case("NUL at the end", bytes: Array("on\n\0\0".utf8), Array("on".utf8)),
    Case("NUL in text", bytes: Array("o\0n\n".utf8), Array("on\n".utf8)),
    Case("other", "powersave\n", "performance\n", isHeld: false),
    Case("longer", "performances\n", "performance\n", isHeld: false),
    Case("blank before", " 1\n", "1\n", isHeld: false),
    Case("more lines", "1\n2\n", "1\n", isHeld: false), Case("lines", "1\n2\n", "1\n2"),
    Case("empty", "", ""), Case("blank", " \n", "\n"), Case("not empty", "x\n", "", isHeld: false),
    Case("chosen", "always [madvise] never\n", "madvise\n"),
    Case("chosen first", "[none] x\n", "none"), Case("chosen last", "mq-deadline [none]\n", "none"),
    Case("chosen alone", "[none]\n", "none"), Case("brackets", "[none]\n", "[none]\n"),
    Case("not chosen", "always [madvise] never\n", "always\n", isHeld: false),
    Case("two chosen", "[a] [b]\n", "a\n", isHeld: false),
    Case("brackets in a word", "x[a] b\n", "a", isHeld: false),
    Case("blank in brackets", "[a b] c\n", "a b\n", isHeld: false),
    Case("choices of two lines", "a\n[b]\n", "b\n", isHeld: false),
    Case("nothing in brackets", "[] a\n", "", isHeld: false),
    Case("brackets reversed", "a] [b\n", "b\n", isHeld: false),
    Case("a pattern in brackets", "[*] a\n", "a", isHeld: false),
    Case("a pattern", "*\n", "abc", isHeld: false), Case("a pattern itself", "[*] x\n", "*"),
    Case(
      "spelled otherwise", "0000,000000ff\n", "ff\n", or: ["00000000,000000ff", "0000,000000ff"]),
    Case("chosen otherwise", "a [b] c\n", "x\n", or: ["b"]),
    Case("quotes", "'\"$HOME`id`\\n%s\\\\\n", "'\"$HOME`id`\\n%s\\\\\n"),
    Case("option", "-n\n", "-n"), Case("test", "(\n", "("), Case("not", "!\n", "!"),
    Case("binary", bytes: [0, 255, 39, 0], [0, 255, 39]),
    Case("other binary", bytes: [255, 39, 10], [0, 255, 39], isHeld: false),
    Case("binary in brackets", bytes: [91, 255, 93, 10], [255], isHeld: false),
    Case("control", bytes: [1, 127, 27, 10], [1, 127, 27]),
    Case("letters", "é🧊\n", "é🧊\n"), Case("other letters", "é\n", "e\u{301}\n", isHeld: false),
    Case("4096", bytes: Array(repeating: 55, count: 4096), Array(repeating: 55, count: 4096)),
    Case(
      "other 4096", bytes: Array(repeating: 55, count: 4096),
      Array(repeating: 55, count: 4095) + [56], isHeld: false),
    Case("4096 written", "x", String(repeating: "y", count: 4096), isHeld: false),
    Case(
      "4096 binary", "x", String(decoding: (0..<4096).map { UInt8($0 & 127) }, as: UTF8.self),
      isHeld: false)
  ]
}
