internal import Glibc
internal import KelvinModel

/// Captures as the log of samples that MLPerf Power's tools read (`spl.txt`), a line each second:
/// `Time,MM-DD-YYYY HH:MM:SS.mmm,Watts,w,Volts,v,Amps,a,PF,f,Mark,m`, times in UTC.
///
/// It has the shape of PTDaemon's log and is none: PTDaemon is SPEC's, knows the meters that SPEC
/// accepted, and checks them. A result of Kelvin's is not compliant with SPEC's or MLPerf's rules, and
/// the mark says where the figures are from.
public enum PTDaemonLog {
  private static let mark = "kelvin-not-ptdaemon"
  private static let second: Int64 = 1_000_000_000

  /// Writes the mean of each whole second since the capture began. A second in which a sample is
  /// missing, by a gap or by the ends of the capture, has no line.
  ///
  /// Voltage and current are of the power channel's site; -1 stands for what was not measured, as in
  /// PTDaemon's own log. The power factor is 1, since only mean power is known, of direct current.
  /// - Returns: what the file does not hold of the capture, for a person.
  /// - Throws: ``CaptureFileFailure`` when there is no power channel or several, or no wall time;
  ///   what the source's walk throws; ``OutputFailure``.
  public static func write(_ source: CaptureSource, to file: ExportFile) throws -> [String] {
    let powers = source.channels.indices.filter {
      source.channels[$0].kind == .power && source.channels[$0].unit == "W"
    }
    guard powers.count == 1, let power = powers.first else {
      throw CaptureFileFailure(
        .notRepresentable, "\(powers.count) channels of power in watts; this log holds exactly one",
        hint: "export as csv, which holds all")
    }
    guard source.reference != nil else {
      throw CaptureFileFailure(
        .notRepresentable, "the capture has no wall time, which each line of this log begins with")
    }
    let site = source.channels[power].site
    func beside(_ kind: MeterChannel.Kind) -> Int? {
      source.channels.indices.first {
        source.channels[$0].kind == kind && source.channels[$0].site == site
      }
    }
    let watts = try means(source, power)
    let volts = try beside(.voltage).map { try means(source, $0) } ?? [:]
    let amperes = try beside(.current).map { try means(source, $0) } ?? [:]
    let gaps = source.events.filter { $0.kind.isGap && $0.channel ?? power == power }
    let broken = gaps.map { gap in
      let from = source.wall(source.clock.host(gap.from)) ?? 0
      let to = source.wall(source.clock.host(gap.to)) ?? 0
      return from / second...max(from / second, to / second)
    }
    // The first and the last are not whole, either.
    let whole = watts.keys.sorted().dropFirst().dropLast().filter { number in
      !broken.contains { $0.contains(number) }
    }
    for number in whole {
      func text(_ value: Double?) -> String { value.map { fixed($0, decimals: 6) } ?? "-1.000000" }
      try file.write(
        "Time,\(time((number + 1) * second)),Watts,\(text(watts[number])),Volts,"
          + "\(text(volts[number])),Amps,\(text(amperes[number])),PF,1.000000,Mark,\(mark)\n")
    }
    var notes = ["the mean of each second; all else of the capture is left out"]
    notes.append("the shape of PTDaemon's log, not a result by SPEC's or MLPerf's rules")
    let missing = watts.count - whole.count
    if missing > 0 { notes.append("\(missing) seconds that are not whole were left out") }
    return notes
  }

  /// The mean of each second of wall time.
  private static func means(_ source: CaptureSource, _ index: Int) throws -> [Int64: Double] {
    var sums: [Int64: (sum: Double, count: Int)] = [:]
    let channel = source.channels[index]
    try source.forEachBlock(index) { block in
      for (place, code) in block.codes.enumerated() {
        guard let wall = source.wall(source.clock.host(block.times[place])) else { continue }
        sums[wall / second, default: (0, 0)].sum += channel.value(of: code)
        sums[wall / second, default: (0, 0)].count += 1
      }
    }
    return sums.mapValues { $0.sum / Double($0.count) }
  }

  /// `11-26-2026 22:41:05.000`, in UTC.
  private static func time(_ wall: Int64) -> String {
    var seconds = time_t(wall / second)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return "\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))-\(parts.tm_year + 1900) "
      + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)).000"
  }
}
