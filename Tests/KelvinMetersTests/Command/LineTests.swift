import KelvinModel
import Testing

@testable import KelvinMeters

/// Lines of programs, and what becomes of them: pure text, no program.
struct LineTests {
  private static func number(_ text: String) -> LineNumber? {
    let bytes = Array(text.utf8)
    return LineNumber(bytes.span)
  }

  @Test(arguments: [
    ("12.50", 12.5), ("-3", -3), ("+7", 7), (" 1.5e-3\r", 0.0015), (".5", 0.5), ("5.", 5),
    ("1E2", 100), ("0e9999", 0), ("123456789012345678901", 123_456_789_012_345_678_901.0),
    ("0.1", 0.1), ("1700000000.123456789", 1_700_000_000.123456789)
  ])
  func readsNumbers(text: String, value: Double) throws {
    let number = try #require(Self.number(text))
    #expect(abs(number.value - value) <= abs(value) * 1e-15)
  }

  @Test(arguments: [
    "", " ", "nan", "-inf", "Infinity", "0x10", "1,5", "1.2.3", "--1", "1e", "1e+", "e5", ".", "+",
    "1e99999", "1e301", "5 V", "<not counted>", "1 2"
  ])
  func refusesWhatIsNoNumber(text: String) {
    #expect(Self.number(text) == nil)
  }

  @Test func timesAreExact() throws {
    #expect(Self.number("1700000000.123456789")?.scaled(to: 9) == 1_700_000_000_123_456_789)
    #expect(Self.number("0.0000000005")?.scaled(to: 9) == 1)
    #expect(Self.number("-0.0000000004")?.scaled(to: 9) == 0)
    #expect(Self.number("1e-200")?.scaled(to: 9) == 0)
    #expect(Self.number("10000000000")?.scaled(to: 9) == nil)
    #expect(Self.number("1e300")?.scaled(to: -300) == 1)
  }

  private static func fields(_ template: String, _ line: String) throws -> [String]? {
    let bytes = Array(line.utf8)
    var ranges: [Range<Int>] = []
    guard try LineTemplate(template).find(in: bytes.span, &ranges) else { return nil }
    return ranges.map { String(decoding: bytes[$0], as: UTF8.self) }
  }

  @Test(arguments: [
    ("P = {power} W", "  P =   5.01   W, 12 degC", ["5.01"]),
    ("{time} {power} mW", "1.5\t20.25 mW", ["1.5", "20.25"]),
    ("{{\"p\": {p}, \"u\": {u}}}", "{\"p\": 1, \"u\": 2}", ["1", "2"]),
    ("{}: {v}", "rail a: 3.3", ["rail a", "3.3"]),
    ("{a},{b}", "1,2,3", ["1", "2,3"]),
    ("{a} V ", "1 V", ["1"])
  ])
  func findsNames(template: String, line: String, found: [String]) throws {
    #expect(try Self.fields(template, line) == found)
  }

  @Test(arguments: [
    ("P = {power} W", "Q = 5 W"), ("P = {power} W", "P = 5 V"), ("{a},{b},{c}", "1,2"),
    ("{a} x", "1"), ("x{a}", "")
  ])
  func findsNothingInOtherLines(template: String, line: String) throws {
    #expect(try Self.fields(template, line) == nil)
  }

  @Test(arguments: ["", "no name", "{a}{b}", "{a", "a} {b}", "{a} }"])
  func refusesTemplates(text: String) {
    #expect(throws: LineTemplate.Problem.self) { try LineTemplate(text) }
  }

  private static func options(_ more: [String: Value]) throws -> CommandOptions {
    try CommandOptions(
      [
        "argv": .list([.text("tool")]),
        "columns": .list([.text("time"), .text("-"), .text("power"), .text("energy")]),
        "channels": .map([
          "power": .map(["unit": .text("mW"), "site": .text("cpu")]),
          "energy": .map(["unit": .text("J"), "summed": .boolean(true)])
        ])
      ].merging(more) { $1 }, name: "m")
  }

  private struct Result {
    var sink = KeepingSink()
    var samples: [Int64]
    var lost: Int64
    var failure: MeterFailure?
  }

