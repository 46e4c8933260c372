internal import KelvinMeters
internal import KelvinModel

/// What makes an attempt's figures worth less, as sentences.
enum EnergyFlags {
  /// Below it a figure is flagged: what benchmarks ask for (docs/measurement.md).
  static let leastCoverage = 0.999

  /// Of a rail in the window.
  static func flags(_ rail: String, _ figure: EnergyFigure) -> [String] {
    var flags: [String] = []
    if figure.coverage < leastCoverage {
      flags.append(
        "\(rail): only \(FigureText.percent(figure.coverage)) of the time was measured ("
          + reasons(figure) + "); " + FigureText.doubt(figure))
    } else if figure.losses.duration > 0 {
      let count = figure.losses.count
      flags.append(
        "\(rail): \(count) gap\(count == 1 ? "" : "s"), together "
          + FigureText.quantity(Double(figure.losses.duration) * 1e-9, "s"))
    }
    if let time = figure.losses.time[.saturation] {
      flags.append(
        "\(rail): the meter was at the end of its range for \(FigureText.quantity(Double(time) * 1e-9, "s"))"
      )
    }
    if figure.doubtful > 0 {
      flags.append(
        "\(rail): \(FigureText.quantity(Double(figure.doubtful) * 1e-9, "s")) are in the figure that do not "
          + "count: that was told too late")
    }
    return flags
  }

  /// Why time was lost, and how much: `edge 0.2 s, gap 0.1 s`.
  static func reasons(_ figure: EnergyFigure) -> String {
    figure.losses.time.sorted { $0.key.rawValue < $1.key.rawValue }
      .map { "\($0.key.rawValue) \(FigureText.quantity(Double($0.value) * 1e-9, "s"))" }
      .joined(separator: ", ")
  }

  /// Of a meter's capture as a whole.
  static func flags(_ summary: CaptureSummary, of meter: String) -> [String] {
    var flags: [String] = []
    if let channels = summary.counts["unchanged"]?.list?.compactMap(\.text), !channels.isEmpty {
      flags.append(
        "\(meter): \(channels.joined(separator: ", ")) gave the same value all the time: a meter that is "
          + "stuck, or a power that is very steady")
    }
    return flags
  }

  /// How a rail came out by a benchmark's rules; nil where all passed.
  static func failures(_ rail: String, _ verdict: RuleProfile.Verdict) -> String? {
    guard !verdict.passed else { return nil }
    return "\(rail): fails by the rules \(verdict.profile.rawValue): "
      + verdict.failed.map { "\($0.rule) (\($0.found); required: \($0.required))" }
      .joined(separator: ", ")
  }
}
