internal import Glibc
internal import KelvinModel
internal import KelvinPatterns

/// What a bench file says of a meter that is a program.
struct CommandOptions: Sendable {
  var argv: [String]
  /// Whether the program runs on the board; else on this machine.
  var isOnBoard: Bool
  var plan: LinePlan
  /// How long nothing may come, in seconds.
  var patience: Double
  /// What asks the program to end, and how long it may take, in seconds.
  var stop: (name: String, number: Int32)
  var grace: Double

  static let channel: [OptionDeclaration] = [
    .init(
      "unit", .text, required: true,
      "What is printed: 'mA', 'W', 'J'; 'logic' for a digital line, which is high where it is not 0."
    ),
    .init(
      "site", .text, default: "", "Where it is measured; voltage and current of one are a power."),
    .init("scale", .number, default: .number(1), "By what a printed number is multiplied."),
    .init(
      "resolution", .number, default: .number(1e-6), range: 1e-12...1e12,
      "The smallest step that is kept, in the printed unit."),
    .init(
      "counter", .boolean, default: .boolean(false), "Whether it only grows: an energy counter."),
    .init(
      "summed", .boolean, default: .boolean(false),
      "Whether each line holds what was added since the line before: the sum is a counter.")
  ]

  static let options: [OptionDeclaration] = [
    .init("argv", .argv, "The program and its arguments."),
    .init("shell", .text, "A line for the shell instead: 'tool --csv 2>/dev/null'."),
    .init(
      "on", .choice(["host", "board"]), default: .text("host"),
      "Where it runs: on this machine, or on the board through its connection."),
    .init(
      "columns", .list(.text), isDetail: true,
      "The columns of a line in order: channels, 'time', '-' for what is not wanted."),
    .init(
      "line", .text, isDetail: true,
      "How a line is written instead, with names in braces: '{time} P = {power} W'; '{}' is not "
        + "wanted, blanks are any number of them, what follows the last text is left out."),
    .init(
      "pattern", .pattern, isDetail: true,
      "How a line is written instead, as a regular expression whose named groups are the channels "
        + "and 'time': '^(?<time>\\S+).*P=(?<power>[0-9.]+)'."),
    .init(
      "skip", .pattern, isDetail: true,
      "Lines that it matches are passed over; all others that cannot be read are counted as lost."),
    .init(
      "separator", .text, default: .text(","), isDetail: true,
      "One character between columns; ' ' means any blanks."),
    .init(
      "channels", .map(.structure(channel, shorthand: "unit")), required: true, isDetail: true,
      "What each channel is: '{power: mW}', '{current: {unit: mA, site: cpu}}'."),
    .init(
      "time", .choice(["s", "ms", "us", "ns"]), default: .text("s"), isDetail: true,
      "The unit of the column 'time'."),
    .init(
      "clock", .choice(LinePlan.Clock.allCases.map(\.rawValue)), default: .text("own"),
      isDetail: true,
      "Which clock the column 'time' is of: 'own' of the program's, fitted to when lines come; "
        + "'monotonic', 'epoch' of the machine's."),
    .init(
      "rate", .quantity(.frequency, bare: "Hz"), range: 1e-6...1e7, isDetail: true,
      "Lines in a second. Without a column 'time' they are counted by it; with one, it tells gaps."),
    .init(
      "delay", .quantity(.time, bare: "s"), range: 0...3600, isDetail: true,
      "How late a line may come at most, where only its arrival tells its time."),
    .init(
      "header", .integer, default: .integer(0), range: 0...1e6, isDetail: true,
      "Lines at the beginning that are passed over."),
    .init(
      "comment", .text, default: .text("#"), isDetail: true,
      "What lines begin with that are passed over."),
    .init(
      "patience", .quantity(.time, bare: "s"), default: .number(10), range: 0.01...86_400,
      isDetail: true, "How long no line may come."),
    .init(
      "stop", .choice(["INT", "TERM", "HUP", "QUIT"]), default: .text("INT"), isDetail: true,
      "The signal that asks it to end."),
    .init(
      "grace", .quantity(.time, bare: "s"), default: .number(2), range: 0...600, isDetail: true,
      "How long it may take to end, before it is ended."),
    AccuracyOptions.option
  ]

  private static let signals: [String: Int32] = [
    "INT": SIGINT, "TERM": SIGTERM, "HUP": SIGHUP, "QUIT": SIGQUIT
  ]

