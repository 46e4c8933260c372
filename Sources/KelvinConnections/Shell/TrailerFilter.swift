internal import CLinux

/// Takes the line that ends a command's stream out of it: a record separator, the command's nonce,
/// its exit status, and a word about it. What follows the line, from a process that was left behind,
/// is output again.
///
/// A separator that lines do not end with lets each line through as soon as it has come.
///
/// Pure, so that it can be tested on any split of the bytes.
struct TrailerFilter {
  /// What the line says.
  struct Trailer: Hashable {
    var status: Int32
    /// Empty where there is none.
    var word: String
  }

  /// Nil before the line has come.
  private(set) var trailer: Trailer?
  private let marker: [UInt8]
  /// What may be the begin of the line.
  private var held: [UInt8] = []
  /// Beyond this, what follows the marker is not a status: no shell prints it so.
  private static let longest = 32

  /// ASCII's record separator; ``ShellScript`` writes it as `\\036`.
  static let separator: UInt8 = 30

  init(nonce: String) { marker = [TrailerFilter.separator] + Array(nonce.utf8) + [32] }

  /// Which bytes are output.
  enum Released: Equatable {
    /// That many of the bytes that were just given.
    case prefix(Int)
    case bytes([UInt8])
  }

  /// Takes the next bytes of the stream.
  ///
  /// - Returns: the output among what has come so far and was not returned yet.
  mutating func take(_ bytes: UnsafeRawBufferPointer) -> Released {
    if trailer != nil { return .prefix(bytes.count) }
    // Most of a flood passes here: one search, no copy.
    if held.isEmpty, find(in: bytes) == nil {
      let count = bytes.count - heldBack(of: bytes)
      held.append(contentsOf: bytes[count...])
      return .prefix(count)
    }
    held.append(contentsOf: bytes)
    var released: [UInt8] = []
    while let start = held.withUnsafeBytes({ find(in: $0) }) {
      let line = held[(start + marker.count)...].prefix { $0 != 10 }
      // The line has not come whole yet.
      guard line.endIndex < held.count || line.count > TrailerFilter.longest else {
        return .bytes(released + release(start))
      }
      if let trailer = TrailerFilter.parse(line) {
        self.trailer = trailer
        held.removeSubrange(start...line.endIndex)
        return .bytes(released + release(held.count))
      }
      released += release(start + 1)
    }
    return .bytes(released + release(held.count - held.withUnsafeBytes { heldBack(of: $0) }))
  }

  /// What was held back although the line never came.
  mutating func flush() -> [UInt8] {
    defer { held = [] }
    return held
  }

  private static func parse(_ line: ArraySlice<UInt8>) -> Trailer? {
    guard line.count <= longest else { return nil }
    let words = String(decoding: line, as: UTF8.self).split(
      separator: " ", omittingEmptySubsequences: false)
    guard (1...2).contains(words.count), let status = Int32(words[0]), status >= 0 else {
      return nil
    }
    return Trailer(status: status, word: words.count == 2 ? String(words[1]) : "")
  }

  private mutating func release(_ count: Int) -> [UInt8] {
    defer { held.removeFirst(count) }
    return Array(held[..<count])
  }

  private func find(in bytes: UnsafeRawBufferPointer) -> Int? {
    guard let base = bytes.baseAddress, bytes.count >= marker.count,
      let found = kelvin_find(base, bytes.count, marker, marker.count)
    else { return nil }
    return UnsafeRawPointer(found) - base
  }

  /// How many of the last bytes could be the begin of a marker.
  private func heldBack(of bytes: UnsafeRawBufferPointer) -> Int {
    let window = bytes.suffix(marker.count - 1)
    var index = window.startIndex
    while let start = window[index...].firstIndex(of: TrailerFilter.separator) {
      if marker.starts(with: window[start...]) { return window.endIndex - start }
      index = start + 1
    }
    return 0
  }
}
