internal import ArgumentParser
internal import KelvinModel
internal import KelvinSimulators

/// `kelvin simulate usb-tester`: a USB tester on a serial line.
struct SimulateUSBTesterCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "usb-tester",
    abstract: "Stands in for a USB tester on a serial line: TC66C, UM24C, UM25C, UM34C, YZXStudio.",
    discussion: """
      Speaks its protocol on a pseudo terminal, and prints a bench file that means it. What passes through \
      it is 0.5 A ± 0.3 A as a sine of 2 s, from a supply of 5.1 V behind 50 mohm: 2.535 W on average. Somebody \
      else's clients can read it, too: PyPI's tc66-serial and pyummeter. Ends by Ctrl-C, and then tells what was \
      said.

      EXAMPLES
        kelvin simulate usb-tester --for '10 min' > tester.yaml &
        kelvin measure --bench tester.yaml --meter simulated-usb-tester --for '10 s'
        kelvin simulate usb-tester --model um25c
        kelvin simulate usb-tester --model yzxstudio                        sends by itself, four times a second
        kelvin simulate usb-tester --fault byte-loss-3 --after 50
        kelvin simulate usb-tester --model um34c --fault late-1500 --after 20
        kelvin simulate usb-tester --link /tmp/tester                       a path that stays the same
      """)

  @OptionGroup var line: SimulatedLineOptions

  @Option(
    help: "Which one: \(TesterModel.allCases.map(\.rawValue).joined(separator: ", ")).",
    completion: .list(TesterModel.allCases.map(\.rawValue)))
  var model = "tc66c"

  @Option(help: "What its faults are drawn from.") var seed: UInt64 = 1

  @Option(
    help: ArgumentHelp(
      "What happens once: byte-loss-N, flip-BIT, noise-N (bytes), late-N (milliseconds), twice, mute, babble, stall, unplug.",
      valueName: "event"))
  var fault: String?

  @Option(help: "After how many frames.") var after: Int64 = 50

  @Option(
    help: """
      What it says: \
      \(TesterFaults.Answers.allCases.map(\.rawValue).joined(separator: ", ")).
      """)
  var answers = "right"

  @Option(name: .customLong("for"), help: "End after this time, such as '10 min'.")
  var duration: TimeArgument?

  func validate() throws {
    try SimulatedBench.check(duration)
    _ = try (chosen(), faults())
    guard after >= 0 else { throw ValidationError("--after: 0 or more") }
  }

  private func chosen() throws -> TesterModel {
    guard let chosen = TesterModel(rawValue: model) else {
      throw ValidationError(
        "--model: one of " + TesterModel.allCases.map(\.rawValue).joined(separator: ", "))
    }
    return chosen
  }

  private func faults() throws -> TesterFaults {
    var faults = TesterFaults()
    guard let said = TesterFaults.Answers(rawValue: answers) else {
      throw ValidationError(
        "--answers: one of "
          + TesterFaults.Answers.allCases.map(\.rawValue).joined(separator: ", "))
    }
    faults.answers = said
    faults.interval /= 1 + line.skew * 1e-6
    if let fault {
      guard let event = TesterFaults.event(named: fault) else {
        throw ValidationError(
          "--fault: byte-loss-0 to -191, flip-0 to -1535, noise-N, late-N, twice, mute, babble, stall, unplug"
        )
      }
      faults.events[after] = event
    }
    return faults
  }

  private static func driver(_ model: TesterModel) -> String {
    switch model {
    case .tc66c: "tc66"
    case .um24c, .um25c, .um34c: "um25c"
    case .yzxstudio: "yzxstudio"
    }
  }

  func run() async throws {
    let stop = SignalInterrupt.begin()
    let model = try chosen()
    let device = try SimulatedTester(model, faults: faults(), at: line.port, seed: seed)
    defer { device.stop() }
    let link = try line.makeLink(to: device.path)
    defer { link?.remove() }
    SimulatedBench.print("a board that is fed through a USB tester", connection: "local")
    Terminal.standardOutput.line(
      """
          meters: [simulated-usb-tester]
      meters:
        simulated-usb-tester: {driver: \(Self.driver(model)), \(line.place(link?.path ?? device.path))}
      """)
    SimulatedBench.wait(duration, stop)
    let record = device.record
    Terminal.standardError.line(
      "said \(record.frames.count) frames to \(record.questions) questions")
  }
}
