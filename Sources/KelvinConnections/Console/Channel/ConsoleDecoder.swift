/// Finds frames in what a console says, whatever stands around and inside them. Pure: bytes in,
/// checked frames out.
///
/// A frame is one line, but the kernel and other programs write to the same line whenever they like,
/// so three readings are tried on each line that comes:
/// 1. a frame anywhere in it: junk before and behind does not matter, since frames tell their length;
/// 2. what is left when kernel messages (`[` seconds `.` microseconds `]` to the end of the line) are
///    taken out of this line and those before;
/// 3. whole foreign lines of any form were put into a frame at one place, which its length gives.
/// Each reading must pass the same check, so no reading can make up a frame.
package struct ConsoleDecoder {
  package enum Event: Hashable, Sendable {
    case frame(ConsoleFrame)
    /// A frame began and did not pass its check, as far as has come.
    case damaged
    /// A script that was left running calls: a marker and a dot.
    case call
  }

  /// Bytes of a line, or of joined lines, beyond which the front is dropped.
  static let lineLimit = 32_768
  /// Foreign lines in one frame that the third reading bridges.
  private static let bridgedLines = 4

  private let check: ConsoleCheck
  private let session: [UInt8]
  private let marker: [UInt8]
  private let call: [UInt8]
  private var line: [UInt8] = []
  /// What the second reading has of an unfinished frame.
  private var carried: [UInt8] = []
  /// A frame's beginning that the third reading wants to complete.
  private var opened: Opened?

  private struct Opened {
    let bytes: [UInt8]
    let head: Head
    var linesLeft: Int
  }

  /// What stands before the body.
  private struct Head {
    let check: ArraySlice<UInt8>
    let bodyStart: Int
    let bodyCount: Int
    var end: Int { bodyStart + bodyCount }
  }

  /// Creates a decoder for one session's frames.
  package init(session: String, check: ConsoleCheck) {
    self.check = check
    self.session = Array(session.utf8)
    marker = [UInt8(ascii: "~")] + session.utf8 + [UInt8(ascii: " ")]
    call = marker + [UInt8(ascii: ".")]
  }

  /// Takes what came, and gives what it completes.
  package mutating func append(_ bytes: some Sequence<UInt8>) -> [Event] {
    var events: [Event] = []
    for byte in bytes {
      if byte == 10 {
        events += take(line)
        line.removeAll(keepingCapacity: true)
      } else {
        line.append(byte)
        // No frame is so long.
        if line.count > ConsoleDecoder.lineLimit { line.removeFirst(ConsoleDecoder.lineLimit / 2) }
      }
    }
    return events
  }

  private mutating func take(_ line: [UInt8]) -> [Event] {
    let text = line.last == 13 ? line.dropLast() : line[...]
    if text.suffix(call.count).elementsEqual(call) { return [.call] }
    var events: [Event] = []
    let whole = scan(line)
    events += whole.frames.map { .frame($0) }
    if !whole.frames.isEmpty, whole.open == nil {
      (carried, opened) = ([], nil)
      return events
    }
    if let frame = joined(line) ?? bridged(line) {
      (carried, opened) = ([], nil)
      events.append(.frame(frame))
    } else if let open = whole.open {
      if let head = head(of: open, at: 0), head.end > 0 {
        opened = Opened(bytes: open, head: head, linesLeft: ConsoleDecoder.bridgedLines)
      }
      events.append(.damaged)
    }
    return events
  }

  /// All frames of a line, and the last beginning of one that did not pass.
  private func scan(_ bytes: [UInt8]) -> (frames: [ConsoleFrame], open: [UInt8]?) {
    var frames: [ConsoleFrame] = []
    var open: [UInt8]?
    var index = 0
    while let start = find(marker, in: bytes, from: index) {
      if let head = head(of: bytes, at: start), head.end <= bytes.count,
        let frame = frame(bytes, head)
      {
        frames.append(frame)
        open = nil
        index = head.end
      } else {
        open = Array(bytes[start...])
        index = start + marker.count
      }
    }
    return (frames, open)
  }

  /// The second reading. Keeps what stands before a kernel message for the next line.
  private mutating func joined(_ line: [UInt8]) -> ConsoleFrame? {
    if let stamp = KernelStamp.first(in: line) {
      carried += line[..<stamp]
      if carried.count > ConsoleDecoder.lineLimit {
        carried.removeFirst(carried.count - ConsoleDecoder.lineLimit)
      }
      return nil
    }
    guard !carried.isEmpty else { return nil }
    let text = carried + line
    carried = []
    return scan(text).frames.last
  }

  /// The third reading: the frame's first bytes, and all of this line as its last.
  private mutating func bridged(_ line: [UInt8]) -> ConsoleFrame? {
    guard var open = opened else { return nil }
    open.linesLeft -= 1
    opened = open.linesLeft > 0 ? open : nil
    let tail = line.last == 13 ? line.dropLast() : line[...]
    let kept = open.head.end - tail.count
    guard kept >= open.head.bodyStart, kept <= open.bytes.count, !tail.isEmpty else { return nil }
    return frame(open.bytes[..<kept] + tail, open.head)
  }

  private func frame(_ bytes: some RandomAccessCollection<UInt8>, _ head: Head) -> ConsoleFrame? {
    let body = bytes.dropFirst(head.bodyStart).prefix(head.bodyCount)
    guard body.count == head.bodyCount,
      check.word(of: session + body + [10]).elementsEqual(head.check)
    else { return nil }
    return ConsoleFrame(body: body)
  }

  /// Reads `~SSSS CHECK LENGTH ` at `start`.
  private func head(of bytes: [UInt8], at start: Int) -> Head? {
    let blank = UInt8(ascii: " ")
    let rest = bytes[(start + marker.count)...].prefix(48)
    let word = rest.prefix { $0 != blank }
    let digits = rest.dropFirst(word.count + 1).prefix { $0 != blank }
    guard !word.isEmpty, digits.endIndex < rest.endIndex,
      let count: Int = ConsoleFrame.Words.number(digits), count <= ConsoleDecoder.lineLimit
    else { return nil }
    return Head(
      check: Array(word)[...], bodyStart: digits.endIndex + 1, bodyCount: count)
  }

  private func find(_ pattern: [UInt8], in bytes: [UInt8], from start: Int) -> Int? {
    var index = start
    while index + pattern.count <= bytes.count {
      if bytes[index] == pattern[0], bytes[index..<(index + pattern.count)].elementsEqual(pattern) {
        return index
      }
      index += 1
    }
    return nil
  }
}

/// The time stamp that the kernel puts before its messages: `[   12.345678]`.
enum KernelStamp {
  /// Where the first one begins.
  static func first(in bytes: some RandomAccessCollection<UInt8>) -> Int? {
    let array = Array(bytes)
    var index = 0
    while index < array.count {
      if array[index] == UInt8(ascii: "["), isStamp(array, index) { return index }
      index += 1
    }
    return nil
  }

  private static func isStamp(_ bytes: [UInt8], _ start: Int) -> Bool {
    var index = start + 1
    func count(_ accepts: (UInt8) -> Bool) -> Int {
      let begin = index
      while index < bytes.count, accepts(bytes[index]) { index += 1 }
      return index - begin
    }
    _ = count { $0 == UInt8(ascii: " ") }
    guard count({ (48...57).contains($0) }) > 0, index < bytes.count,
      bytes[index] == UInt8(ascii: ".")
    else { return false }
    index += 1
    guard count({ (48...57).contains($0) }) == 6, index < bytes.count else { return false }
    return bytes[index] == UInt8(ascii: "]")
  }
}
