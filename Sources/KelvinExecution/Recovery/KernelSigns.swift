internal import Glibc
public import KelvinModel

/// Finds the signs in what a kernel logs, on a console or by dmesg, from text that comes in pieces.
///
/// A sign is known when its line has ended. What is kept is bounded, whatever comes: 1024 bytes of a
/// line, ``limit`` signs (and a few fatal ones more), ``reportLimit`` bytes of each report; all
/// are counted. Pure; costs no more than the bytes' time.
public struct KernelSigns: Sendable {
  /// The signs in the order in which they came. The last one's report may still grow.
  public private(set) var signs: [KernelSign] = []
  /// How many there were of each kind, those that were not kept included.
  public private(set) var counts: [KernelSign.Kind: Int] = [:]
  /// How many tell of trouble that is more than a note.
  public private(set) var alarmCount = 0

  /// Signs that are kept; beyond that only fatal ones are, a few.
  public static let limit = 64
  /// Bytes of a report that are kept.
  public static let reportLimit = 32_768
  private static let lineLimit = 1024
  private static let shownBytes = 240

  private var line: [UInt8] = []
  /// Whether the line was looked at before its end, and a sign was found.
  private var isNoted = false
  private var report: KernelReport?
  /// Where the report is kept; nil when it is not.
  private var index: Int?
  /// The line before, when it announces a report.
  private var announcement: [UInt8] = []

  /// Creates a scanner that has seen nothing.
  public init() {}

  /// Scans a whole text, such as a kernel log's.
  public init(_ text: [UInt8]) {
    self.init()
    take(text)
    finish()
  }

  /// Takes the next piece.
  ///
  /// - Parameter time: when it arrived.
  public mutating func take(_ bytes: [UInt8], at time: MonotonicTime = .now) {
    var begin = 0
    while begin < bytes.count {
      let end = KernelSigns.lineEnd(bytes, from: begin)
      let room = KernelSigns.lineLimit - line.count
      if room > 0 { line.append(contentsOf: bytes[begin..<min(end, begin + room)]) }
      if end < bytes.count { endLine(at: time) }
      begin = end + 1
    }
  }

  /// Takes what has come as a whole line; at the end of the text.
  public mutating func finish(at time: MonotonicTime = .now) {
    if !line.isEmpty { endLine(at: time) }
    report = nil
    index = nil
    announcement = []
  }

  /// Looks at a line that has not ended, for when nothing more comes: a board that panics may not get
  /// to the line's end.
  public mutating func glance(at time: MonotonicTime = .now) {
    guard !isNoted, !line.isEmpty else { return }
    for message in KernelLine(line).messages {
      guard let phrase = KernelPhrase(message), phrase.isPanic else { continue }
      note(phrase, message, whole: KernelLine(line).bytes, at: time)
      isNoted = true
      return
    }
  }

  // MARK: Lines

  /// The next line feed or carriage return; the count when there is none.
  private static func lineEnd(_ bytes: [UInt8], from begin: Int) -> Int {
    bytes.withUnsafeBytes { buffer in
      guard let base = buffer.baseAddress else { return buffer.count }
      // Piece by piece: a text of carriage returns alone must not be searched to its end for each.
      for start in stride(from: begin, to: buffer.count, by: 4096) {
        let count = min(4096, buffer.count - start)
        let feed = memchr(base + start, 10, count).map { UnsafeRawPointer($0) - base }
        let limit = feed.map { $0 - start } ?? count
        let back = memchr(base + start, 13, limit).map { UnsafeRawPointer($0) - base }
        if let end = back ?? feed { return end }
      }
      return buffer.count
    }
  }

  private mutating func endLine(at time: MonotonicTime) {
    defer {
      line.removeAll(keepingCapacity: true)
      isNoted = false
    }
    guard !line.isEmpty else { return }
    let whole = KernelLine(line)
    if isNoted {
      // The sign is there; its line is known to the end now.
      if let index, let message = whole.messages.first(where: { KernelPhrase($0) != nil }) {
        signs[index].line = KernelSigns.shown(message.text)
        signs[index].report = []
        append(whole.bytes)
      }
      return
    }
    for message in whole.messages {
      guard let phrase = KernelPhrase(message) else { continue }
      note(phrase, message, whole: whole.bytes, at: time)
      return
    }
    guard let first = whole.messages.first else { return }
    if report != nil { step(first, whole.bytes) }
    announcement =
      report == nil && KernelReport.isBeginning(first.text) ? whole.bytes : []
  }

  private mutating func step(_ message: KernelLine.Message, _ bytes: [UInt8]) {
    switch report?.step(message) {
    case .takes: append(bytes)
    case .ends:
      append(bytes)
      report = nil
      index = nil
    case .over:
      report = nil
      index = nil
    case .passes, nil: break
    }
  }

  // MARK: Signs

  private mutating func note(
    _ phrase: KernelPhrase, _ message: KernelLine.Message, whole: [UInt8], at time: MonotonicTime
  ) {
    if let report, report.includes(phrase) {
      return report.isWhole ? append(whole) : step(message, whole)
    }
    counts[phrase.kind, default: 0] += 1
    if phrase.kind.isTrouble, phrase.severity > .note { alarmCount += 1 }
    index = nil
    report = KernelReport(phrase, message)
    guard
      signs.count < KernelSigns.limit
        || (phrase.severity == .fatal && signs.count < KernelSigns.limit + 16)
        || (phrase.isPanic && signs.count < KernelSigns.limit + 32)
    else { return }
    index = signs.count
    signs.append(
      KernelSign(
        kind: phrase.kind, severity: phrase.severity, isPanic: phrase.isPanic,
        line: KernelSigns.shown(message.text), time: time,
        kernelTime: message.time.map { Double($0) / 1e6 }, report: []))
    if !announcement.isEmpty { append(announcement) }
    announcement = []
    append(whole)
  }

  private mutating func append(_ bytes: [UInt8]) {
    guard let index else { return }
    let room = KernelSigns.reportLimit - signs[index].report.count
    guard room > 0 else { return }
    signs[index].report.append(contentsOf: bytes.prefix(room - 1))
    signs[index].report.append(10)
  }

  private static func shown(_ text: ArraySlice<UInt8>) -> String {
    let text = KernelText.string(text.prefix(shownBytes))
    return String(text.map { $0.unicodeScalars.allSatisfy(\.isPlain) ? $0 : "\u{fffd}" })
  }
}

extension KernelSigns {
  /// Scans what came to a kernel log between two readings.
  static func scan(_ difference: KernelLogDifference) -> KernelSigns { KernelSigns(difference.new) }

  /// The first sign of the greatest severity; nil when there is none.
  public var worst: KernelSign? {
    signs.max { a, b in a.severity < b.severity || (a.severity == b.severity && a.time > b.time) }
  }
}

extension Unicode.Scalar {
  /// Neither a control character of C0 or C1 nor DEL.
  fileprivate var isPlain: Bool { value >= 0x20 && !(0x7f...0x9f).contains(value) }
}
