internal import KelvinModel

/// The lines that are typed for a command, and the marks by which its output and status are found.
/// Pure.
///
/// With hush a command goes into the body of a loop that runs once:
///
///     for ki in 7.a1b2c3;do setenv kq;kr=$ki;echo Kb$kr.;COMMAND;kr=$kr.$?;echo Ke$kr.$kr.;done
///
/// - What is typed has the variable's name where the answer has its value, so that no echo passes for
///   a mark.
/// - Until `done` nothing is run, so that a byte that turns into Enter on its way does no harm.
/// - `kr` keeps what was run and its status: a damaged mark can be asked for again, and a command that
///   did not run be told from one that did.
/// - The status is said twice: a lost digit is noticed.
/// - `setenv` (of a variable that is not there) is no command that Enter alone would repeat, so that
///   with it the line is not, either: a doubled Enter does nothing.
struct UBootLine: Sendable {
  /// What the command is called in this session: `7.a1b2c3`.
  let id: String
  let isHush: Bool

  /// The lines of a command, without their ends.
  func command(_ text: [UInt8]) -> [[UInt8]] {
    var text = text[...]
    while let last = text.last, last == 10 || last == 32 || last == UInt8(ascii: ";") {
      // An escaped blank belongs to the command.
      if text.dropLast().last == UInt8(ascii: "\\") { break }
      text = text.dropLast()
    }
    let start =
      isHush
      ? "for ki in \(id);do setenv kq;kr=$ki;echo Kb$kr.;" : "setenv kq;echo Kb\(id).;"
    let end = isHush ? ";kr=$kr.$?;echo Ke$kr.$kr.;done" : ";echo Ke\(id)."
    let whole = Array(start.utf8) + text + Array(end.utf8)
    // Empty lines count where they are part of a quoted value.
    return whole.split(separator: 10, omittingEmptySubsequences: false).map(Array.init)
  }

  /// Asks what became of the last command.
  static let query = Array("echo Kq$kr.$kr.".utf8)

  /// Stands before the output.
  var begin: [UInt8] { Array("Kb\(id).".utf8) }

  /// Stands after the output, of a command that ended so.
  func end(_ status: Int32?) -> [UInt8] {
    guard let status, isHush else { return Array("Ke\(id).".utf8) }
    return Array("Ke\(id).\(status).\(id).\(status).".utf8)
  }

  /// Where the mark of the end is in what came, and the status that it tells; nil when it is not there
  /// undamaged.
  func end(
    in bytes: [UInt8], from start: Int = 0
  ) -> (range: Range<Int>, status: Int32?)? {
    let head = Array("Ke\(id).".utf8)
    var place = start
    while let found = bytes[min(place, bytes.count)...].firstRange(of: head) {
      place = found.lowerBound + 1
      guard isHush else { return (found, nil) }
      let digits = bytes[found.upperBound...].prefix { (48...57).contains($0) }
      guard (1...3).contains(digits.count),
        let status = Int32(String(decoding: digits, as: UTF8.self))
      else { continue }
      let mark = end(status)
      guard bytes[found.lowerBound...].starts(with: mark) else { continue }
      return (found.lowerBound..<found.lowerBound + mark.count, status)
    }
    return nil
  }

  /// What became of a command, as the board remembers it.
  enum Memory: Sendable, Hashable { case notRun, begun, ended(Int32) }

  /// Reads the answer to ``query``; nil when it is damaged or not there.
  func memory(in bytes: [UInt8]) -> Memory? {
    var place = 0
    while let found = bytes[place...].firstRange(of: Array("Kq".utf8)) {
      place = found.upperBound
      let rest = bytes[found.upperBound...]
      guard let line = rest.firstIndex(of: 13) ?? rest.firstIndex(of: 10) else { return nil }
      let answer = Array(bytes[found.upperBound..<line])
      guard answer.count.isMultiple(of: 2), answer.last == UInt8(ascii: "."),
        answer.prefix(answer.count / 2).elementsEqual(answer.suffix(answer.count / 2)),
        answer.allSatisfy({ (48...57).contains($0) || (97...122).contains($0) || $0 == 46 })
      else { continue }
      let text = String(decoding: answer.prefix(answer.count / 2 - 1), as: UTF8.self)
      if text == id { return .begun }
      guard text.hasPrefix(id + ".") else { return .notRun }
      guard let status = Int32(text.dropFirst(id.count + 1)) else { return .begun }
      return .ended(status)
    }
    return nil
  }
}
