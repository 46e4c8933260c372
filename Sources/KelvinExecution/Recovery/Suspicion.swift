internal import KelvinModel

/// What is known when a board has stopped answering, and what follows from it. Pure.
///
/// A board that hangs and a cable that is out look alike to a connection. What tells them apart is
/// everything else: whether its kernel answers the network, and whether its console speaks.
struct Suspicion: Sendable, Hashable {
  enum Cause: Sendable, Hashable {
    /// A question got no answer in time.
    case noAnswer
    /// The way to ask is gone, in its own words.
    case lost(String)
  }

  let board: String
  let cause: Cause
  /// Seconds since it answered last.
  let silence: Double
  /// The heartbeat's. A way that goes sooner after an answer was closed, and no board that hangs closes
  /// anything.
  let period: Double
  /// Nil where there is no network to be asked.
  let link: LinkQuestion.Answer?
  /// Whether this machine answers for the board: then no answer of the link tells of the board's kernel.
  let isForwarded: Bool
  /// Seconds since its console spoke last; nil where none is watched.
  let consoleSilence: Double?
  /// Seconds since it was asked what got no answer; nil: as long as ``silence``.
  var unanswered: Double?

  /// What it comes to.
  func finding(at time: MonotonicTime = .now) -> Finding {
    let (kind, severity, what) = verdict
    return Finding(kind, severity, at: time, "\(board): \(what)", evidence: evidence)
  }

  /// Whether it spoke when it should have answered. What was said before it was asked, or just then, may have
  /// been the last that it did: an answer over the console itself, a message of the kernel.
  private var hasSpoken: Bool {
    let since = unanswered.map { $0 - Suspicion.margin } ?? silence
    return consoleSilence.map { $0 < since } ?? false
  }

  /// Seconds in which a board that was asked may still have gone.
  private static let margin = 0.5

  private var verdict: (Finding.Kind, KernelSign.Severity, String) {
    let since = "for \(Suspicion.text(silence))"
    if link == .served {
      // A program answers by the same network.
      return cause == .noAnswer
        ? (.unresponsive, .serious, "does not answer in its session \(since)")
        : (.linkAway, .serious, "its session is lost, and it answers new ones")
    }
    if !isForwarded, link == .accepted || link == .refused {
      if case .lost = cause {
        return (.linkAway, .fatal, "its session is lost, and its server does not answer")
      }
      return (.unresponsive, .serious, "its kernel answers, its programs do not, \(since)")
    }
    if case .lost = cause, silence < period {
      return (.linkAway, .fatal, "its link is away")
    }
    if hasSpoken {
      return (.linkAway, .fatal, "its link is away \(since): its console speaks")
    }
    switch (cause, link) {
    case (.lost, .refused):
      return (.linkAway, .fatal, "its link is away: what forwards to it is gone")
    case (.lost, nil), (.lost, .unknown):
      return (.linkAway, .fatal, "its link is away")
    default:
      return (.hang, .fatal, "hangs: nothing of it answers \(since)")
    }
  }

  /// What was seen, in words.
  private var evidence: [String] {
    var seen: [String] = []
    switch cause {
    case .noAnswer:
      seen.append("a question got no answer; the last came \(Suspicion.text(silence)) ago")
    case .lost(let why): seen.append("the connection went: \(why)")
    }
    switch link {
    case .served: seen.append("a new connection is served")
    case .accepted where isForwarded:
      seen.append("what forwards to it takes connections, and nothing comes through")
    case .accepted: seen.append("its kernel takes a TCP connection")
    case .refused where isForwarded: seen.append("what forwards to it refuses connections")
    case .refused: seen.append("its address refuses a TCP connection")
    case .silent(let why): seen.append("its network does not answer: \(why)")
    case .unknown(let why): seen.append("its network could not be asked: \(why)")
    case nil: break
    }
    if let consoleSilence {
      seen.append(
        hasSpoken
          ? "its console spoke \(Suspicion.text(consoleSilence)) ago"
          : "its console is silent for \(Suspicion.text(consoleSilence))")
    } else {
      seen.append("no console is watched")
    }
    if verdict.0 == .hang, !isForwarded || link == nil {
      seen.append("a cable that is out, or a supply that is off, would look the same")
    }
    return seen
  }

  private static func text(_ seconds: Double) -> String {
    let tenths = Int64((min(max(seconds, 0), 1e9) * 10).rounded())
    return "\(tenths / 10).\(tenths % 10) s"
  }
}
