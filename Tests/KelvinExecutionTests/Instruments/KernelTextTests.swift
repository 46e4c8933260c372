import Testing

@testable import KelvinExecution

@Suite struct KernelTextTests {
  @Test func splitsLinesWithAndWithoutALastLineEnd() {
    #expect(KernelText("a\n\nb").map { KernelText.string($0) } == ["a", "", "b"])
    #expect(KernelText("a\nb\n").map { KernelText.string($0) } == ["a", "b"])
    #expect(KernelText("").map { KernelText.string($0) }.isEmpty)
  }

  @Test func splitsFieldsAtAnyBlanks() {
    let line = Array(" \tone  two\u{0}three \r".utf8)
    #expect(
      KernelText.Fields(line[...]).map { KernelText.string($0) } == ["one", "two", "three"])
    #expect(KernelText.Fields([]).map { KernelText.string($0) }.isEmpty)
  }

  @Test(arguments: [
    ("0", 0), ("-9223372036854775808", Int64.min), ("9223372036854775807", Int64.max),
    ("9223372036854775808", nil), ("-9223372036854775809", nil), ("", nil), ("-", nil),
    ("12x", nil), ("+1", nil), ("1 2", nil), ("0x10", nil)
  ])
  func readsIntegersThatFillTheField(text: String, value: Int64?) {
    #expect(KernelText.integer(Array(text.utf8)[...]) == value)
  }

  @Test func refusesASignOnCounters() {
    #expect(KernelText("-1\n").counter == nil)
    #expect(KernelText("18446744073709551615\n").counter == UInt64.max)
    #expect(KernelText("18446744073709551616\n").counter == nil)
    #expect(KernelText(" 45000\n").integer == 45_000)
    #expect(KernelText("not a number\n").integer == nil)
  }

  @Test func keepsNothingButReadableTextOfBinary() {
    #expect(KernelText([0xff, 0x20, 0x0a]).trimmed == "\u{fffd}")
  }
}

@Suite struct CounterStepTests {
  @Test(arguments: [
    (5, 9, 64, CounterStep.advanced(4)), (5, 5, 32, .advanced(0)),
    (4_294_967_290, 4, 32, .wrapped(10)), (4_294_967_290, 4, 64, .reset),
    (4_294_967_296, 4, 32, .reset), (UInt64.max, 0, 64, .reset),
    (0, UInt64.max, 64, .advanced(.max))
  ])
  func tellsWrappedFromReset(before: UInt64, after: UInt64, bits: Int, step: CounterStep) {
    #expect(CounterStep(from: before, to: after, bits: bits) == step)
  }
}

@Suite struct CSVTextTests {
  @Test func quotesWhatMustBeQuoted() {
    var csv = CSVText(header: ["a", "b"])
    csv.add(["plain", "with,comma"])
    csv.add(["with \"quote\"", "two\nlines"])
    #expect(
      String(decoding: csv.bytes, as: UTF8.self)
        == "a,b\nplain,\"with,comma\"\n\"with \"\"quote\"\"\",\"two\nlines\"\n")
  }

  @Test func keepsAnyBytesOfALastField() {
    var csv = CSVText()
    csv.add(["1"], last: [0xff, 0x00, UInt8(ascii: "\""), 0x0a])
    #expect(
      csv.bytes == Array("1,\"".utf8) + [0xff, 0x00] + Array("\"\"\n\"\n".utf8))
  }
}
