import KelvinModel
import KelvinSimulators
import Testing

@testable import KelvinMeters

struct IIOFormatTests {
  @Test(arguments: [
    ("le:s12/16>>4", false, true, 12, 16, 1, 4), ("be:u24/32>>8", true, false, 24, 32, 1, 8),
    ("le:S64/64>>0", false, true, 64, 64, 1, 0), ("be:s16/16X4>>0", true, true, 16, 16, 4, 0),
    ("le:u13/16>>0", false, false, 13, 16, 1, 0), ("le:U1/8>>7", false, false, 1, 8, 1, 7),
    ("be:s24/24>>0", true, true, 24, 24, 1, 0)
  ])
  func readsAFormat(
    text: String, big: Bool, signed: Bool, bits: Int, storage: Int, repeats: Int, shift: Int
  ) throws {
    let format = try #require(IIOElementFormat(text))
    #expect(format.isBigEndian == big && format.isSigned == signed)
    #expect(format.bits == bits && format.storageBits == storage)
    #expect(format.repeats == repeats && format.shift == shift)
  }

  @Test(arguments: [
    "", "le", "le:", "le:s12", "le:s12/", "le:s12/16", "le:s12/16>>", "le:s12/16>>4 ",
    "xe:s12/16>>4",
    "le:f32/32>>0", "le:s0/16>>0", "le:s17/16>>0", "le:s12/16>>5", "le:s65/72>>0", "le:s12/12>>0",
    "le:s12/16X0>>0", "le:s12/16X65>>0", "le:s-1/16>>0", "le:s99999/16>>0", "le:s12/16>>4x"
  ])
  func refusesWhatIsNone(text: String) { #expect(IIOElementFormat(text) == nil) }

  /// The layout of the kernel's iio_dummy with all its channels, and of an INA226, as their scans are.
  @Test func laysScansOutAsTheKernelDoes() throws {
    func layout(_ formats: [String]) throws -> IIOScanLayout {
      IIOScanLayout(
        try formats.enumerated().map { ($0.offset, try #require(IIOElementFormat($0.element))) })
    }
    let dummy = try layout(
      ["le:u13/16>>0", "le:s12/16>>0", "le:s11/16>>0", "le:s16/16>>0", "le:s64/64>>0"])
    #expect(dummy.fields.map(\.offset) == [0, 2, 4, 6, 8])
    #expect(dummy.size == 16)
    let two = try layout(["le:u16/16>>0", "le:s64/64>>0"])
    #expect(two.fields.map(\.offset) == [0, 8] && two.size == 16)
    let mixed = try layout(["le:u8/8>>0", "be:s24/32>>8", "le:u8/8>>0"])
    #expect(mixed.fields.map(\.offset) == [0, 4, 8] && mixed.size == 12)
    // A quaternion, and channels of one index.
    let shared = IIOScanLayout([
      (1, try #require(IIOElementFormat("le:s16/16>>0"))),
      (0, try #require(IIOElementFormat("le:s32/32X4>>0"))),
      (1, try #require(IIOElementFormat("le:s16/16>>0")))
    ])
    #expect(shared.fields.map(\.offset) == [16, 0, 16] && shared.size == 32)
  }

  /// Every width, shift, sign and order, against arithmetic on single bits.
  @Test func decodesEveryFormat() throws {
    var generator = SeededGenerator(seed: 7)
    for storage in stride(from: 8, through: 64, by: 8) {
      for bits in Set([1, 2, storage / 2, storage - 1, storage]).sorted() where bits > 0 {
        for shift in Set([0, (storage - bits) / 2, storage - bits]) {
          for (order, sign) in [("le", "s"), ("be", "s"), ("le", "u"), ("be", "u")] {
            let text = "\(order):\(sign)\(bits)/\(storage)>>\(shift)"
            let format = try #require(IIOElementFormat(text))
            let field = IIOScanLayout.Field(offset: 3, format: format)
            let stride = 3 + storage / 8 + 2
            let bytes = generator.bytes(stride * 5)
            let codes = field.codes(in: bytes.span.bytes, count: 5, stride: stride)
            for scan in 0..<5 {
              var stored = Array(bytes[(scan * stride + 3)..<(scan * stride + 3 + storage / 8)])
              if order == "be" { stored.reverse() }
              var code: Int64 = 0
              for bit in 0..<bits
              where stored[(bit + shift) / 8] >> UInt8((bit + shift) % 8) & 1 == 1 {
                // The highest bit of a signed one counts negative.
                code &+= bit == bits - 1 && sign == "s" ? 0 &- (1 << Int64(bit)) : 1 << Int64(bit)
              }
              #expect(codes[scan] == code, "\(text) \(stored)")
            }
          }
        }
      }
    }
  }

  @Test(arguments: [
    ("voltage0", "V", 1e-3), ("current3", "A", 1e-3), ("power2", "W", 1e-3),
    ("temp_ambient", "degC", 1e-3),
    ("voltage0-voltage1", "V", 1e-3), ("accel_x", "m/s2", 1), ("activity_walking", "", 1)
  ])
  func knowsTheKernelsUnits(channel: String, unit: String, factor: Double) {
    #expect(IIOQuantity(channel: channel).unit == unit)
    #expect(IIOQuantity(channel: channel).factor == factor)
  }

  @Test(arguments: [
    (0.01, "0.01"), (2000, "2000"), (1.5, "1.5"), (0.000332, "0.000332"), (-0.25, "-0.25"),
    (0.9999999999, "1.0")
  ])
  func writesNumbersAsTheKernelReadsThem(number: Double, text: String) {
    #expect(IIOSetup.text(number) == text)
  }
}
