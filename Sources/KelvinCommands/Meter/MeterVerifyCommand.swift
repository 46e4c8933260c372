internal import ArgumentParser
internal import Foundation
internal import KelvinMeters
internal import KelvinModel

/// `kelvin meter verify`: a meter against a known resistor.
struct MeterVerifyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Checks a meter against a known resistor.",
    discussion: """
      With nothing but the resistor as its load, current must be voltage over resistance, and power voltage \
      squared over resistance, within what meter and resistor state: the normalized error of ISO 13528 \
      (k = 2) is up to 1. What states nothing, or allows for more than 20 %, cannot tell.

      What was found is written to a YAML file. Those of meters that nobody has tried yet are worth \
      sending in, for hardware/meters/verified.

      EXAMPLES
        kelvin meter verify rail --load 100ohm,1%
        kelvin meter verify hwmon/ina226 --board rock --load '10 ohm, 0.1 %' -o found.yaml

      EXIT CODES
        0 pass; 1 fail; 2 bad input; 3 the meter failed; 4 cannot tell
      """)

  @Argument(
    help: "The meter, as 'kelvin meter list' names it, or as YAML: 'DRIVER: {OPTION: VALUE}'.")
  var meter: String
  @OptionGroup var meters: MeterOptions
  @Option(help: "The resistor, and how far it may be off: '100 ohm, 1 %'; default: 5 %.")
  var load: String
  @Option(name: .customLong("for"), help: "How long it measures; default: 5 s.")
  var time: TimeArgument?
  @Option(help: "Print as text or json.") var format = OutputFormat.text
  @Option(
    name: .shortAndLong, help: "The file of what was found; default: verify-METER-DATE.yaml.",
    completion: .file())
  var output: String?

  private struct Found: Sendable {
    var identity: MeterIdentity
    var verification: LoadVerification
  }

  func validate() throws { _ = try resistor() }

  private func resistor() throws -> LoadVerification.Load {
    guard let load = LoadVerification.Load(load) else {
      throw ValidationError("--load: expected a resistor such as '100 ohm' or '100 ohm, 1 %'")
    }
    return load
  }

  func run() async throws {
    let interrupt = SignalInterrupt.begin()
    let (load, seconds) = (try resistor(), time?.seconds ?? 5)
    let found = try await meters.withMeter(
      meter, for: "meter verify", until: .after(seconds: 30, interrupt: interrupt)
    ) { meter, _ in
      let trial = try await MeterTrial.take(meter, seconds: seconds, interrupt: interrupt)
      if let failure = trial.summary.failure { throw failure }
      return Found(
        identity: meter.identity,
        verification: try LoadVerification(trial.figures, load, meter: meter.identity.name))
    }
    let date = String(Date.ISO8601FormatStyle(timeZone: .gmt).format(.now).prefix(10))
    let path = output ?? "verify-\(Self.plain(found.identity.name))-\(date).yaml"
    do {
      try Data(Self.record(found, load, date).utf8).write(
        to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw PlainFailure(.infrastructure, "\(path): cannot be written", evidence: "\(error)")
    }
    print(found, path)
    switch found.verification.verdict {
    case .pass: break
    case .fail: throw CommandExit.jobNotOK
    case .cannotTell: throw CommandExit(code: 4)
    }
  }

  private func print(_ found: Found, _ path: String) {
    let checks = found.verification.checks
    switch format {
    case .json:
      Terminal.standardOutput.line(
        Value.map([
          "meter": MeterText.value(found.identity), "load": .text(load), "file": .text(path),
          "verdict": .text(found.verification.verdict.rawValue),
          "checks": .list(checks.map { .map(Self.fields($0)) })
        ]).json)
    case .text:
      TextTable(
        header: ["CHANNEL", "MEASURED", "EXPECTED", "EN", "VERDICT", "WHAT"], right: [],
        rows: checks.map { check in
          [
            check.channel, FigureText.quantity(check.measured, check.unit),
            FigureText.quantity(
              check.expected, plusMinus: check.uncertainty ?? 0, check.unit),
            check.normalizedError.map { FigureText.plain($0) } ?? "-", check.verdict.rawValue,
            check.text
          ].map(TextTable.printable)
        }
      ).print()
      Terminal.standardOutput.line(
        "\(found.identity.name): \(found.verification.verdict.rawValue); written to \(path)")
    }
  }

  private static func fields(_ check: LoadVerification.Check) -> [String: Value] {
    [
      "channel": .text(check.channel), "unit": .text(check.unit),
      "measured": .number(check.measured), "expected": .number(check.expected),
      "uncertainty": check.uncertainty.map { .number($0) } ?? .null,
      "en": check.normalizedError.map { .number($0) } ?? .null,
      "verdict": .text(check.verdict.rawValue), "compared": .text(check.text)
    ]
  }

  private static func plain(_ name: String) -> String {
    String(name.map { $0.isLetter || $0.isNumber || $0 == "-" ? $0 : "-" })
  }

  /// YAML, by JSON's scalars and maps, which are YAML's, too.
  private static func record(
    _ found: Found, _ load: LoadVerification.Load, _ date: String
  )
    -> String
  {
    let identity = found.identity
    var lines = [
      "# Of a meter against a known resistor, by 'kelvin meter verify'; uncertainties are expanded, k = 2."
    ]
    for (name, value) in [
      ("driver", Value.text(identity.driver)), ("model", .text(identity.model)),
      ("firmware", .text(identity.firmware)), ("range", .text(identity.range)),
      ("calibration", .text(identity.calibration)), ("date", .text(date)),
      ("kelvin", .text(KelvinVersion.text)),
      (
        "load",
        .map(["ohm": .number(load.resistance), "tolerance": .number(load.tolerance)])
      ), ("verdict", .text(found.verification.verdict.rawValue))
    ] { lines.append("\(name): \(value.json)") }
    lines.append("checks:")
    for check in found.verification.checks {
      lines.append("  - \(Value.map(fields(check)).json)")
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
