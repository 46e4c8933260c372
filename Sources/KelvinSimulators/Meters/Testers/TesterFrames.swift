internal import CLibCrypto

/// What simulated testers send of a moment.
package enum TesterFrames {
  /// A frame.
  ///
  /// Sources: sigrokproject/libsigrok, src/hardware/rdtech-tc and rdtech-um; CursedHardware/yzx-usb-meter; and what
  /// PyPI's tc66-serial and pyummeter read beside that.
  ///
  /// - Parameter isUnknown: whether it is that of a tester that nobody knows.
  package static func frame(
    _ model: TesterModel, _ truth: TesterTruth, isUnknown: Bool = false
  ) -> [UInt8] {
    switch model {
    case .tc66c: tc66(truth, isUnknown)
    case .um24c: um(0x0963, 100, 1000, truth, isUnknown)
    case .um25c: um(0x09c9, 1000, 10_000, truth, isUnknown)
    case .um34c: um(0x0d4c, 100, 1000, truth, isUnknown)
    case .yzxstudio: yzx(truth, isUnknown)
    }
  }

  private static func steps(_ value: Double, _ inOne: Double) -> Int {
    Int((value * inOne).rounded())
  }

  // MARK: TC66C

  private static func tc66(_ truth: TesterTruth, _ isUnknown: Bool) -> [UInt8] {
    var parts = (1...3).map { number in
      Array("\(isUnknown ? "box" : "pac")\(number)".utf8) + [UInt8](repeating: 0, count: 60)
    }
    func put(_ part: Int, _ place: Int, _ value: Int) {
      for byte in 0..<4 {
        parts[part][place + byte] = UInt8(truncatingIfNeeded: value >> (8 * byte))
      }
    }
    parts[0].replaceSubrange(4..<12, with: Array("TC661.18".utf8))
    put(0, 12, 20_661_234)
    put(0, 44, 7)
    put(0, 48, steps(truth.volts, 10_000))
    put(0, 52, steps(truth.amperes, 100_000))
    put(0, 56, steps(truth.volts * truth.amperes, 10_000))
    put(1, 8, 1200)
    put(1, 12, 6100)
    put(1, 28, steps(truth.celsius, 1))
    put(1, 32, steps(truth.plus, 100))
    put(1, 36, steps(truth.minus, 100))
    for part in 0..<3 { put(part, 60, remainder(parts[part].prefix(60))) }
    return hidden(parts.flatMap { $0 })
  }

  /// The remainder of the division by x^16 + x^15 + x^2 + 1, bit by bit from the lowest one, of bytes behind 16 ones.
  private static func remainder(_ bytes: some Sequence<UInt8>) -> Int {
    var register = 0xffff
    for byte in bytes {
      for bit in 0..<8 {
        let isOdd = register & 1 != Int(byte) >> bit & 1
        register >>= 1
        if isOdd { register ^= 0b1010_0000_0000_0001 }
      }
    }
    return register
  }

  private static func hidden(_ plain: [UInt8]) -> [UInt8] {
    let words: [UInt64] = [
      0x5821_fa56_01b2_f026, 0x87ff_1204_622a_4fb0, 0x86f4_0260_816f_9a0b, 0xa7f1_0661_9ab8_7288
    ]
    let key = words.flatMap { word in
      (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * $0)) }
    }
    guard let context = EVP_CIPHER_CTX_new() else { return [] }
    defer { EVP_CIPHER_CTX_free(context) }
    var bytes = [UInt8](repeating: 0, count: plain.count + 16)
    var count: Int32 = 0
    EVP_EncryptInit_ex(context, EVP_aes_256_ecb(), nil, key, nil)
    EVP_EncryptUpdate(context, &bytes, &count, plain, Int32(plain.count))
    return Array(bytes.prefix(Int(count)))
  }

  // MARK: UM24C, UM25C, UM34C

  private static func um(
    _ number: Int, _ volt: Double, _ ampere: Double, _ truth: TesterTruth, _ isUnknown: Bool
  ) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 130)
    func put(_ place: Int, _ value: Int, _ width: Int = 2) {
      for byte in 0..<width {
        bytes[place + byte] = UInt8(truncatingIfNeeded: value >> (8 * (width - 1 - byte)))
      }
    }
    put(0, isUnknown ? 0x1234 : number)
    put(2, steps(truth.volts, volt))
    put(4, steps(truth.amperes, ampere))
    put(6, steps(truth.volts * truth.amperes, 1000), 4)
    put(10, steps(truth.celsius, 1))
    put(12, steps(truth.celsius * 1.8 + 32, 1))
    for group in 0..<10 {
      put(16 + 8 * group, 100 + group, 4)
      put(20 + 8 * group, 500 + group, 4)
    }
    put(96, steps(truth.plus, 100))
    put(98, steps(truth.minus, 100))
    put(100, 7)
    put(102, 120, 4)
    put(106, 610, 4)
    put(110, 10)
    put(112, 3600, 4)
    put(116, 1)
    put(118, 1)
    put(120, 4)
    put(122, steps(truth.volts / truth.amperes, 10), 4)
    put(126, 1)
    put(128, 0xfff1)
    if number == 0x0d4c { bytes[129] = mixed(bytes) }
    return bytes
  }

  /// The low bytes of most numbers of a UM34C's answer, mixed.
  private static func mixed(_ bytes: [UInt8]) -> UInt8 {
    let low: [Range<Int>] = [
      1..<2, 3..<4, 7..<8, 9..<10, 15..<16, 17..<18, 19..<20, 23..<24, 31..<32, 39..<40, 41..<42,
      45..<46, 49..<50, 53..<54, 55..<56, 57..<58, 59..<60, 63..<64, 67..<68, 69..<70, 73..<74,
      79..<80, 83..<84, 89..<90, 97..<98, 99..<100, 109..<110, 111..<112, 113..<114, 119..<120,
      121..<122, 127..<128
    ]
    var sum: UInt8 = 0
    for range in low { for place in range { sum ^= bytes[place] } }
    return sum
  }

  // MARK: YZXStudio

  private static func yzx(_ truth: TesterTruth, _ isUnknown: Bool) -> [UInt8] {
    var bytes: [UInt8] = [0xab, 0x00, isUnknown ? 0x07 : 0x06]
    func put(_ value: Int, _ width: Int) {
      for byte in 0..<width { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * byte))) }
    }
    put(steps(truth.volts, 10_000), 4)
    put(steps(truth.amperes, 10_000), 4)
    put(12_000, 4)
    put(61_000, 4)
    put(360_000, 4)
    put(steps(truth.minus, 1000), 2)
    put(steps(truth.plus, 1000), 2)
    bytes.append(UInt8(truncatingIfNeeded: bytes.reduce(0) { $0 + Int($1) }))
    return bytes
  }
}
