internal import KelvinModel

extension ConsoleChannel {
  /// Bytes of a stream that are asked for at once; the board listens to nothing else meanwhile.
  private static let window = 24_576
  private static let largestPiece = 3840
  static let smallestPiece = 120

  /// Fetches a stream of a command that has ended, and checks it as a whole.
  func fetch(
    _ stream: ConsoleFrame.Stream, count: Int, check word: [UInt8], limit: Int,
    until deadline: Deadline
  ) throws(ConnectionFailure) -> [UInt8] {
    let wanted = min(count, limit)
    guard wanted > 0 else { return [] }
    for isPlain in [false, true] {
      var fetch = Fetch(stream: stream, count: count, wanted: wanted, isPlain: isPlain)
      while fetch.bytes.count < wanted { try window(&fetch, until: deadline) }
      let bytes = Array(fetch.bytes.prefix(wanted))
      if wanted < count || request.check.word(of: bytes) == word { return bytes }
    }
    throw ConnectionFailure(
      .system(.io), "\(link.name): a command's output changed while it was fetched",
      hint: "does something that the command left running still write to it?")
  }

  /// A stream that is being fetched, and what stands firm of it.
  private struct Fetch {
    let stream: ConsoleFrame.Stream
    let count: Int
    let wanted: Int
    var isPlain: Bool
    var bytes: [UInt8] = []
    /// Requests in a row that brought nothing, and those that were not answered at all.
    var unanswered = 0
    var silent = 0
  }

  /// Fetches the next pieces, those again that do not come, until all of them are there.
  private func window(_ fetch: inout Fetch, until deadline: Deadline) throws(ConnectionFailure) {
    let size = pieceSize
    let first = fetch.bytes.count / size
    let end = min(fetch.bytes.count + ConsoleChannel.window, fetch.wanted)
    let last = (end + size - 1) / size
    var pieces = [[UInt8]?](repeating: nil, count: last - first)
    let damagesBefore = counts.damagedFrames
    var rounds = 0
    while let start = pieces.firstIndex(where: { $0 == nil }) {
      // One request for each run of missing pieces; short gaps are fetched with it.
      var stop = start + 1
      for index in pieces.indices where pieces[index] == nil && index <= stop + 2 {
        stop = max(stop, index + 1)
      }
      let before = pieces.count { $0 != nil }
      let damages = counts.damagedFrames
      let isHeard = try receive(&pieces, start..<stop, first, size, fetch, until: deadline)
      let came = pieces.count { $0 != nil } - before
      fetch.unanswered = came > 0 ? 0 : fetch.unanswered + 1
      // A damaged answer is one: the board is there.
      fetch.silent = isHeard || counts.damagedFrames > damages ? 0 : fetch.silent + 1
      guard fetch.silent < 12, fetch.unanswered < 200 else {
        throw lost("it answers nothing about a command's output")
      }
      rounds += 1
      // Something on the way may not bear text, or so long a line.
      if fetch.unanswered == 2 { fetch.isPlain = true }
      if fetch.unanswered > 0, fetch.unanswered % 3 == 0, pieceSize > ConsoleChannel.smallestPiece {
        pieceSize /= 2
        return
      }
    }
    for piece in pieces { fetch.bytes += piece ?? [] }
    adapt(damages: counts.damagedFrames - damagesBefore, of: pieces.count, at: fetch.bytes.count)
  }

  /// Asks for pieces and takes what comes until the last of them, or nothing more.
  ///
  /// - Returns: whether the board has answered at all: it may still be busy with what it was asked
  ///   before, in pieces of another size, and to ask a busy board again only makes it busier.
  private func receive(
    _ pieces: inout [[UInt8]?], _ range: Range<Int>, _ first: Int, _ size: Int, _ fetch: Fetch,
    until deadline: Deadline
  ) throws(ConnectionFailure) -> Bool {
    let line = request.pieces(
      id, fetch.stream, count: fetch.count,
      range: (first + range.lowerBound)..<(first + range.upperBound), size: size,
      plain: fetch.isPlain)
    try send((fetch.unanswered > 0 ? [10] : []) + line, until: deadline)
    var patience = deadline.limited(toSeconds: answerTime(2 * size))
    var isHeard = false
    while true {
      guard let event = try next(until: patience) else {
        try check(deadline)
        counts.queries += 1
        return isHeard
      }
      guard case .frame(let frame) = event else { continue }
      if frame.message == .bye { throw lost("its agent has ended") }
      if frame.id == 0, frame.message == .refused { return true }
      guard frame.id == id else { continue }
      isHeard = true
      patience = deadline.limited(toSeconds: answerTime(2 * size))
      guard
        case .piece(fetch.stream, let index, size, let bytes) = frame.message,
        pieces.indices.contains(index - first),
        bytes.count == min(size, fetch.count - index * size)
      else { continue }
      pieces[index - first] = bytes
      // The last one that was asked for: nothing more will come.
      if index - first == range.upperBound - 1 { return true }
    }
  }

  /// Shorter pieces where many are damaged, longer ones where none is: each costs the board three
  /// processes.
  private func adapt(damages: Int, of count: Int, at offset: Int) {
    if damages * 4 > count, pieceSize > ConsoleChannel.smallestPiece {
      pieceSize /= 2
    } else if damages == 0, count >= 4, 2 * pieceSize <= ConsoleChannel.largestPiece,
      offset % (2 * pieceSize) == 0
    {
      pieceSize *= 2
    }
  }
}
