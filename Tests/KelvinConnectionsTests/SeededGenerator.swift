/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers for the same seed.
struct SeededGenerator: RandomNumberGenerator, Sendable {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }

  mutating func chance(_ probability: Double) -> Bool {
    Double(next() >> 11) / Double(1 << 53) < probability
  }

  mutating func bytes(_ count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count + 8)
    while bytes.count < count {
      let number = next()
      withUnsafeBytes(of: number) { bytes.append(contentsOf: $0) }
    }
    bytes.removeLast(bytes.count - count)
    return bytes
  }

  /// What boards say unasked: kernel messages, journald's lines, a daemon's, and worse.
  mutating func noiseLine() -> [UInt8] {
    let number = Int.random(in: 0..<1_000_000, using: &self)
    let text: String
    switch Int.random(in: 0..<5, using: &self) {
    case 0:
      text = "[\(leftPadded(number / 1000)).\(sixDigits(number))] usb 1-1: new device \(number)"
    case 1: text = "[   12.\(sixDigits(number))] "
    case 2: text = "Nov 26 02:44:01 board systemd[1]: Started session \(number) of user root."
    case 3: text = "~Ab3x \(number) 14 3 r 0 tt 4 lie~"
    default:
      text = String(
        decoding: (0..<Int.random(in: 0..<90, using: &self)).map { _ in
          UInt8.random(in: 32...126, using: &self)
        }, as: UTF8.self)
    }
    return Array("\(text)\r\n".utf8)
  }

  private func sixDigits(_ number: Int) -> String {
    String(String(1_000_000 + number % 1_000_000).dropFirst())
  }

  private func leftPadded(_ number: Int) -> String {
    String(repeating: " ", count: max(0, 5 - String(number).count)) + String(number)
  }
}
