internal import KelvinConnections
internal import KelvinModel
internal import KelvinSystem

/// Asks a board at intervals whether it lives, on a thread of its own.
///
/// Twice in a period and a little more, with half a period for the answer: a board that hangs right
/// after an answer is found out within a period of it.
struct Heartbeat {
  private let pulse: any Pulse
  private let period: Double
  private let patience: Double
  private let link: LinkQuestion?
  private let state: WatchState

  /// Seconds for what a suspected board's network is asked.
  private static let questionTime = 1.0

  init(
    _ pulse: any Pulse, period: Double, patience: Double, link: LinkQuestion?, state: WatchState
  ) {
    self.pulse = pulse
    self.period = max(0.1, period)
    self.patience = patience
    self.link = link
    self.state = state
  }

  func run() {
    var answered = MonotonicTime.now
    var asked: MonotonicTime?
    var isSuspected = false
    // The network's answer is a part of the time in which a hang is to be found.
    let question = link == nil ? 0 : min(Heartbeat.questionTime, period / 4)
    let (rest, patience) = (0.4 * (period - question), 0.55 * (period - question))
    while true {
      do throws(ConnectionFailure) {
        asked = .now
        try pulse.beat(until: .after(seconds: patience, interrupt: state.end))
        if isSuspected {
          state.add(
            Finding(
              .unresponsive, .note,
              "\(state.board): answers again after "
                + "\(Double((MonotonicTime.now - answered) / 100_000_000) / 10) s"))
        }
        isSuspected = false
        answered = .now
        asked = nil
        state.hasAnswered()
        try pulse.rest(until: .after(seconds: rest, interrupt: state.end))
      } catch {
        if error.code == .interrupted || state.end.isRaised { return }
        let cause: Suspicion.Cause =
          error.code == .timedOut
          ? .noAnswer
          : .lost([error.message, error.evidence].filter { !$0.isEmpty }.joined(separator: ": "))
        if suspect(cause, since: answered, asked: asked, isFirst: !isSuspected) { return }
        isSuspected = true
      }
    }
  }

  /// Looks into it.
  ///
  /// - Returns: whether nothing is left to be asked.
  private func suspect(
    _ cause: Suspicion.Cause, since answered: MonotonicTime, asked: MonotonicTime?, isFirst: Bool
  ) -> Bool {
    let answer = link?.ask(
      until: .after(seconds: min(Heartbeat.questionTime, period / 4), interrupt: state.end))
    if state.end.isRaised { return true }
    let now = MonotonicTime.now
    let silence = Double(now - answered) / 1e9
    let suspicion = Suspicion(
      board: state.board, cause: cause, silence: silence, period: period, link: answer,
      isForwarded: link?.isForwarded ?? false,
      consoleSilence: state.spoke.map { Double(now - $0) / 1e9 },
      unanswered: cause == .noAnswer ? asked.map { Double(now - $0) / 1e9 } : nil)
    var finding = suspicion.finding(at: now)
    if finding.kind == .unresponsive, finding.severity < .fatal, silence > patience {
      finding = Finding(
        .unresponsive, .fatal, at: now, finding.message, evidence: finding.evidence)
    }
    if isFirst || finding.severity == .fatal { state.add(finding) }
    if finding.severity == .fatal { return true }
    if case .lost = cause { return true }
    return false
  }
}
