/// Frames from what Android's dumpsys prints, in one or more dumps one after the other.
///
/// Two formats, both times in nanoseconds of the target's CLOCK_MONOTONIC:
/// - `dumpsys SurfaceFlinger --latency LAYER` (source: AOSP services/surfaceflinger/FrameTracker.cpp):
///   a line with the refresh period, then one line for each of the last 128 frames with three
///   numbers: desired present time, actual present time, frame ready time. Slots that were never
///   used hold zeros; a time that is not known yet is INT64_MAX.
/// - `dumpsys gfxinfo PACKAGE framestats` (source: developer.android.com, Test UI performance): after
///   a line that begins with `Applications Graphics`, for each window a table between two lines
///   `---PROFILEDATA---`: names of columns, then up to 120 rows of numbers, with commas. Columns
///   differ between versions. A row whose Flags are not 0 is an outlier and does not count.
///
/// Anything else is passed over.
struct FrameDumps: Hashable {
  /// What one dump held.
  struct Dump: Hashable {
    /// When frames were presented (gfxinfo: completed), in the order of the text.
    var times: [Int64] = []
    /// Rows, those without a usable time included: a full table may have lost older ones.
    var rows = 0
  }

  private(set) var dumps: [Dump] = []
  /// Nanoseconds between two refreshes of the display: the last that was said.
  private(set) var refreshPeriod: Int64?

  private var table: Table?
  private enum Table: Hashable {
    /// The next line names the columns.
    case begun
    case columns(count: Int, flags: Int?, completed: Int, interval: Int?)
    /// Its header does not have what is needed.
    case unusable
  }

  /// A layer or window has room for so many frames at least.
  static let capacity = 120
  /// 1 kHz to 1 Hz: what a display may do.
  private static let periods: ClosedRange<Int64> = 1_000_000...1_000_000_000

  /// Reads a text; later ones follow with ``take(_:)``.
  init(_ text: [UInt8] = []) { take(text) }

  /// Reads further dumps, which begin with the text.
  mutating func take(_ text: [UInt8]) {
    table = nil
    for line in KernelText(text) { take(line: KernelText.trim(line)) }
  }

  private mutating func take(line: ArraySlice<UInt8>) {
    if line.starts(with: "Applications Graphics".utf8) {
      table = nil
      dumps.append(Dump())
    } else if line.elementsEqual("---PROFILEDATA---".utf8) {
      if table == nil, dumps.isEmpty { dumps.append(Dump()) }
      table = table == nil ? .begun : nil
    } else if let table {
      take(
        row: line.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false), of: table)
    } else {
      takeLatency(line)
    }
  }

  private mutating func takeLatency(_ line: ArraySlice<UInt8>) {
    var numbers: [Int64] = []
    for field in KernelText.Fields(line) {
      guard numbers.count < 3, let number: Int64 = KernelText.integer(field) else { return }
      numbers.append(number)
    }
    switch numbers.count {
    case 1:
      dumps.append(Dump())
      if FrameDumps.periods.contains(numbers[0]) { refreshPeriod = numbers[0] }
    case 3 where !dumps.isEmpty:
      add(numbers[1], isUsed: numbers.contains { $0 != 0 })
    default: break
    }
  }

  private mutating func take(row: [ArraySlice<UInt8>], of table: Table) {
    switch table {
    case .begun:
      let names = row.map { KernelText.string($0) }
      guard let completed = names.firstIndex(of: "FrameCompleted") else {
        self.table = .unusable
        return
      }
      self.table = .columns(
        count: names.count, flags: names.firstIndex(of: "Flags"), completed: completed,
        interval: names.firstIndex(of: "FrameInterval"))
    case .columns(let count, let flags, let completed, let interval):
      // A row that was cut has fewer: rows and header end with a comma, which the last number needs.
      guard row.count == count,
        let time: Int64 = KernelText.integer(KernelText.trim(row[completed]))
      else { return }
      let isOutlier =
        flags.map { KernelText.integer(KernelText.trim(row[$0])) != Int64(0) } ?? false
      if let interval, let period: Int64 = KernelText.integer(KernelText.trim(row[interval])),
        FrameDumps.periods.contains(period)
      {
        refreshPeriod = period
      }
      add(isOutlier ? 0 : time, isUsed: true)
    case .unusable: break
    }
  }

  private mutating func add(_ time: Int64, isUsed: Bool) {
    if isUsed { dumps[dumps.count - 1].rows += 1 }
    // Zero: never presented; INT64_MAX: not yet.
    if time > 0, time < .max { dumps[dumps.count - 1].times.append(time) }
  }
}
