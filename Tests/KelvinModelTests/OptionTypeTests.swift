import KelvinModel
import Testing

/// Validation of values as written against declared types.
@Suite struct OptionTypeTests {
  private static let place = SourceLocation(file: "dir/f.yaml", line: 1, column: 1)

  private static func scalar(_ text: String, quoted: Bool = false) -> LocatedValue {
    LocatedValue(.scalar(.init(text, isQuoted: quoted)), at: place)
  }

  private static func map(_ entries: [(String, LocatedValue)]) -> LocatedValue {
    LocatedValue(
      .map(entries.map { .init(key: $0.0, keyLocation: place, value: $0.1) }), at: place)
  }

  private func validate(
    _ type: OptionType, _ value: LocatedValue, range: ClosedRange<Double>? = nil
  ) -> (Value?, [String]) {
    var diagnostics: [Diagnostic] = []
    let result = type.validate(value, as: "x", range: range, into: &diagnostics)
    return (result, diagnostics.map { $0.message + ($0.hint.isEmpty ? "" : "; \($0.hint)") })
  }

  private static let values: [(OptionType, String, Value)] = [
    (OptionType.boolean, "on", Value.boolean(true)), (.integer, "0x10", 16), (.number, "5", 5.0),
    (.number, "1e3", 1000.0), (.text, "1.10", "1.10"), (.text, "no", "no"),
    (.choice(["a", "off"]), "off", "off"), (.quantity(.time, bare: "s"), "5", 5.0),
    (.quantity(.time, bare: "ms"), "5", 0.005), (.quantity(.time, bare: nil), "5 min", 300.0),
    (.quantity(.frequency, bare: nil), "1.2GHz", 1.2e9),
    (.quantity(.ratio, bare: nil), "1 %", 0.01),
    (.quantity(.ratio, bare: nil), "0.5", 0.5), (.quantity(.size, bare: nil), "64 KiB", 65_536.0),
    (.pattern, "[0-9]+", "[0-9]+"), (.path, "/a/b", "/a/b"), (.path, "b", "dir/b"),
    (.path, "./b", "dir/b"), (.path, "../b", "dir/../b"),
    (.argv, "a 'b c' d\\ e", ["a", "b c", "d e"]),
    (.list(.integer), "3", [3]), (.list(.integer), "", []), (.map(.integer), "~", [:]),
    (.any, "1.5", 1.5)
  ]

  @Test(arguments: values)
  func scalarsGiveTheirValue(type: OptionType, text: String, expected: Value) {
    let (value, messages) = validate(type, OptionTypeTests.scalar(text))
    #expect(value == expected)
    #expect(messages == [])
  }

  private static let mistakes: [(OptionType, String, String)] = [
    (OptionType.boolean, "maybe", "x: expected true or false, found 'maybe'"),
    (.integer, "1.5", "x: expected an integer, found '1.5'"),
    (.number, ".inf", "x: expected a number, found '.inf'"),
    (.text, "", "x: expected text, found nothing"),
    (
      .choice(["fast", "slow"]), "fats",
      "x: expected one of fast, slow, found 'fats'; did you mean 'fast'?"
    ),
    (
      .quantity(.time, bare: nil), "5",
      "x: expected a time such as '5 s', found '5'; write the unit: '5 s'"
    ),
    (
      .quantity(.time, bare: "s"), "5 m",
      "x: expected a time such as '5 s', found '5 m'; minutes are 'min', milliseconds 'ms'"
    ),
    (.quantity(.time, bare: "s"), "5 V", "x: expected a time such as '5 s', found '5 V'"),
    (.quantity(.energy, bare: nil), "x", "x: expected an energy such as '3 J', found 'x'"),
    (.path, "a\0b", #"x: expected a path, found 'a\u{0}b'"#),
    (
      .argv, "",
      "x: expected a list of words or a command line, found nothing; write a list of words, or close every quote"
    ),
    (.map(.text), "a", "x: expected a map, each value text, found 'a'")
  ]

  @Test(arguments: mistakes)
  func wrongScalarsAreAnswered(type: OptionType, text: String, message: String) {
    let (value, messages) = validate(type, OptionTypeTests.scalar(text))
    #expect(value == nil)
    #expect(messages == [message])
  }

  @Test(arguments: [
    (0.0...10.0, "11", "x: expected between 0 and 10, found '11'"),
    (0.5...Double.infinity, "0", "x: expected at least 0.5, found '0'")
  ])
  func rangesAreChecked(range: ClosedRange<Double>, text: String, message: String) {
    let (value, messages) = validate(.number, OptionTypeTests.scalar(text), range: range)
    #expect(value == nil)
    #expect(messages == [message])
  }

  @Test func everyWrongElementIsReported() {
    let list = LocatedValue(
      .list(["1", "b", "c"].map { OptionTypeTests.scalar($0) }), at: OptionTypeTests.place)
    let (value, messages) = validate(.list(.integer), list)
    #expect(value == nil)
    #expect(
      messages == ["x: expected an integer, found 'b'", "x: expected an integer, found 'c'"])
  }

  @Test func structuresTakeAMapOrTheirShorthand() {
    let type = OptionType.structure(
      [
        .init("path", .text, aliases: ["file"], required: true, ""),
        .init("count", .integer, default: 1, "")
      ], shorthand: "path")
    #expect(validate(type, OptionTypeTests.scalar("a")).0 == ["path": "a", "count": 1])
    let map = OptionTypeTests.map([
      ("file", OptionTypeTests.scalar("b")), ("count", OptionTypeTests.scalar("2"))
    ])
    #expect(validate(type, map).0 == ["path": "b", "count": 2])
  }

  @Test func keysAreCheckedAgainstNamesAndAliases() {
    let options: [OptionDeclaration] = [
      .init("duration", .integer, aliases: ["run_time"], ""),
      .init("size", .integer, required: true, "")
    ]
    let entries = OptionTypeTests.map([
      ("duratoin", OptionTypeTests.scalar("1")), ("runtime", OptionTypeTests.scalar("1")),
      ("duration", OptionTypeTests.scalar("1")), ("run_time", OptionTypeTests.scalar("1")),
      ("\u{7}", OptionTypeTests.scalar("1"))
    ]).map
    var diagnostics: [Diagnostic] = []
    let values = options.validate(
      entries ?? [], as: "o", at: OptionTypeTests.place, into: &diagnostics)
    #expect(values == nil)
    #expect(
      diagnostics.map { $0.message + ($0.hint.isEmpty ? "" : "; \($0.hint)") } == [
        "o: unknown key 'duratoin'; did you mean 'duration'?",
        "o: unknown key 'runtime'; did you mean 'run_time'?",
        "o: 'run_time' sets 'duration' again, already set at dir/f.yaml:1:1",
        #"o: unknown key '\u{7}'; known: duration, size"#,
        "o: 'size' is missing; it takes an integer"
      ])
  }

  @Test func nullLeavesAnOptionUnset() {
    let options: [OptionDeclaration] = [.init("a", .integer, default: 5, "")]
    var diagnostics: [Diagnostic] = []
    let values = options.validate(
      OptionTypeTests.map([("a", OptionTypeTests.scalar("~"))]).map ?? [], as: "o",
      at: OptionTypeTests.place, into: &diagnostics)
    #expect(values == ["a": 5])
    #expect(diagnostics == [])
  }
}
