/// Which channels of a device: a bit for each, in the order of the context.
struct IIODMask: Sendable, Hashable {
  private(set) var words: [UInt32]

  /// None of so many channels.
  init(channels: Int) { words = Array(repeating: 0, count: (channels + 31) / 32) }

  /// As iiod writes it: 8 hexadecimal digits for 32 channels, the highest word first.
  init?(_ text: String) {
    let digits = Array(text.utf8)
    guard !digits.isEmpty, digits.count % 8 == 0, digits.count <= 1024 else { return nil }
    words = []
    for start in stride(from: 0, to: digits.count, by: 8) {
      let part = digits[start..<(start + 8)]
      guard
        part.allSatisfy({
          (48...57).contains($0) || (97...102).contains($0) || (65...70).contains($0)
        }),
        let word = UInt32(String(decoding: part, as: UTF8.self), radix: 16)
      else { return nil }
      words.insert(word, at: 0)
    }
  }

  subscript(bit: Int) -> Bool {
    get { bit / 32 < words.count && words[bit / 32] >> UInt32(bit % 32) & 1 == 1 }
    set {
      let mask: UInt32 = 1 << UInt32(bit % 32)
      words[bit / 32] = newValue ? words[bit / 32] | mask : words[bit / 32] & ~mask
    }
  }

  var text: String {
    words.reversed().map { word in
      let digits = String(word, radix: 16)
      return String(repeating: "0", count: 8 - digits.count) + digits
    }.joined()
  }
}
