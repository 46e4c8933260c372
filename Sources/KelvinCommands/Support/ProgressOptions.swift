internal import ArgumentParser

/// How much a run says while it goes on, and in which form.
struct ProgressOptions: ParsableArguments {
  @Flag(name: .shortAndLong, help: "Say nothing but errors.")
  var quiet = false

  @Flag(name: .shortAndLong, help: "Say more: every attempt, every log line.")
  var verbose = false

  @Option(help: "Progress as text or as json, one object a line.")
  var logFormat = OutputFormat.text

  var level: ProgressPrinter.Level { quiet ? .quiet : verbose ? .verbose : .normal }
  var format: ProgressPrinter.Format { logFormat == .json ? .json : .text }

  func validate() throws {
    if quiet && verbose { throw ValidationError("--quiet and --verbose exclude each other") }
  }
}