  /// Takes text in pieces that each come 1 ms later.
  private static func take(_ pieces: [[UInt8]], _ options: CommandOptions) -> Result {
    let sink = KeepingSink()
    var stream = LineStream(options.plan, name: "m", into: sink)
    for (index, piece) in pieces.enumerated() {
      stream.take(piece.span, arrival: 1_000_000_000 + Int64(index) * 1_000_000)
    }
    _ = stream.finish()
    return Result(
      sink: sink, samples: stream.samples, lost: stream.lost, failure: stream.failure)
  }

  /// Twenty lines of a program's clock come together and late, as when it begins on a busy machine; those after
  /// them come at once. What is behind the first ones is not dragged along.
  @Test func linesThatBeginLateDoNotShiftTheClock() throws {
    let options = try Self.options([:])
    let sink = KeepingSink()
    var stream = LineStream(options.plan, name: "m", into: sink)
    func text(_ numbers: Range<Int>) -> [UInt8] {
      numbers.flatMap { Array("\(Double($0) / 1000),a,1,2\n".utf8) }
    }
    stream.take(text(1..<21).span, arrival: 1_020_000_000)
    for number in 21..<2000 {
      stream.take(
        text(number..<number + 1).span, arrival: 1_000_050_000 + Int64(number) * 1_000_000)
    }
    let fit = stream.finish()
    let (times, _) = sink.samples(0)
    #expect(times.count == 1999)
    for number in [100, 1000, 1999] {
      let off = fit.host(times[number - 1]) - (1_000_000_000 + Int64(number) * 1_000_000)
      #expect((0..<1_000_000).contains(off), "\(off) ns at \(number)")
    }
  }

  private static let text = """
    # time, name, power, energy
    0.001,a,1500.25,0.5

    0.002,a,-1.5,0.25
    0.003,"b,1
    0.003,"b",nan,0.25
    0.004,c,7,1e-3

    """

  @Test func readsColumns() throws {
    let options = try Self.options([:])
    #expect(options.plan.channels.map(\.name) == ["power", "energy"])
    #expect(options.plan.channels[1].wrap == 0 && options.plan.channels[0].site == "cpu")
    let result = Self.take([Array(Self.text.utf8)], options)
    let power = result.sink.samples(0)
    #expect(power.codes.map { options.plan.channels[0].value(of: $0) } == [1.50025, -0.0015, 0.007])
    // From the first line's arrival on.
    #expect(power.times == [1_000_000_000, 1_001_000_000, 1_003_000_000])
    #expect(result.sink.samples(1).codes == [500_000, 750_000, 1_000_000, 1_001_000])
    #expect(result.samples == [3, 4] && result.lost == 1)
    let events = result.sink.events
    #expect(events.map(\.kind) == [.error, .reset, .error])
    #expect(events[0].count == 1 && events[0].note == "'0.003,\"b,1'")
    #expect(events[0].from == 1_001_000_000 && events[0].to == 1_002_000_000)
    #expect(events[2].channel == 0 && events[2].note == "'nan'")
  }

  @Test func truncatedOrInPiecesItIsTheSame() throws {
    let options = try Self.options([:])
    let bytes = Array(Self.text.utf8)
    let whole = Self.take([bytes], options)
    for end in bytes.indices {
      let (head, tail) = (Array(bytes[..<end]), Array(bytes[end...]))
      let cut = Self.take([head], options)
      let lines = head.filter { $0 == 10 }.count
      // The lines that came whole, less the comment, the empty and the bad one.
      #expect(cut.samples[1] == [0, 0, 1, 1, 2, 2, 3, 4][lines], "cut at \(end)")
      #expect(cut.lost == (lines > 4 ? 1 : 0) + (head.last == 10 || head.isEmpty ? 0 : 1))
      let pieces = Self.take([head, tail], options)
      #expect(pieces.sink.samples(1).codes == whole.sink.samples(1).codes, "split at \(end)")
      #expect(pieces.lost == whole.lost)
    }
  }

