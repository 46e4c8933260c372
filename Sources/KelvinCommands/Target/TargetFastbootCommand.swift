internal import ArgumentParser
internal import KelvinConnections
internal import KelvinModel

/// `kelvin target fastboot`: asks and orders a board's boot loader.
struct TargetFastbootCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fastboot",
    abstract: "Asks a board's boot loader, and has it do what it can.",
    discussion: """
      As 'bootloader' of the board says. What the boot loader itself says goes to standard error. \
      'kelvin target flash' writes images.

      EXAMPLES
        kelvin target fastboot rock getvar all
        kelvin target fastboot rock getvar max-download-size --format json
        kelvin target fastboot rock erase userdata
        kelvin target fastboot rock set-active b
        kelvin target fastboot rock oem device-info
        kelvin target fastboot rock upload log.bin    what an oem command has put ready
        kelvin target fastboot rock boot boot.img     starts it without writing it
        kelvin target fastboot rock continue
        kelvin target fastboot rock reboot bootloader
      """)

  enum Verb: String, ExpressibleByArgument, CaseIterable {
    case getvar, erase, boot, reboot, oem, upload
    case proceed = "continue"
    case setActive = "set-active"

    /// How many words follow.
    var words: ClosedRange<Int> {
      switch self {
      case .getvar, .erase, .boot, .upload, .setActive: 1...1
      case .reboot: 0...1
      case .oem: 1...32
      case .proceed: 0...0
      }
    }
  }

  @Argument(help: "The board, by its name in the bench file.") var board: String

  @Argument(help: "One of \(Verb.allCases.map(\.rawValue).joined(separator: ", ")).")
  var verb: Verb

  @Argument(help: "A variable or 'all', a partition, a slot, a file, 'bootloader', or oem's words.")
  var words: [String] = []

  @Option(help: "The slot to erase, where there are slots: a or b.") var slot: String?

  @Option(help: "How long it may take in all.") var timeout = "60 s"

  @OptionGroup var options: BootloaderOptions

  func validate() throws {
    guard verb.words.contains(words.count) else {
      throw ValidationError(
        "\(verb.rawValue): expected \(verb.words.upperBound == 1 ? "one word" : "other words") "
          + "after it, found \(words.count)")
    }
    if verb == .reboot, let word = words.first, word != "bootloader" {
      throw ValidationError("reboot: 'bootloader' or nothing may follow, found '\(word)'")
    }
  }

  func run() async throws {
    let deadline = try Deadline.ofCommand(timeout)
    let image = verb == .boot ? try FlashImage(words[0], until: deadline) : nil
    let (verb, words, slot) = (verb, words, slot)
    let isQuiet = verb == .getvar
    let answer = try await options.withBootloader(
      of: board, for: "fastboot \(verb.rawValue)", until: deadline,
      hear: { if !isQuiet { Terminal.standardError.line("bootloader: \($0)") } },
      { device in
        try await Self.carryOut(verb, words, slot: slot, image, on: device, until: deadline)
      })
    if let text = options.format == .json ? answer.value(board).json : answer.text {
      Terminal.standardOutput.line(text)
    }
  }

  /// What is printed.
  struct Answer: Sendable, Hashable {
    /// Nil: nothing to say.
    var text: String?
    var values: [String: Value] = [:]

    /// For `--format json`.
    func value(_ board: String) -> Value {
      .map(values.merging(["board": .text(board)]) { old, _ in old })
    }
  }

  private static func carryOut(
    _ verb: Verb, _ words: [String], slot: String?, _ image: FlashImage?,
    on device: FastbootDevice, until deadline: Deadline
  ) async throws -> Answer {
    switch verb {
    case .getvar where words[0] == "all":
      let variables = try await device.variables(until: deadline)
      return Answer(
        text: variables.map { "\($0.name): \($0.value)" }.joined(separator: "\n"),
        values: [
          "variables": .map(
            Dictionary(variables.map { ($0.name, .text($0.value)) }) { _, last in last })
        ])
    case .getvar:
      let value = try await device.variable(words[0], until: deadline)
      return Answer(text: value, values: ["name": .text(words[0]), "value": .text(value)])
    case .erase:
      let partition = try await device.partition(words[0], slot: slot, until: deadline)
      try await device.erase(partition, until: deadline)
      return Answer(text: "\(partition): erased", values: ["partition": .text(partition)])
    case .boot:
      if let image { try await device.boot(image, until: deadline) }
    case .reboot: try await device.reboot(toBootloader: !words.isEmpty, until: deadline)
    case .proceed: try await device.proceed(until: deadline)
    case .setActive: try await device.setActive(words[0], until: deadline)
    case .oem:
      let value = try await device.oem(words.joined(separator: " "), until: deadline)
      return Answer(text: value.isEmpty ? nil : value, values: ["value": .text(value)])
    case .upload:
      let count = try await device.upload(to: words[0], until: deadline)
      return Answer(
        text: "\(words[0]): \(ByteCount.text(count))",
        values: ["file": .text(words[0]), "size": .integer(count)])
    }
    return Answer()
  }
}
