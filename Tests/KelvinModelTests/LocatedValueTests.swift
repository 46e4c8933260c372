import KelvinModel
import Testing

/// What an unquoted word means to an untyped reader.
@Suite struct LocatedValueTests {
  @Test(arguments: [
    ("", Value.null), ("~", .null), ("null", .null), ("NULL", .null), ("nil", "nil"),
    ("yes", true), ("On", true), ("TRUE", true), ("no", false), ("off", false), ("y", "y"),
    ("0", 0), ("-5", -5), ("+5", 5), ("1_000", 1000), ("0x10", 16), ("-0x10", -16), ("0o17", 15),
    ("0b101", 5), ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
    ("1.5", 1.5), (".5", 0.5), ("1e3", 1000.0), ("-1.5E-3", -0.0015), (".inf", .number(.infinity)),
    ("-.inf", .number(-.infinity)), ("99999999999999999999", 1e20),
    ("0x-5", "0x-5"), ("0x", "0x"), ("_1", "_1"), ("--5", "--5"), ("+-5", "+-5"), ("-", "-"),
    (".", "."), ("1.2.3", "1.2.3"), ("inf", "inf"), ("+inf", "+inf"), ("0x1p3", "0x1p3"),
    ("5 s", "5 s"), ("1½", "1½"), ("٣", "٣")
  ])
  func unquotedScalarsResolve(text: String, expected: Value) {
    #expect(LocatedValue.Scalar(text).resolved == expected)
    #expect(LocatedValue.Scalar(text, isQuoted: true).resolved == .text(text))
  }

  @Test func aHugeNumberIsText() {
    let digits = String(repeating: "9", count: 100_000)
    #expect(LocatedValue.Scalar(digits).resolved == .text(digits))
  }

  @Test(arguments: [
    ("abc", "'abc'"), ("", "''"), ("a\u{1b}[2Jb", #"'a\u{1b}[2Jb'"#), ("a\nb", #"'a\u{a}b'"#),
    ("é", "'é'"), ("a\u{202e}b", #"'a\u{202e}b'"#)
  ])
  func quotedTextIsPrintable(text: String, expected: String) {
    #expect(LocatedValue.quoted(text) == expected)
  }

  @Test func quotedTextIsCut() {
    let text = String(repeating: "x", count: 61)
    #expect(LocatedValue.quoted(text) == "'" + String(repeating: "x", count: 60) + "...'")
    #expect(LocatedValue.quoted(String(text.dropLast())).contains("...") == false)
  }
}
