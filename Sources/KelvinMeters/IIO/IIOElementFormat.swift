/// How an element of a scan is stored: `be:s12/16X2>>4` is a big-endian pair of 16-bit words with 12
/// bits each above the lowest 4 (Linux, Documentation/ABI/testing/sysfs-bus-iio, `scan_elements/…_type`).
/// Where an iiod says it, capital `S` and `U` mean that no bits have to be cut off.
struct IIOElementFormat: Sendable, Hashable {
  var isBigEndian: Bool
  var isSigned: Bool
  /// 1 to 64.
  var bits: Int
  /// Of one repeat: 8, 16, up to 64.
  var storageBits: Int
  /// Values that one element holds.
  var repeats: Int
  var shift: Int

  /// Bytes of the whole element.
  var size: Int { storageBits / 8 * repeats }

  /// Nil for what is no such text, and for values that do not fit their storage.
  init?(_ text: String) {
    var rest = Substring(text)
    func number() -> Int? {
      let digits = rest.prefix { $0.isASCII && $0.isNumber }
      rest = rest.dropFirst(digits.count)
      return digits.count > 4 ? nil : Int(digits)
    }
    func take(_ word: String) -> Bool {
      guard rest.hasPrefix(word) else { return false }
      rest = rest.dropFirst(word.count)
      return true
    }
    isBigEndian = take("be:")
    guard isBigEndian || take("le:"), let sign = rest.first, "sSuU".contains(sign) else {
      return nil
    }
    isSigned = sign == "s" || sign == "S"
    rest = rest.dropFirst()
    guard let bits = number(), take("/"), let storage = number() else { return nil }
    repeats = 1
    if take("X") {
      guard let count = number() else { return nil }
      repeats = count
    }
    guard take(">>"), let shift = number(), rest.isEmpty else { return nil }
    self.bits = bits
    storageBits = storage
    self.shift = shift
    guard (1...64).contains(bits), (8...64).contains(storage), storage % 8 == 0,
      bits + shift <= storage, (1...64).contains(repeats)
    else { return nil }
  }

  /// The codes at the ends of what it can say. Unsigned ones of 64 bits are taken for signed.
  var codes: ClosedRange<Int64> {
    if bits == 64 { return isSigned ? .min ... .max : 0 ... .max }
    return isSigned ? -(1 << (bits - 1))...(1 << (bits - 1)) - 1 : 0...(1 << bits) - 1
  }
}
