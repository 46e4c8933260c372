public import KelvinModel

/// What a meter does when nothing is asked of it but to measure for a while.
public struct MeterSelfTest: Sendable {
  /// What is looked at.
  public enum Check: String, Sendable, CaseIterable {
    case readable, rate, loss, repeats, stuck, range, noise, clock
  }
  public enum Outcome: String, Sendable {
    case ok
    /// Worth knowing; figures are right all the same.
    case note
    case failed
  }

  /// What one look came to.
  public struct Finding: Sendable, Hashable {
    public var check: Check
    /// Nil for the meter as a whole.
    public var channel: String?
    public var outcome: Outcome
    /// For people.
    public var text: String
  }

  public private(set) var findings: [Finding] = []

  /// Whether nothing failed.
  public var passed: Bool { !findings.contains { $0.outcome == .failed } }

  /// Judges what came.
  ///
  /// - Parameters:
  ///   - rate: that the meter states, in hertz; nil where it delivers as it likes.
  ///   - summary: of the capture.
  public init(
    _ figures: [MeterStatistics.ChannelFigures], events: [CaptureEvent], rate: Double?,
    summary: CaptureSummary
  ) {
    for (index, figures) in figures.enumerated() {
      let own = events.filter { $0.channel == index }
      readable(figures, own)
      // Of a digital line only the ends of its levels come: it has no rate, and no noise.
      guard figures.count > 0, figures.channel.kind != .logic else { continue }
      pace(figures, rate)
      repeated(figures)
      still(figures)
      range(figures, own)
      noise(figures)
    }
    loss(figures, events, summary)
    clock(events, summary)
    if let failure = summary.failure {
      add(.readable, nil, .failed, "it ended before it was stopped: \(failure.message)")
    }
  }

  private mutating func add(
    _ check: Check, _ channel: String?, _ outcome: Outcome, _ text: String
  ) {
    findings.append(Finding(check: check, channel: channel, outcome: outcome, text: text))
  }

  private mutating func readable(
    _ figures: MeterStatistics.ChannelFigures, _ events: [CaptureEvent]
  ) {
    let name = figures.channel.name
    let errors = events.filter { $0.kind == .error }
    let count = errors.reduce(0) { $0 + ($1.count ?? 1) }
    let why = errors.first.map { ": \($0.note)" } ?? ""
    if figures.count == 0 {
      add(.readable, name, .failed, "not one value\(why)")
    } else if count > 0 {
      // One in a thousand may be a bus that is shared.
      let isMany = Double(count) > 0.001 * Double(figures.count)
      add(
        .readable, name, isMany ? .failed : .note,
        "\(count) values could not be read, \(figures.count) could\(why)")
    } else {
      add(.readable, name, .ok, "\(figures.count) values")
    }
  }

  private mutating func pace(_ figures: MeterStatistics.ChannelFigures, _ rate: Double?) {
    let name = figures.channel.name
    guard let reached = figures.rate else {
      add(.rate, name, .failed, "one value only")
      return
    }
    guard let rate else {
      add(.rate, name, .ok, "\(FigureText.plain(reached)) Hz, as it delivers")
      return
    }
    let isReached = abs(reached / rate - 1) <= 0.05
    add(
      .rate, name, isReached ? .ok : .failed,
      "\(FigureText.plain(reached)) Hz"
        + (isReached ? "" : ", where it is set to \(FigureText.plain(rate)) Hz"))
  }

  private mutating func repeated(_ figures: MeterStatistics.ChannelFigures) {
    guard let repeats = figures.repeats, repeats.repeats > 0 else {
      add(.repeats, figures.channel.name, .ok, "no conversion was seen twice")
      return
    }
    add(
      .repeats, figures.channel.name, .note,
      "converted each \(FigureText.plain(repeats.conversionPeriod / 1e6)) ms and read more often: "
        + "\(repeats.repeats) of \(figures.count) values are none of their own")
  }

  private mutating func still(_ figures: MeterStatistics.ChannelFigures) {
    let name = figures.channel.name
    if figures.wentBack > 0 {
      add(.stuck, name, .failed, "a counter that went back \(figures.wentBack) times")
    } else if figures.isStuck, figures.channel.wrap != nil {
      add(.stuck, name, .failed, "a counter that stands still")
    } else if figures.isStuck, figures.count > 20 {
      add(
        .stuck, name, .note,
        "each of \(figures.count) values is \(FigureText.plain(figures.mean)) \(figures.channel.unit): "
          + "a steady quantity, or a chip that does not convert")
    } else {
      add(.stuck, name, .ok, "it changes")
    }
  }

  private mutating func range(
    _ figures: MeterStatistics.ChannelFigures, _ events: [CaptureEvent]
  ) {
    let name = figures.channel.name
    let unit = figures.channel.unit
    let saturated = events.filter { $0.kind == .saturation }.reduce(0) { $0 + ($1.count ?? 1) }
    let count = max(saturated, figures.atEnds)
    let extent =
      "\(FigureText.plain(figures.least)) to \(FigureText.plain(figures.greatest)) \(unit)"
    if count > 0 {
      add(.range, name, .failed, "\(count) values at an end of its range: \(extent)")
    } else if figures.channel.wrap == nil {
      add(.range, name, .ok, extent)
    }
  }

  private mutating func noise(_ figures: MeterStatistics.ChannelFigures) {
    let (name, unit) = (figures.channel.name, figures.channel.unit)
    if let power = figures.meanPower {
      add(.noise, name, .ok, "\(FigureText.plain(power)) W on average")
    } else {
      add(
        .noise, name, .ok,
        "\(FigureText.plain(figures.mean)) \(unit), scatter \(FigureText.plain(figures.deviation)) \(unit)"
      )
    }
  }

  private mutating func loss(
    _ figures: [MeterStatistics.ChannelFigures], _ events: [CaptureEvent],
    _ summary: CaptureSummary
  ) {
    let gaps = events.filter { $0.kind == .gap || $0.kind == .overrun }
    let counted = gaps.reduce(0) { $0 + ($1.count ?? 1) }
    let lost = max(summary.lost, counted)
    let all = figures.reduce(0) { $0 + $1.count }
    let witness =
      summary.witnesses.isEmpty
      ? "; nothing would show a loss" : " (\(summary.witnesses.joined(separator: ", ")))"
    guard lost > 0 else {
      add(.loss, nil, summary.witnesses.isEmpty ? .note : .ok, "none\(witness)")
      return
    }
    // MLPerf and others take a figure from 99.9 % of its samples on.
    let isMany = Double(lost) > 0.001 * Double(all + lost)
    add(.loss, nil, isMany ? .failed : .note, "\(lost) of \(all + lost) values\(witness)")
  }

  private mutating func clock(_ events: [CaptureEvent], _ summary: CaptureSummary) {
    let steps = events.filter { $0.kind == .clockStep }.count
    let fit = summary.clock
    if steps > 0 {
      add(.clock, nil, .failed, "it was set \(steps) times meanwhile")
    } else if fit.count == 0 {
      add(.clock, nil, .ok, "times of this machine")
    } else {
      let text =
        "\(FigureText.plain(fit.skew * 1e6)) ppm against this machine, "
        + "mapped within \(FigureText.plain(fit.uncertainty / 1e6)) ms"
      add(.clock, nil, abs(fit.skew) > 1e-3 ? .failed : .ok, text)
    }
  }
}