  /// - Parameter name: of the meter, for messages.
  /// - Throws: `invalid` for what the declaration alone cannot tell.
  init(_ options: [String: Value], name: String) throws(MeterFailure) {
    func invalid(_ text: String, _ hint: String) -> MeterFailure {
      MeterFailure(.invalid, "\(name): \(text)", hint: hint)
    }
    let words = options["argv"]?.list?.compactMap(\.text) ?? []
    argv = options["shell"]?.text.map { ["sh", "-c", $0] } ?? words
    guard let program = argv.first, !program.isEmpty else {
      throw invalid("it has no program", "name it by 'argv' or 'shell'")
    }
    isOnBoard = options["on"]?.text == "board"
    patience = options["patience"]?.number ?? 10
    grace = options["grace"]?.number ?? 2
    let signal = options["stop"]?.text ?? "INT"
    stop = (signal, Self.signals[signal] ?? SIGINT)

    let (format, names) = try Self.format(options, name)
    let channels = options["channels"]?.map ?? [:]
    // In the order of the line.
    let wanted = names.filter { $0 != "time" && $0 != "-" && $0 != "" }
    guard !wanted.isEmpty else {
      throw invalid("no column is a channel", "name them in 'columns', 'line' or 'pattern'")
    }
    for column in names where column != "-" && column != "" {
      guard names.filter({ $0 == column }).count == 1 else {
        throw invalid("two columns are called '\(column)'", "'-' stands for what is not wanted")
      }
    }
    if let missing = wanted.first(where: { channels[$0] == nil }) {
      throw invalid(
        "nothing says what '\(missing)' is", "add it to 'channels': {\(missing): mW}")
    }
    if let extra = channels.keys.sorted().first(where: { !wanted.contains($0) }) {
      throw invalid("no column is called '\(extra)'", "there are \(names.joined(separator: ", "))")
    }
    let accuracy = try AccuracyOptions.read(options["accuracy"], of: name)
    let made = try wanted.map { (column) throws(MeterFailure) in
      try Self.channel(column, channels[column]?.map ?? [:], accuracy, name)
    }
    plan = LinePlan(
      format: format,
      fields: names.map { column in
        column == "time" ? .time : wanted.firstIndex(of: column).map { .channel($0) } ?? .unused
      },
      channels: made.map(\.0), codings: made.map(\.1),
      timing: try Self.timing(options, hasTime: names.contains("time"), name),
      period: options["rate"]?.number.map { 1e9 / $0 },
      header: Int(options["header"]?.integer ?? 0),
      comment: Array((options["comment"]?.text ?? "#").utf8),
      skip: try options["skip"]?.text.map { (text) throws(MeterFailure) in
        try Self.pattern(text, "skip", name)
      })
  }

  private static func format(
    _ options: [String: Value], _ name: String
  ) throws(MeterFailure) -> (LineFormat, [String]) {
    if let text = options["line"]?.text {
      do throws(LineTemplate.Problem) {
        let template = try LineTemplate(text)
        return (.template(template), template.names)
      } catch {
        throw MeterFailure(
          .invalid, "\(name): line '\(text)': \(error.text)",
          hint: "write it as it is printed, with names in braces: 'P = {power} W'")
      }
    }
    if let text = options["pattern"]?.text {
      let pattern = try pattern(text, "pattern", name)
      let groups = pattern.groupNames
      return (.pattern(pattern, groups: groups.map(\.number)), groups.map(\.name))
    }
    let columns = options["columns"]?.list?.compactMap(\.text) ?? []
    let separator = Array((options["separator"]?.text ?? ",").utf8)
    guard separator.count == 1, separator[0] != 10 else {
      throw MeterFailure(
        .invalid, "\(name): the separator must be one character",
        hint: "',', ';', a tab, or ' ' for any blanks")
    }
    // What comes after the last column that is wanted may be missing.
    let count = columns.lastIndex { $0 != "-" }.map { $0 + 1 } ?? 0
    return (.separated(by: separator[0], count: count), Array(columns.prefix(count)))
  }

  private static func pattern(
    _ text: String, _ option: String, _ name: String
  ) throws(MeterFailure) -> Pattern {
    do throws(Pattern.SyntaxFailure) {
      return try Pattern(text)
    } catch {
      throw MeterFailure(.invalid, "\(name): \(option): \(error.message)")
    }
  }

  private static func channel(
    _ name: String, _ options: [String: Value], _ accuracy: [MeterChannel.Kind: Accuracy],
    _ meter: String
  ) throws(MeterFailure) -> (Channel, LinePlan.Coding) {
    let symbol = options["unit"]?.text ?? ""
    let unit = Unit(symbol: symbol)
    let kind = unit.flatMap { MeterChannel.Kind(rawValue: $0.dimension.rawValue) }
    let resolution = options["resolution"]?.number ?? 1e-6
    let scale = options["scale"]?.number ?? 1
    let isSummed = options["summed"]?.boolean ?? false
    let isCounter = isSummed || options["counter"]?.boolean ?? false
    guard scale != 0, scale.isFinite, resolution > 0 else {
      throw MeterFailure(.invalid, "\(meter): \(name): a scale of 0 leaves nothing")
    }
    guard !isCounter || kind == .energy || kind == .charge else {
      throw MeterFailure(
        .invalid, "\(meter): \(name): '\(symbol)' is nothing that is counted",
        hint: "counters are of energy or charge: 'J', 'mWh', 'mAh'")
    }
    if symbol == "logic" {
      // A level has no unit; whatever is printed for high, 0 is low.
      return (
        Channel(name: name, unit: "", site: options["site"]?.text ?? "", kind: .logic),
        LinePlan.Coding(factor: 1, isSummed: false, isLevel: true)
      )
    }
    let factor = kind == nil ? 1 : unit?.factor ?? 1
    return (
      Channel(
        name: name, unit: kind?.dimension?.baseUnit ?? symbol, scale: resolution * factor,
        site: options["site"]?.text ?? "", kind: kind, accuracy: kind.flatMap { accuracy[$0] },
        wrap: isCounter ? 0 : nil),
      LinePlan.Coding(factor: scale / resolution, isSummed: isSummed)
    )
  }

  private static func timing(
    _ options: [String: Value], hasTime: Bool, _ name: String
  ) throws(MeterFailure) -> LinePlan.Timing {
    if hasTime {
      let digits = ["s": 0, "ms": 3, "us": 6, "ns": 9][options["time"]?.text ?? "s"] ?? 0
      let clock = options["clock"]?.text.flatMap(LinePlan.Clock.init(rawValue:)) ?? .own
      return .printed(clock, digits: digits)
    }
    if options["rate"]?.number != nil { return .counted }
    guard let delay = options["delay"]?.number else {
      throw MeterFailure(
        .invalid, "\(name): nothing tells the times of its lines",
        hint: "call a column 'time', or give the 'rate' of lines, or by how much one may come "
          + "late at most: 'delay: 50 ms'")
    }
    return .arrival(late: delay * 1e9)
  }
}
