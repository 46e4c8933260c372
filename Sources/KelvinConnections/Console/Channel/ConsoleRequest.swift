/// Writes the lines that a board's agent reads. Pure: values in, lines out.
///
/// A line is `#SSSS CHECK BODY` and a newline. Nothing in it does anything when a shell reads it in
/// place of the agent, whichever of its bytes are lost: `#` begins a comment, and behind it stand no
/// characters that part, pipe or redirect commands, and words whose letters have changed case.
package struct ConsoleRequest: Sendable {
  package let session: String
  package let check: ConsoleCheck
  /// Bytes of text in a line: fewer where lines are lost, since only whole ones count. The
  /// canonical mode of terminals takes lines of 4,095 bytes, and some shells half a kilobyte.
  package var room = 400

  /// Creates a writer for one session.
  package init(session: String, check: ConsoleCheck) {
    self.session = session
    self.check = check
  }

  /// A line with this body.
  package func line(_ body: some Sequence<UInt8>) -> [UInt8] {
    let body = Array(body)
    return [UInt8(ascii: "#")] + session.utf8 + [UInt8(ascii: " ")]
      + check.word(of: session.utf8 + body + [10]) + [UInt8(ascii: " ")] + body + [10]
  }

  /// A command's lines, in the order of their numbers: its script, and what it reads.
  ///
  /// - Parameter base64: whether the board can decode base 64; the shorter form is taken.
  package func command(
    _ id: UInt32, script: [UInt8], input: [UInt8]?, base64: Bool
  ) -> [[UInt8]] {
    var pieces: [(mode: UInt8, text: ArraySlice<UInt8>)] = []
    func add(_ bytes: [UInt8], _ text: UInt8, _ base: UInt8) {
      var encoded = ConsoleRequest.text(bytes)
      var mode = text
      if base64, (bytes.count + 2) / 3 * 4 < encoded.count {
        (encoded, mode) = (Base64.encode(bytes), base)
      }
      var rest = encoded[...]
      while !rest.isEmpty {
        pieces.append((mode, rest.prefix(room)))
        rest = rest.dropFirst(room)
      }
    }
    // The board's shell drops newlines at a text's end, and a piece is a word, which is never empty.
    var script = script[...]
    while script.last == 10 { script.removeLast() }
    if script.isEmpty { script = [UInt8(ascii: ":")] }
    add(Array(script), UInt8(ascii: "t"), UInt8(ascii: "b"))
    let input = input ?? []
    if !input.isEmpty { add(input, UInt8(ascii: "T"), UInt8(ascii: "B")) }
    let counts = "\(script.count) \(input.count)"
    return pieces.enumerated().map { index, piece in
      line(
        Array("\(id) p \(index) \(pieces.count) \(counts) ".utf8) + [piece.mode, 0x20] + piece.text)
    }
  }

  /// Asks how a command stands; the answer is its reply when it has ended.
  ///
  /// - Parameter inPieces: have only the head of the reply, however short it is: its pieces are
  ///   shorter, and more of them get through much noise.
  package func query(_ id: UInt32, inPieces: Bool = false) -> [UInt8] {
    line("\(id) q\(inPieces ? " l" : "")".utf8)
  }

  /// Asks for the pieces `range` of `size` bytes of a stream of `count` bytes.
  package func pieces(
    _ id: UInt32, _ stream: ConsoleFrame.Stream, count: Int, range: Range<Int>, size: Int,
    plain: Bool
  ) -> [UInt8] {
    let letter = String(UnicodeScalar(stream.rawValue))
    return line(
      "\(id) g \(letter) \(count) \(range.lowerBound) \(range.upperBound) \(size)\(plain ? " y" : "")"
        .utf8)
  }

  /// Has the agent itself carry out a line; what it does must bear being done twice.
  package func evaluate(_ id: UInt32, _ script: String) -> [UInt8] {
    line(Array("\(id) v t ".utf8) + ConsoleRequest.text(Array(script.utf8)))
  }

  /// Has the agent greet again.
  package func hello() -> [UInt8] { line("0 h".utf8) }

  /// Ends the agent.
  package func quit() -> [UInt8] { line("0 z".utf8) }

  /// Bytes as text that holds no blank: letters change case, a blank is `@`, and what could do
  /// something in a shell is an octal escape of printf's `%b`.
  static func text(_ bytes: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    for byte in bytes {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"):
        result.append(byte ^ 0x20)
      case UInt8(ascii: " "): result.append(UInt8(ascii: "@"))
      case _ where isPlain[Int(byte)]: result.append(byte)
      default:
        result += [
          UInt8(ascii: "\\"), 48, 48 + byte >> 6, 48 + byte >> 3 & 7, 48 + byte & 7
        ]
      }
    }
    return result
  }

  private static let isPlain: [Bool] = {
    var table = [Bool](repeating: false, count: 256)
    for byte in "0123456789_./:,=+%^-'\"{}[]*?~$".utf8 { table[Int(byte)] = true }
    return table
  }()
}
