import Foundation
import KelvinModel
import Testing

/// Values as JSON, judged by Foundation's parser.
@Suite struct ValueTests {
  static let values: [Value] = [
    .null, true, false, 0, -7, .integer(.max), .integer(.min), 1.5, -0.0, 1e300, "", "plain",
    "quote \" backslash \\ newline \n tab \t nul \u{0} delete \u{7f} é 漢 🧊", [], [1, "two", nil],
    [:], ["b": 1, "a": ["nested": [true, 2.5]]]
  ]

  @Test(arguments: values)
  func writesJSONThatAnotherParserReadsBack(value: Value) throws {
    let decoded = try JSONDecoder().decode([Value].self, from: Data("[\(value.json)]".utf8))
    #expect(decoded == [value] || decoded[0].number == value.number)
  }

  @Test func equalMapsGiveEqualText() {
    let a: Value = ["x": 1, "y": [2, 3], "z": nil]
    let b: Value = ["z": nil, "y": [2, 3], "x": 1]
    #expect(a.json == b.json)
    #expect(a.json == #"{"x":1,"y":[2,3],"z":null}"#)
  }

  @Test func whatJSONCannotSayBecomesNull() {
    #expect(Value.number(.nan).json == "null")
    #expect(Value.number(.infinity).json == "null")
  }
}
