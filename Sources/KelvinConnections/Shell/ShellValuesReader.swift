internal import CLinux
internal import Glibc
internal import KelvinModel

/// Takes what the scripts of ``ShellValues`` print apart, from its beginning.
///
/// Whatever does not stand where it should gives nil; then nothing of the rest can be told.
struct ShellValuesReader {
  private let bytes: [UInt8]
  private let nonce: String
  private let frame: [UInt8]
  private let limit: Int
  private var index = 0

  init(bytes: [UInt8], nonce: String, limit: Int) {
    self.bytes = bytes
    self.nonce = nonce
    self.limit = limit
    frame = Array("\n\(nonce) ".utf8)
  }

  var isAtEnd: Bool { index == bytes.count }

  /// What `kelvin_all` says of so many files.
  mutating func batch(of count: Int) -> [Result<[UInt8], Errno>]? {
    guard var results = block(of: count) else { return nil }
    for index in results.indices where results[index] == nil {
      guard let value = value() else { return nil }
      results[index] = value
    }
    return results.compactMap { $0 }
  }

  /// What `kelvin_some` says of so many files: nil for those that are to be read one by one.
  mutating func block(of count: Int) -> [Result<[UInt8], Errno>?]? {
    var results = [Result<[UInt8], Errno>?](repeating: nil, count: count)
    let mark = Array("K=\(nonce)\0".utf8)
    while true {
      guard let kinds = part(before: [10]) else { return nil }
      // Without kinds all follow one by one.
      if kinds.isEmpty { return results }
      let isFast = kinds.map { $0 == UInt8(ascii: "f") }
      guard kinds.count == count, isFast.contains(true),
        kinds.allSatisfy({ $0 == UInt8(ascii: "f") || $0 == UInt8(ascii: "s") }),
        let (block, status) = framed()
      else { return nil }
      guard status == 0 else { continue }
      var inner = ShellValuesReader(bytes: Array(block), nonce: nonce, limit: limit)
      for index in isFast.indices where isFast[index] {
        guard let value = inner.part(before: mark) else { return nil }
        results[index] = result(value)
      }
      return inner.isAtEnd ? results : nil
    }
  }

  /// What `kelvin_each` says of one file.
  mutating func value() -> Result<[UInt8], Errno>? {
    guard let (value, status) = framed() else { return nil }
    guard status != 0 else { return result(value) }
    guard let message = text() else { return nil }
    return .failure(ShellReply.errno(inMessage: Array(message)) ?? .io)
  }

  /// What `kelvin_put` says.
  mutating func written() -> Result<Void, Errno>? {
    guard let message = text() else { return nil }
    // dd ends with its counts when it worked.
    if let error = ShellReply.errno(inMessage: Array(message)) { return .failure(error) }
    return .success(())
  }

  /// What stands before a frame without a status.
  mutating func text() -> ArraySlice<UInt8>? {
    guard let content = part(before: frame), part(before: [10])?.isEmpty == true else { return nil }
    return content
  }

  /// What stands before a pattern, behind which it goes on.
  mutating func part(before pattern: [UInt8]) -> ArraySlice<UInt8>? {
    let found = bytes.withUnsafeBytes { all -> Int? in
      guard let base = all.baseAddress,
        let found = kelvin_find(base + index, all.count - index, pattern, pattern.count)
      else { return nil }
      return UnsafeRawPointer(found) - base
    }
    guard let found else { return nil }
    defer { index = found + pattern.count }
    return bytes[index..<found]
  }

  /// What stands before a frame, and its status.
  private mutating func framed() -> (ArraySlice<UInt8>, Int32)? {
    guard let content = part(before: frame), let digits = part(before: [10]),
      let status = Int32(String(decoding: digits, as: UTF8.self))
    else { return nil }
    return (content, status)
  }

  private func result(_ bytes: ArraySlice<UInt8>) -> Result<[UInt8], Errno> {
    bytes.count > limit ? .failure(Errno(EFBIG)) : .success(Array(bytes))
  }
}