  @Test func whateverAByteIsNothingIsMadeUp() throws {
    let bytes = Array(Self.text.utf8)
    for format in ["columns", "line"] {
      let options =
        format == "line"
        ? try Self.options(["line": .text("{time},{},{power},{energy}")]) : try Self.options([:])
      for place in bytes.indices {
        for byte: UInt8 in [0, 10, 32, 44, 45, 46, 57, 101, 123, 255] {
          var wrong = bytes
          wrong[place] = byte
          let result = Self.take([wrong], options)
          let times = result.sink.samples(1).times
          #expect(zip(times, times.dropFirst()).allSatisfy(<), "byte \(place) = \(byte)")
          let lines = wrong.split(separator: 10).count
          #expect(result.samples.allSatisfy { $0 <= lines } && result.lost <= lines)
          #expect(result.samples[1] + result.lost >= 3, "byte \(place) = \(byte)")
        }
      }
    }
  }

  @Test func linesWithoutEndTakeNoMemory() throws {
    let options = try Self.options([:])
    let flood = [UInt8](repeating: 65, count: 50_000)
    let good = Array("\n1,a,2,3\n".utf8)
    let result = Self.take([flood, flood, flood, good], options)
    #expect(result.samples == [1, 1] && result.lost == 1)
    #expect(result.sink.events.first?.note.hasPrefix("a line of more than") == true)
  }

  private static let pattern: [String: Value] = [
    "columns": .null,
    "pattern": .text(
      "^(?:\\[INFO\\] )?t=(?<time>[0-9.]+)(?: on=(?<power>[-0-9.]+))?.*E (?<energy>\\S+)")
  ]

  @Test func readsLinesByARegularExpression() throws {
    let options = try Self.options(Self.pattern.merging(["skip": .text("^-+$")]) { $1 })
    let text = """
      ----
      t=1.5 on=20 mW, E 1
      [INFO] t=1.6 on=-3.5 E 2 and more
      t=1.7 E 3
      connected
      t=1.8 on=1 E 4

      """
    let result = Self.take([Array(text.utf8)], options)
    let power = result.sink.samples(0)
    #expect(power.codes.map { options.plan.channels[0].value(of: $0) } == [0.02, -0.0035, 0.001])
    #expect(power.times.map { ($0 - 1_000_000_000) / 1_000_000 } == [0, 100, 300])
    #expect(result.sink.samples(1).codes == [1_000_000, 3_000_000, 6_000_000, 10_000_000])
    // A group that took no part is no number; a line that is another one is lost, and said.
    #expect(result.samples == [3, 4] && result.lost == 1 && result.failure == nil)
    #expect(result.sink.events.map(\.note).contains("'connected'"))
    #expect(result.sink.events.contains { $0.kind == .error && $0.channel == 0 })
  }

  @Test(.timeLimit(.minutes(1)))
  func aPatternThatTakesWithoutEndEndsTheCapture() throws {
    for (name, pattern) in [("pattern", "^(?<power>(1+)+)$"), ("skip", "^(1+)+$")] {
      var more: [String: Value] = [
        "columns": .list([.text("power")]), "channels": .map(["power": .map(["unit": .text("W")])]),
        "rate": .number(10), name: .text(pattern)
      ]
      if name == "pattern" { more["columns"] = .null }
      let options = try Self.options(more)
      let good = Array("1\n".utf8)
      let bad = [UInt8](repeating: 49, count: 60) + Array("x\n".utf8)
      let result = Self.take(
        (name == "pattern" ? [good] : []) + [bad] + Array(repeating: good, count: 1000), options)
      #expect(result.failure?.message.contains("gave up on a line") == true, "\(name)")
      #expect(result.failure?.hint.contains("nested repetitions") == true)
      #expect(result.samples == [name == "pattern" ? 1 : 0] && result.lost == 1)
    }
  }

  @Test func levelsOfDigitalLines() throws {
    let options = try Self.options([
      "columns": .list([.text("time"), .text("d0")]),
      "channels": .map(["d0": .map(["unit": .text("logic")])])
    ])
    #expect(options.plan.channels.map(\.kind) == [.logic] && options.plan.channels[0].unit == "")
    let result = Self.take([Array("1,0\n2,1\n3,5\n4,0.25\n5,-0\n6,x\n".utf8)], options)
    #expect(result.sink.samples(0).codes == [0, 1, 1, 1, 0])
  }

