internal import Glibc
public import KelvinConnections
public import KelvinModel
internal import KelvinSystem

/// What became of processes that a signal was meant for.
public struct SignalReport: Sendable, Hashable {
  public var sent: [TargetProcess] = []
  /// Ended before the signal reached them.
  public var gone: [TargetProcess] = []
  /// Those that Kelvin itself reaches the board by; no signal is sent to them.
  public var spared: [TargetProcess] = []
  /// With what the target said, mostly that it is not permitted.
  public var refused: [Refusal] = []

  public struct Refusal: Sendable, Hashable {
    public let process: TargetProcess
    public let reason: String
  }
}

extension Target {
  /// Sends a signal to processes, in one round trip: to each only if it is still the one that was found,
  /// and never to a shell that Kelvin works by, nor to what that was started by. A console's commands
  /// have left its login shell, which is therefore not known for one.
  public func signal(
    _ processes: [TargetProcess], _ number: Int32, asRoot: Bool = false, until deadline: Deadline
  ) async throws(ConnectionFailure) -> SignalReport {
    var report = SignalReport()
    var wanted = processes.filter { !$0.hasEnded }
    report.gone = processes.filter(\.hasEnded)
    let guarding = SignalGuard()
    report.spared = wanted.filter { !guarding.allows($0.processID, startTicks: $0.startTicks) }
    wanted.removeAll { report.spared.contains($0) }
    guard !wanted.isEmpty else { return report }
    let result = try await connection.execute(
      Command(
        ["sh", "-c", Target.signalScript, "sh", "\(number)"]
          + wanted.map { "\($0.processID):\($0.startTicks)" },
        endsDescendants: false, asRoot: asRoot), until: deadline)
    let lines = result.standardOutput.text.split(separator: "\n")
    for process in wanted {
      let own = lines.first { $0.hasPrefix("\(process.processID) ") }
      switch own?.split(separator: " ", maxSplits: 2).dropFirst().first {
      case "sent": report.sent.append(process)
      case "gone": report.gone.append(process)
      case "spared": report.spared.append(process)
      default:
        let reason = own.map { String($0.drop { $0 != " " }.dropFirst(9)) }
        report.refused.append(
          .init(
            process: process,
            reason: reason ?? "no answer: \(result.standardError.text.prefix(200))"))
      }
    }
    return report
  }

  /// Ends processes: SIGTERM, and to what is still there after `grace` seconds SIGKILL.
  ///
  /// - Returns: ``SignalReport/sent`` are those that have ended.
  /// - Throws: `timedOut` when some are left, as those are that hang in the kernel.
  public func end(
    _ processes: [TargetProcess], grace: Double = 2, asRoot: Bool = false, until deadline: Deadline
  ) async throws(ConnectionFailure) -> SignalReport {
    var report = try await signal(processes, SIGTERM, asRoot: asRoot, until: deadline)
    var left = try await waitForEnd(
      of: report.sent, until: deadline.limited(toSeconds: grace))
    if !left.isEmpty {
      let killed = try await signal(left, SIGKILL, asRoot: asRoot, until: deadline)
      report.refused += killed.refused
      let refused = Set(killed.refused.map(\.process))
      report.sent.removeAll { refused.contains($0) }
      left = try await waitForEnd(of: killed.sent, until: deadline.limited(toSeconds: 5))
    }
    guard left.isEmpty else {
      let names = left.map { "\($0.processID) (\($0.name), state \($0.state))" }
      throw ConnectionFailure(
        .timedOut, "\(name): still there after SIGKILL: \(names.joined(separator: ", "))",
        hint: "a process in state D waits for a device; look at 'kelvin target log --kernel'")
    }
    return report
  }

  /// For each `PID:TICKS` a line: sent, gone, spared, or what kill said.
  private static let signalScript = """
    n=$1; shift; ours=' 1 '
    parent() { l=$(cat "/proc/$1/stat" 2>/dev/null) || return 1; l=${l##*\\)}; set -- $l; p=$2; t=${20}; }
    me=$$; while parent $me; do ours="$ours$me "; me=$p; [ "$me" -gt 1 ] || break; done
    for a do p= t=; q=${a%%:*}
    case $ours in *" $q "*) echo "$q spared"; continue;; esac
    parent "$q"; [ "$t" = "${a##*:}" ] || { echo "$q gone"; continue; }
    if m=$(kill -$n "$q" 2>&1); then echo "$q sent"; continue; fi
    case $m in *[Nn]'o such process'*) echo "$q gone";; *) echo "$q refused" $m;; esac; done
    """
}
