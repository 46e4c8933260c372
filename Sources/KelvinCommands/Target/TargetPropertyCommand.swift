internal import ArgumentParser
internal import KelvinConnections
internal import KelvinModel
internal import KelvinTargets

/// `kelvin target property`: an Android's properties.
struct TargetPropertyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "property",
    abstract: "Prints an Android's properties, or sets one.",
    discussion: """
      A value that was set is read back. Boards without Android have what their kernel and their \
      system tell instead, which cannot be set.

      EXAMPLES
        kelvin target property phone
        kelvin target property phone ro.product.model
        kelvin target property phone debug.hwui.profile true
        kelvin target property rock uptime

      EXIT CODES
        1 when there is no property of that name
      """)

  @Argument(help: "The board, by its name in the bench file; local is this machine.")
  var board: String

  @Argument(help: "The property; default: all.") var name: String?

  @Argument(help: "The value to set.") var value: String?

  @Option(help: "How long it may take.") var timeout = "30 s"

  @Option(help: "Print as text or json.") var format = OutputFormat.text

  @OptionGroup var target: TargetOptions

  func run() async throws {
    let deadline = try Deadline.ofCommand(timeout)
    if let name, let value {
      return try await target.withTarget(board, for: "property", until: deadline) {
        try await $0.setProperty(name, to: value, until: deadline)
      }
    }
    var properties = try await target.withTarget(board, for: "property", until: deadline) {
      try await $0.properties(until: deadline)
    }
    if let name {
      guard let value = properties[name] else {
        let failure = PlainFailure(
          .target, "\(board): there is no property '\(name)'",
          hint: NearestName.hint(for: name, in: properties.keys.sorted()))
        Terminal.standardError.line("kelvin: \(failure)")
        throw CommandExit(code: 1)
      }
      properties = [name: value]
    }
    if format == .json {
      Terminal.standardOutput.line(Value.map(properties.mapValues { .text($0) }).json)
    } else if let name {
      Terminal.standardOutput.line(properties[name] ?? "")
    } else {
      TextTable(
        header: ["NAME", "VALUE"], right: [],
        rows: properties.sorted { $0.key < $1.key }.map {
          [TextTable.printable($0.key), TextTable.printable($0.value)]
        }
      ).print()
    }
  }
}