  @Test func timesThatGoBackAreLeftOut() throws {
    let options = try Self.options([:])
    let text = "1,a,1,1\n3,a,1,1\n2,a,1,1\n3,a,1,1\n4,a,1,1\n9999,a,1,1\n5,a,1,1\n"
    let result = Self.take([Array(text.utf8)], options)
    #expect(
      result.sink.samples(0).times.map { ($0 - 1_000_000_000) / 1_000_000_000 } == [0, 2, 3, 4])
    #expect(result.lost == 3 && result.failure == nil)
    let stuck = "100,a,1,1\n" + String(repeating: "5,a,1,1\n", count: 20)
    let over = Self.take([Array(stuck.utf8)], options)
    #expect(over.failure?.code == .malfunction && over.samples == [1, 1])
  }

  @Test func aStatedRateTellsGaps() throws {
    let options = try Self.options(["rate": .number(1000)])
    let text = "0.001,a,1,1\n0.002,a,1,1\n0.0065,a,1,1\n0.0071,a,1,1\n"
    let result = Self.take([Array(text.utf8)], options)
    #expect(result.sink.events.map(\.kind) == [.gap] && result.sink.events[0].count == 4)
    #expect(result.lost == 4)
  }

  @Test func countedLinesHaveTheirPace() throws {
    let options = try Self.options([
      "columns": .list([.text("power")]), "channels": .map(["power": .map(["unit": .text("W")])]),
      "rate": .number(1000)
    ])
    // Some are no numbers, but lines all the same.
    let result = Self.take([Array("1\n2\nx\n4\n".utf8)], options)
    #expect(result.sink.samples(0).times.map { $0 - 1_000_000_000 } == [0, 1_000_000, 3_000_000])
  }

  /// A pace that is faster than it was said to be, and a first line that was late.
  @Test func noLineIsAheadOfItsArrival() throws {
    let counted = try Self.options([
      "columns": .list([.text("power")]), "channels": .map(["power": .map(["unit": .text("W")])]),
      "rate": .number(100)
    ])
    for (options, lines) in [
      (counted, (0..<50).map { _ in "1\n" }),
      (try Self.options([:]), (0..<50).map { "\(Double($0) / 100),a,1,1\n" })
    ] {
      // One each millisecond, where 10 ms are said to lie between them.
      let result = Self.take(lines.map { Array($0.utf8) }, options)
      let times = result.sink.samples(0).times
      #expect(times == (0..<50).map { 1_000_000_000 + $0 * 1_000_000 })
      #expect(result.lost == 0)
    }
  }

  @Test func aClockOfAnotherMachineIsRefused() throws {
    let options = try Self.options(["clock": .text("epoch")])
    let result = Self.take([Array("5,a,1,1\n6,a,1,1\n".utf8)], options)
    #expect(result.failure?.code == .malfunction && result.samples == [0, 0])
    #expect(result.failure?.hint.contains("clock: own") == true)
  }

  @Test(arguments: [
    (["columns": Value.list([.text("-")])], "no column is a channel"),
    (["columns": .list([.text("time"), .text("x")])], "nothing says what 'x' is"),
    (["pattern": .text("(?<power>")], "m: pattern: pattern '(?<power>'"),
    (["pattern": .text("([0-9]+)")], "no column is a channel"),
    (["columns": .list([.text("time"), .text("power")])], "no column is called 'energy'"),
    (
      ["columns": .list([.text("power"), .text("energy"), .text("power")])],
      "two columns are called 'power'"
    ),
    (["columns": .list([.text("power"), .text("energy")])], "nothing tells the times"),
    (["line": .text("{a}{b}")], "two names without"),
    (["separator": .text("ab")], "one character"),
    (
      ["channels": .map(["power": .map(["unit": .text("W"), "counter": .boolean(true)])])],
      "'energy'"
    ),
    (["argv": .list([])], "it has no program"),
    (["accuracy": .map(["power": .text("1 V")])], "cannot be read")
  ])
  func refusesOptions(more: [String: Value], message: String) {
    let failure = #expect(throws: MeterFailure.self) { try Self.options(more) }
    #expect(failure?.code == .invalid)
    #expect(failure?.message.contains(message) == true, "\(failure?.message ?? "")")
  }

  @Test func onlyEnergyAndChargeAreCounted() {
    let failure = #expect(throws: MeterFailure.self) {
      try Self.options([
        "columns": .list([.text("time"), .text("power")]),
        "channels": .map(["power": .map(["unit": .text("W"), "counter": .boolean(true)])])
      ])
    }
    #expect(failure?.message.contains("nothing that is counted") == true)
  }
}
