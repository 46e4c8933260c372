import KelvinModel
import Testing

@testable import KelvinStore

struct ValueJSONTests {
  static let pairs: [(String, Value)] = [
    (
      #"{"a":[1,-2.5,1e3,true,false,null,"x"]}"#,
      .map(["a": [1, -2.5, .number(1000), true, false, nil, "x"]])
    ),
    (" [ ] ", []), ("{ }", [:]), ("5.0", .number(5)), ("5", 5),
    ("9223372036854775808", .number(9.223372036854775808e18)),
    (#""\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00""#, "\"\\/\u{8}\u{c}\n\r\t\u{e9}\u{1F600}"),
    ("\"\u{e9}\u{2713}\"", "\u{e9}\u{2713}")
  ]

  @Test(arguments: pairs)
  func reads(json: String, value: Value) {
    #expect(Value(json: json) == value)
  }

  @Test(arguments: [
    "", " ", "[", "]", "[1", "[1,", "[1,]", "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,",
    "{a:1}", "\"", "\"\\", "\"\\u12", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\x\"", "tru", "nul",
    "1 2", "--1", "1e", ".", "NaN", "{\"a\":1}x", "\u{0}"
  ])
  func refuses(json: String) {
    #expect(Value(json: json) == nil)
  }

  @Test func refusesWhatNestsTooDeep() {
    let depth = 100_000
    #expect(Value(json: String(repeating: "[", count: depth)) == nil)
    #expect(
      Value(json: String(repeating: "[", count: 200) + String(repeating: "]", count: 200)) != nil)
  }

  @Test func readsWhatIsWritten() {
    var generator = SeededGenerator(seed: 1)
    for _ in 0..<500 {
      let value = randomValue(depth: 0, &generator)
      #expect(Value(json: value.json) == value)
    }
  }

  @Test func survivesTruncationAtEachByte() {
    let json = Value.map(PlanRowsTests.spec.parameters).json
    for length in 0..<json.utf8.count {
      #expect(Value(json: String(decoding: json.utf8.prefix(length), as: UTF8.self)) == nil)
    }
  }

  private func randomValue(depth: Int, _ generator: inout SeededGenerator) -> Value {
    switch Int.random(in: 0..<(depth < 4 ? 7 : 5), using: &generator) {
    case 0: .null
    case 1: .boolean(Bool.random(using: &generator))
    case 2: .integer(Int64(bitPattern: generator.next()))
    case 3: .number(Double.random(in: -1e6...1e6, using: &generator))
    case 4: .text(randomText(&generator))
    case 5: .list((0..<3).map { _ in randomValue(depth: depth + 1, &generator) })
    default:
      .map(
        Dictionary(
          (0..<3).map { _ in (randomText(&generator), randomValue(depth: depth + 1, &generator)) },
          uniquingKeysWith: { a, _ in a }))
    }
  }

  private func randomText(_ generator: inout SeededGenerator) -> String {
    var text = ""
    for _ in 0..<Int.random(in: 0..<6, using: &generator) {
      let scalar = Unicode.Scalar(UInt32.random(in: 0..<0x11_0000, using: &generator))
      text.unicodeScalars.append(scalar ?? "\"")
    }
    return text
  }
}
