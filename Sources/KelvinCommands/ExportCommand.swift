internal import ArgumentParser
internal import Glibc
internal import KelvinModel
internal import KelvinOutputs
internal import KelvinStore

extension CaptureFormat {
  /// A format by the name that options take.
  static func named(_ name: String) throws -> CaptureFormat {
    if let format = CaptureFormat(rawValue: name) { return format }
    let names = allCases.map(\.rawValue).joined(separator: ", ")
    throw ValidationError("'\(name)' is no format; there are \(names)")
  }
}

/// `kelvin export`: writes captures of a run in formats of other tools.
struct ExportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract:
      "Writes the captures of a run as CSV, Perfetto trace, JLS, .ppk2, sigrok or PTDaemon log.",
    discussion: """
      Without -o, files are written into the run directory: capture-NUMBER.SUFFIX. What a format \
      cannot hold is said on standard error; docs/captures.md lists what each keeps.

      EXAMPLES
        kelvin export runs/2026-11-21T10-02-33-x                          all captures as CSV
        kelvin export runs/2026-11-21T10-02-33-x --job 3 --format jls -o job3.jls
        kelvin export --perfetto runs/2026-11-21T10-02-33-x -o trace.perfetto-trace
        kelvin export runs/2026-11-21T10-02-33-x --dry-run                what there is
      """)

  @Argument(help: "The run directory.", completion: .directory)
  var directory: String

  @Option(
    help: ArgumentHelp(
      "One of \(CaptureFormat.allCases.map(\.rawValue).joined(separator: ", ")); default: by the "
        + "name of the file, or csv."),
    completion: .list(CaptureFormat.allCases.map(\.rawValue)), transform: CaptureFormat.named)
  var format: CaptureFormat?

  @Flag(help: "The same as --format perfetto.") var perfetto = false

  @Option(name: [.customShort("o"), .long], help: "The file to write.", completion: .file())
  var output: String?

  @Option(help: "Only the capture with this number, as --dry-run lists them.")
  var capture: Int64?

  @Option(help: "Only captures of this job, counted from 1 in the order of the plan.")
  var job: Int?

  @Flag(help: "Say what would be written, and write nothing.") var dryRun = false

  func validate() throws {
    if perfetto, let format, format != .perfetto {
      throw ValidationError("--perfetto and --format \(format.rawValue) contradict each other")
    }
    if let job, job < 1 { throw ValidationError("--job takes a number from 1") }
  }

  func run() async throws {
    let reader = try RunReader(directory: directory)
    let captures = try wanted(reader)
    let format = try chosenFormat()
    if output != nil, captures.count > 1 {
      let numbers = captures.map { String($0.id) }.joined(separator: ", ")
      throw PlainFailure(
        .configuration, "\(directory): \(captures.count) captures, and one file to write",
        hint: "choose one with --capture (\(numbers)), or leave -o out")
    }
    for capture in captures {
      let path = output ?? "\(directory)/capture-\(capture.id).\(format.suffix)"
      if dryRun {
        let names = capture.channels.map(\.name).joined(separator: ", ")
        Terminal.standardOutput.line(
          "capture \(capture.id) of \(capture.source) (\(names)) to \(path)")
        continue
      }
      let file = try ExportFile(path: path)
      let notes = try format.write(try CaptureSource(capture, in: reader), to: file)
      try file.commit()
      Terminal.standardOutput.line(path)
      for note in notes { Terminal.standardError.line("\(path): \(note)") }
    }
  }

  private func chosenFormat() throws -> CaptureFormat {
    if let format { return format }
    if perfetto { return .perfetto }
    guard let output else { return .csv }
    if let format = CaptureFormat(path: output) { return format }
    let suffixes = CaptureFormat.allCases.map { ".\($0.suffix)" }.joined(separator: ", ")
    throw PlainFailure(
      .configuration, "\(output): no format has this ending",
      hint: "end the name in one of \(suffixes), or give --format")
  }

  private func wanted(_ reader: RunReader) throws -> [CaptureRecord] {
    var captures: [CaptureRecord] = []
    if job == nil { captures += try reader.captures(ofAttempt: nil) }
    for record in try reader.jobs() where record.attempts > 0 {
      if let job, record.position != job - 1 { continue }
      for attempt in try reader.attempts(ofJob: record.position) {
        captures += try reader.captures(ofAttempt: attempt.id)
      }
    }
    guard !captures.isEmpty else {
      throw PlainFailure(
        .configuration, "\(directory): no captures\(job.map { " of job \($0)" } ?? "")",
        hint: "an instrument that samples makes one; 'kelvin list instruments' names them")
    }
    guard let capture else { return captures }
    captures.removeAll { $0.id != capture }
    guard !captures.isEmpty else {
      throw PlainFailure(
        .configuration, "\(directory): no capture \(capture)",
        hint: "'kelvin export \(directory) --dry-run' lists them")
    }
    return captures
  }
}
