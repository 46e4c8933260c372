internal import ArgumentParser
internal import Foundation
internal import KelvinExecution
internal import KelvinModel
internal import KelvinOutputs
internal import KelvinStore

/// `kelvin import`: makes a run of a file of samples, so that it can be analysed like any other.
struct ImportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import",
    abstract: "Makes a run of a file of samples: CSV, JLS, .ppk2 or sigrok.",
    discussion: """
      The run holds one capture and no jobs. A file that ends early or is damaged is read up to there; \
      the command says so and exits with 1.

      EXAMPLES
        kelvin import session.ppk2                        into runs/session
        kelvin import trace.jls -d runs/joulescope
        kelvin import table.txt --format csv --dry-run    only say what is in it
      """)

  @Argument(help: "The file.", completion: .file())
  var file: String

  @Option(
    name: [.customShort("d"), .long], help: "The run directory; default: runs/NAME of the file.",
    completion: .directory)
  var directory: String?

  @Option(
    help: "The file's format: csv, jls, ppk2 or sr; default: by its name.",
    completion: .list(CaptureFormat.allCases.filter(\.isImported).map(\.rawValue)),
    transform: CaptureFormat.named)
  var format: CaptureFormat?

  @Flag(help: "Say what the file holds, and make no run.") var dryRun = false

  func run() async throws {
    let bytes = try HostFile.read(file, limit: CaptureFormat.expandedLimit + 1)
    guard bytes.count <= CaptureFormat.expandedLimit else {
      throw PlainFailure(
        .configuration, "\(file): larger than \(CaptureFormat.expandedLimit >> 20) MiB",
        hint: "import a part of it: the tool that wrote it can cut it")
    }
    let capture: ImportedCapture
    do {
      capture = try chosenFormat().read(bytes, name: name)
    } catch let error as CaptureFileFailure {
      throw PlainFailure(
        .configuration, "\(file): \(error.message)", evidence: error.evidence, hint: error.hint)
    }
    report(capture)
    if !dryRun {
      let target = directory ?? "runs/\(name)"
      let record = RunRecord(
        id: UUID().uuidString.lowercased(), name: name, kelvinVersion: KelvinVersion.text,
        commandLine: CommandLine.arguments, board: "none: imported from \(file)",
        createdWallNanoseconds: MonotonicTime.wallNanoseconds, sources: [])
      try capture.store(at: target, run: record)
      Terminal.standardOutput.line(target)
    }
    if capture.damage != nil { throw CommandExit.jobNotOK }
  }

  /// The file's name without its ending.
  private var name: String {
    let last = file.split(separator: "/").last.map(String.init) ?? file
    let suffixes = CaptureFormat.allCases.map { "." + $0.suffix }
    if let suffix = suffixes.first(where: { last.hasSuffix($0) && last != $0 }) {
      return String(last.dropLast(suffix.count))
    }
    return last
  }

  private func chosenFormat() throws -> CaptureFormat {
    if let format { return format }
    let formats = CaptureFormat.allCases.filter(\.isImported)
    guard let format = CaptureFormat(path: file) else {
      throw PlainFailure(
        .configuration, "\(file): no format has this ending",
        hint: "give --format: " + formats.map(\.rawValue).joined(separator: ", "))
    }
    return format
  }

  private func report(_ capture: ImportedCapture) {
    for (channel, blocks) in zip(capture.channels, capture.blocks) {
      let count = blocks.reduce(0) { $0 + $1.times.count }
      var line = "\(channel.name): \(count) samples"
      if !channel.unit.isEmpty { line += " in \(channel.unit)" }
      if let first = blocks.first?.times.first, let last = blocks.last?.times.last {
        line += ", \(DurationText.short(last - first))"
      }
      Terminal.standardError.line(line)
    }
    for note in capture.notes { Terminal.standardError.line("\(file): \(note)") }
    if let damage = capture.damage {
      Terminal.standardError.line("\(file): read up to a damage: \(damage)")
    }
  }
}
