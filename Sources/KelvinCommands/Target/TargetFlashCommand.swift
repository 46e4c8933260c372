internal import ArgumentParser
internal import KelvinConnections
internal import KelvinModel

/// `kelvin target flash`: writes an image to a partition.
struct TargetFlashCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "flash",
    abstract: "Writes an image to a partition of a board in its boot loader.",
    discussion: """
      By fastboot, as 'bootloader' of the board says. An image that is larger than one download is \
      split into sparse images; one that is sparse already is checked first, and split as well. \
      Where partitions have slots, the current one is meant.

      EXAMPLES
        kelvin target flash rock boot boot.img
        kelvin target flash rock system system.img --slot b --wait '30 s'
        kelvin target flash rock system system.img --format json
      """)

  @Argument(help: "The board, by its name in the bench file.") var board: String
  @Argument(help: "The partition, without its slot.") var partition: String
  @Argument(help: "The image: raw, or sparse.", completion: .file()) var image: String

  @Option(help: "The slot, where there are slots: a or b.") var slot: String?

  @Option(help: "At most this much in one download; default: what the boot loader says.")
  var maxDownload: String?

  @Option(help: "How long it may take in all.") var timeout = "10 min"

  @OptionGroup var options: BootloaderOptions

  func run() async throws {
    let start = MonotonicTime.now
    let deadline = try Deadline.ofCommand(timeout)
    let limit = try maxDownload.map { try ByteCount.read($0, "--max-download") }
    // What cannot be flashed is told before the board is taken.
    let image = try FlashImage(image, until: deadline)
    let printer = FlashPrinter(.standardError)
    let (partition, slot) = (partition, slot)
    let report: FlashReport
    do {
      report = try await options.withBootloader(
        of: board, for: "flash", until: deadline, hear: { printer.say($0) },
        { device in
          let whole = try await device.partition(partition, slot: slot, until: deadline)
          return try await device.flash(
            image, to: whole, limit: limit, until: deadline, progress: { printer.show($0, whole) })
        })
    } catch {
      printer.finish()
      throw error
    }
    printer.finish()
    let nanoseconds = MonotonicTime.now - start
    Terminal.standardOutput.line(
      options.format == .json
        ? Self.value(report, board, nanoseconds).json : Self.text(report, board, nanoseconds))
  }

  /// `rock: system: 32.0 MiB in 5 parts (0.4 s)`
  static func text(_ report: FlashReport, _ board: String, _ nanoseconds: Int64) -> String {
    let parts = report.parts == 1 ? "" : " in \(report.parts) parts"
    return "\(board): \(report.partition): \(ByteCount.text(report.sent))\(parts) "
      + "(\(DurationText.short(nanoseconds)))"
  }

  private static func value(
    _ report: FlashReport, _ board: String, _ nanoseconds: Int64
  ) -> Value {
    [
      "board": .text(board), "partition": .text(report.partition),
      "parts": .integer(Int64(report.parts)), "sent": .integer(report.sent),
      "size": .integer(report.size), "seconds": .number(Double(nanoseconds) / 1e9)
    ]
  }
}
