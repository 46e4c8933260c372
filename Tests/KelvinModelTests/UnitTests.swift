import KelvinModel
import Testing

@Suite struct UnitTests {
  @Test(arguments: [
    ("5 s", 5.0, Dimension.time), ("5s", 5, .time), ("1e3 ms", 1, .time), ("2 min", 120, .time),
    ("1 h", 3600, .time), ("1.2 GHz", 1.2e9, .frequency), ("800 mV", 0.8, .voltage),
    ("-3 degC", -3, .temperature), ("3 µA", 3e-6, .current), ("3 uA", 3e-6, .current),
    ("1 %", 0.01, .ratio), ("20 ppm", 2e-5, .ratio), ("2 mAh", 7.2, .charge),
    ("1 Wh", 3600, .energy), ("10 mohm", 0.01, .resistance), ("4 KiB", 4096, .size),
    ("  5   s ", 5, .time), ("5e-3 V", 0.005, .voltage)
  ])
  func quantitiesAreReadInTheBaseUnit(text: String, value: Double, dimension: Dimension) throws {
    let quantity = try #require(Quantity(text))
    #expect(abs(quantity.value - value) <= abs(value) * 1e-12)
    #expect(quantity.unit?.dimension == dimension)
  }

  @Test(arguments: ["5", "-1.5", "1e3", " 7 "])
  func aBareNumberHasNoUnit(text: String) throws {
    #expect(try #require(Quantity(text)).unit == nil)
  }

  @Test(arguments: [
    "", " ", "s", "5 m", "5 x", "five s", "0x5 s", "inf s", "nan", "1e999 s", "5 s s", "1.2.3 s",
    "5,0 s", "5 ss", "5 qs"
  ])
  func otherTextIsNoQuantity(text: String) {
    #expect(Quantity(text) == nil)
  }

  @Test func longTextIsNoQuantity() {
    #expect(Quantity(String(repeating: "1", count: 65)) == nil)
    #expect(Quantity(String(repeating: " ", count: 1_000_000) + "5 s") == nil)
  }
}
