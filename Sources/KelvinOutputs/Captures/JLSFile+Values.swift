extension JLSFile {
  /// Samples of any of JLS's types; nil when there are fewer bytes than they take.
  static func values(_ reader: ByteReader, count: Int, _ type: UInt32) -> [Double]? {
    var reader = reader
    let bits = Int(type >> 8 & 0xFF)
    guard bits > 0, count <= reader.remaining * 8 / bits else { return nil }
    // Fixed point: the value is scaled by 2^-q.
    let q = Int(Int8(bitPattern: UInt8(type >> 16 & 0xFF)))
    let scale = Double(sign: .plus, exponent: -q, significand: 1)
    var values: [Double] = []
    values.reserveCapacity(count)
    switch (type & 0xF, bits) {
    case (4, 32):
      for _ in 0..<count {
        guard let raw = reader.integer(UInt32.self) else { return nil }
        values.append(Double(Float(bitPattern: raw)))
      }
    case (4, 64):
      for _ in 0..<count {
        guard let raw = reader.integer(UInt64.self) else { return nil }
        values.append(Double(bitPattern: raw))
      }
    case (1, 8), (1, 16), (1, 24), (1, 32), (1, 64), (3, 8), (3, 16), (3, 24), (3, 32), (3, 64):
      for _ in 0..<count {
        guard let raw = reader.take(bits / 8) else { return nil }
        let word = raw.reversed().reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
        let signed = Int64(bitPattern: word << UInt64(64 - bits)) >> Int64(64 - bits)
        values.append((type & 0xF == 1 ? Double(signed) : Double(word)) * scale)
      }
    case (3, 1), (3, 4), (1, 4):
      let bytes = Array(reader.bytes[reader.position...])
      for index in 0..<count {
        let word = bytes[index * bits / 8] >> UInt8(index * bits % 8) & (bits == 1 ? 1 : 0xF)
        let isNegative = type & 0xF == 1 && word & 8 != 0
        values.append(Double(Int(word) - (isNegative ? 16 : 0)) * scale)
      }
    default: return nil
    }
    return values
  }
}
