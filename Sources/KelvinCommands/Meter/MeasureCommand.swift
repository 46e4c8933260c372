internal import ArgumentParser
internal import Foundation
internal import KelvinConnections
internal import KelvinExecution
internal import KelvinMeters
internal import KelvinModel
internal import KelvinTargets

/// `kelvin measure`: what a command, or a while, costs in energy.
struct MeasureCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "measure",
    abstract: "Measures the energy of a command, or of a while.",
    discussion: """
      Runs a command on a board, or waits, while a meter measures, and prints energy, mean and peak \
      power and duration. ± is the expanded uncertainty, k = 2: about 95 %. Coverage is the share of \
      the time in which something was measured; what the rest may have cost is stated apart. The \
      figures go to standard error when there is a command, whose own output is passed through.

      Without --meter the first is taken that the bench file ties to the board, else the best one of its \
      kernel: energy counters of the processor, then hwmon's chips, then a battery's gauge. Where there is none, that is said, and the time is \
      measured all the same.

      EXAMPLES
        kelvin measure -- openssl speed -seconds 2 sha256
        kelvin measure --for '10 s'
        kelvin measure --board rock --meter hwmon/ina226 -n 10 -- ./workload
        kelvin measure --subtract-idle '10 s' --rules mlperf-tiny -n 5 -- ./inference
        kelvin measure --meter ppk2-a --phase D0=inference --phase D1=radio --for '10 s'
        kelvin measure --accuracy power='1 % + 5 mW' --format json -o figure.json -- true

      EXIT CODES
        as of 'kelvin target exec': the command's own; 124 timed out, 125 Kelvin itself or the meter \
      failed, 126 the connection was lost, 130 ended by SIGINT
      """)

  @Option(
    help: "The meter, as 'kelvin meter list' names it, or as YAML: 'DRIVER: {OPTION: VALUE}'.")
  var meter: String?
  @OptionGroup var meters: MeterOptions
  @Option(name: .customLong("for"), help: "Measure for so long, without a command.")
  var time: TimeArgument?
  @Option(name: .customShort("n"), help: "Repeat it so often, and give mean and spread.")
  var repeats = 1
  @Option(help: "How long the command may run; default: without end.") var timeout: TimeArgument?
  @Option(help: "How often the meter is read, in hertz; default: the meter's own.")
  var rate: Double?
  @Option(
    help: "How far the meter's values may be off, by kind: power='1 % + 5 mW'; may be repeated.")
  var accuracy: [String] = []
  @Option(help: "The voltage of the supply, where the meter measures a current alone: '5 V'.")
  var voltage: String?
  @Option(
    help:
      "Energy above idle, too: idle power measured before each run for a time ('10 s'), or stated ('1.2 W ± 0.1 W')."
  )
  var subtractIdle: String?
  @Option(
    name: .customLong("phase"), parsing: .singleValue,
    help: """
      A phase by a digital input of the meter: 'D0=inference' is what goes on while D0 is high; may be \
      repeated.
      """)
  var phases: [String] = []
  @Option(
    help: "Judge the figures by a benchmark's rules, naming each that failed.",
    completion: .list(RuleProfile.allCases.map(\.rawValue)),
    transform: { text in
      let words = RuleProfile.allCases.map(\.rawValue)
      guard let profile = RuleProfile(rawValue: text) else {
        throw ValidationError("--rules: one of " + words.joined(separator: ", "))
      }
      return profile
    })
  var rules: RuleProfile?
  @Option(help: "Print as text or json.") var format = OutputFormat.text
  @Option(name: .shortAndLong, help: "Write the figures to this file.", completion: .file())
  var output: String?
  @Argument(parsing: .postTerminator, help: "The command and its arguments, after --.")
  var argv: [String] = []

  func validate() throws {
    guard argv.isEmpty != (time == nil) else {
      throw ValidationError("give a command after --, or a time by --for, not both")
    }
    guard (1...100_000).contains(repeats) else { throw ValidationError("-n: 1 to 100000") }
    if let rate, !(0.01...10_000).contains(rate) {
      throw ValidationError("--rate: 0.01 to 10000 (Hz)")
    }
    _ = try options()
    _ = try assumedVoltage()
    _ = try idlePower()
    do {
      try PhaseRecording.check(phases)
    } catch {
      throw ValidationError("--phase: \(error)")
    }
  }

  func run() async throws {
    let interrupt = SignalInterrupt.begin()
    let (options, voltage) = (try options(), try assumedVoltage())
    let request = Measurement.Request(
      what: time.map { .time($0.seconds) } ?? .command(argv, limit: timeout?.seconds ?? .infinity),
      repeats: repeats, voltage: voltage, idle: try idlePower(), rules: rules,
      phases: phases, interrupt: interrupt)
    let ready = Deadline.after(seconds: 60, interrupt: interrupt)
    let measured: Measurement
    do {
      measured = try await meters.withMeter(meter, options, for: "measure", until: ready) {
        try await Measurement.take(request, with: $0, on: $1)
      }
    } catch let failure as MeterFailure where meter == nil && !argv.isEmpty && failure.isAbsence {
      // Said, and then it runs all the same: its time is worth something, too.
      Terminal.standardError.line("kelvin: \(failure); only the time is measured")
      measured = try await meters.target.withTarget(
        meters.board, for: "measure", until: ready
      ) { try await Measurement.take(request, with: nil, on: $0) }
    }
    let text =
      format == .json ? MeasurementText.value(measured).json : MeasurementText.text(measured)
    if let output {
      do {
        try Data((text + "\n").utf8).write(to: URL(fileURLWithPath: output), options: .atomic)
      } catch {
        throw PlainFailure(.infrastructure, "\(output): cannot be written", evidence: "\(error)")
      }
    } else {
      (argv.isEmpty ? Terminal.standardOutput : Terminal.standardError).line(text)
    }
    if measured.exitCode != 0 { throw CommandExit(code: measured.exitCode) }
  }

  private func options() throws -> [String: Value] {
    var options: [String: Value] = [:]
    if let rate { options["rate"] = .number(rate) }
    var accuracies: [String: Value] = [:]
    for text in accuracy {
      let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2 else {
        throw ValidationError("--accuracy: expected KIND=FIGURE such as power='1 % + 5 mW'")
      }
      accuracies[parts[0]] = .text(parts[1])
    }
    if !accuracies.isEmpty { options["accuracy"] = .map(accuracies) }
    return options
  }

  private func assumedVoltage() throws -> PowerSource.AssumedVoltage? {
    guard let voltage else { return nil }
    guard let assumed = PowerSource.AssumedVoltage(voltage) else {
      throw ValidationError("--voltage: expected a voltage such as '5 V' or '5 V ± 0.1 V'")
    }
    return assumed
  }

  private func idlePower() throws -> IdlePower? {
    guard let subtractIdle else { return nil }
    guard let idle = IdlePower(subtractIdle) else {
      throw ValidationError("--subtract-idle: expected \(IdlePower.expectation)")
    }
    return idle
  }
}

extension MeterFailure {
  /// Whether it says that there is nothing to measure with, rather than that a meter failed.
  fileprivate var isAbsence: Bool { code == .notFound || code == .permission }
}
