internal import ArgumentParser
internal import KelvinConnections
internal import KelvinModel
internal import KelvinTargets

/// `kelvin target info`: what a board is, as its kernel tells.
struct TargetInfoCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "info",
    abstract: "Tells what a board is, and how it is reached.",
    discussion: """
      EXAMPLES
        kelvin target info rock
        kelvin target info rock --format json
      """)

  @Argument(help: "The board, by its name in the bench file; local is this machine.")
  var board: String

  @Option(help: "How long it may take.") var timeout = "30 s"

  @Option(help: "Print as text or json.") var format = OutputFormat.text

  @OptionGroup var target: TargetOptions

  func run() async throws {
    let deadline = try Deadline.ofCommand(timeout)
    let (facts, name, capabilities) = try await target.withTarget(
      board, for: "info", until: deadline
    ) {
      (try await $0.facts(until: deadline), $0.connection.name, $0.connection.capabilities)
    }
    var rows: [(name: String, value: Value)] = [
      ("board", .text(board)), ("connection", .text(name)),
      ("separate streams", .boolean(capabilities.separateStreams)),
      ("scheduling", .boolean(capabilities.scheduling)),
      ("cpus online", .list(facts.onlineCPUs.map { .integer(Int64($0)) })),
      ("abi", .text(facts.abi))
    ]
    rows += facts.fingerprint.sorted { $0.key < $1.key }.map { ($0.key, .text($0.value)) }
    if format == .json {
      let map = Dictionary(
        rows.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
      Terminal.standardOutput.line(Value.map(map).json)
      return
    }
    let width = rows.map(\.name.count).max() ?? 0
    for row in rows {
      let padding = String(repeating: " ", count: width - row.name.count)
      Terminal.standardOutput.line("\(row.name)\(padding)  \(Self.text(row.value))")
    }
  }

  private static func text(_ value: Value) -> String {
    switch value {
    case .text(let text): text
    case .boolean(let flag): flag ? "yes" : "no"
    case .list(let values): values.map(text).joined(separator: " ")
    default: value.json
    }
  }
}
