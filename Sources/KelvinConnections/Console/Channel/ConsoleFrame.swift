/// One checked message from a board: which command it is about, what kind it is, and its words.
///
/// On the line a frame is `~SSSS CHECK LENGTH BODY` and a newline (docs/connections.md): SSSS is the
/// session, LENGTH the bytes of the body in decimal, CHECK that of session and body.
package struct ConsoleFrame: Hashable, Sendable {
  /// The command's number; 0 when the frame is about no command.
  package let id: UInt32
  package let message: Message

  package enum Message: Hashable, Sendable {
    /// The agent runs: the check of its source, its directory (`-`: none could be made), and which
    /// tools the board has.
    case hello(source: String, directory: String, tools: Set<String>)
    /// The command has ended, and this is all it printed.
    case reply(status: Int32, output: [UInt8], error: [UInt8])
    /// The command has ended and printed more than one frame holds: counts and checks of its
    /// streams.
    case long(
      status: Int32, outputCount: Int, errorCount: Int, outputCheck: [UInt8], errorCheck: [UInt8])
    /// Bytes from `index` * `size` on of a stream.
    case piece(stream: Stream, index: Int, size: Int, bytes: [UInt8])
    /// The numbers of the request's lines that have not come.
    case missing([Int])
    /// The command runs.
    case running
    /// The board knows nothing of this command.
    case unknown
    /// The board has seen later commands.
    case past
    /// A line of the agent's own was carried out.
    case evaluated(status: Int32)
    /// The board had no room or memory to start the command, or to note its end.
    case full
    /// A request arrived damaged.
    case refused
    /// The agent ends.
    case bye
  }

  package enum Stream: UInt8, Hashable, Sendable {
    case output = 0x6F  // o
    case error = 0x65  // e
  }

  /// Reads a body whose check was right; nil for what no agent writes.
  package init?(body: some Collection<UInt8>) {
    var words = Words(Array(body))
    guard let id = words.number(UInt32.self), let kind = words.next(), kind.count == 1,
      let letter = kind.first, let message = Message(letter, &words)
    else { return nil }
    self.id = id
    self.message = message
  }

  /// A body's words, which single blanks part; a payload comes last and may hold blanks.
  struct Words {
    private var rest: ArraySlice<UInt8>
    private var hasEnded = false

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    mutating func next() -> ArraySlice<UInt8>? {
      guard !hasEnded else { return nil }
      let word = rest.prefix { $0 != UInt8(ascii: " ") }
      hasEnded = word.count == rest.count
      rest = rest.dropFirst(word.count + 1)
      return word
    }

    mutating func payload() -> ArraySlice<UInt8> {
      defer { hasEnded = true }
      return hasEnded ? [] : rest
    }

    mutating func text() -> String? { next().map { String(decoding: $0, as: UTF8.self) } }

    /// A decimal number without a sign.
    mutating func number<T: FixedWidthInteger>(_: T.Type = T.self) -> T? {
      guard let word = next() else { return nil }
      return Words.number(word)
    }

    static func number<T: FixedWidthInteger>(_ word: ArraySlice<UInt8>) -> T? {
      guard (1...18).contains(word.count) else { return nil }
      var value: Int = 0
      for digit in word {
        guard (48...57).contains(digit) else { return nil }
        value = value * 10 + Int(digit - 48)
      }
      return T(exactly: value)
    }
  }
}

extension ConsoleFrame.Message {
  fileprivate init?(_ letter: UInt8, _ words: inout ConsoleFrame.Words) {
    switch letter {
    case UInt8(ascii: "h"):
      guard let source = words.text(), let directory = words.text() else { return nil }
      var tools: Set<String> = []
      while let tool = words.text() { tools.insert(tool) }
      self = .hello(source: source, directory: directory, tools: tools)
    case UInt8(ascii: "r"):
      guard let status = words.number(Int32.self), let modes = words.next(), modes.count == 2,
        let first = modes.first, let last = modes.last, let count = words.number(Int.self)
      else { return nil }
      let payload = words.payload()
      guard count <= payload.count,
        let output = ConsolePayload.decode(payload.prefix(count), mode: first),
        let error = ConsolePayload.decode(payload.dropFirst(count), mode: last)
      else { return nil }
      self = .reply(status: status, output: output, error: error)
    case UInt8(ascii: "l"):
      guard let status = words.number(Int32.self), let output = words.number(Int.self),
        let error = words.number(Int.self), let outputCheck = words.next(),
        let errorCheck = words.next()
      else { return nil }
      self = .long(
        status: status, outputCount: output, errorCount: error, outputCheck: Array(outputCheck),
        errorCheck: Array(errorCheck))
    case ConsoleFrame.Stream.output.rawValue, ConsoleFrame.Stream.error.rawValue:
      guard let stream = ConsoleFrame.Stream(rawValue: letter),
        let index = words.number(Int.self), let size = words.number(Int.self),
        let modes = words.next(), modes.count == 1, let mode = modes.first,
        let bytes = ConsolePayload.decode(words.payload(), mode: mode)
      else { return nil }
      self = .piece(stream: stream, index: index, size: size, bytes: bytes)
    case UInt8(ascii: "m"):
      var numbers: [Int] = []
      while let word = words.next() {
        guard let number: Int = ConsoleFrame.Words.number(word) else { return nil }
        numbers.append(number)
      }
      self = .missing(numbers)
    case UInt8(ascii: "v"):
      guard let status = words.number(Int32.self) else { return nil }
      self = .evaluated(status: status)
    case UInt8(ascii: "w"): self = .running
    case UInt8(ascii: "u"): self = .unknown
    case UInt8(ascii: "g"): self = .past
    case UInt8(ascii: "x"): self = .full
    case UInt8(ascii: "n"): self = .refused
    case UInt8(ascii: "z"): self = .bye
    default: return nil
    }
  }
}

/// How bytes stand in a frame.
enum ConsolePayload {
  static func decode(_ bytes: ArraySlice<UInt8>, mode: UInt8) -> [UInt8]? {
    switch mode {
    // Text: lines end with a tilde, and what was a tilde is 1.
    case UInt8(ascii: "t"):
      return bytes.map { $0 == UInt8(ascii: "~") ? 10 : $0 == 1 ? UInt8(ascii: "~") : $0 }
    case UInt8(ascii: "b"): return Base64.decode(bytes)
    case UInt8(ascii: "y"): return hex(bytes)
    default: return nil
    }
  }

  private static func hex(_ digits: ArraySlice<UInt8>) -> [UInt8]? {
    guard digits.count % 2 == 0 else { return nil }
    var result: [UInt8] = []
    var high: UInt8?
    for digit in digits {
      let value: UInt8
      switch digit {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): value = digit - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): value = digit - UInt8(ascii: "a") + 10
      default: return nil
      }
      if let first = high {
        result.append(first << 4 | value)
        high = nil
      } else {
        high = value
      }
    }
    return result
  }
}
