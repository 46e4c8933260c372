internal import Glibc
public import KelvinConnections
public import KelvinModel
internal import KelvinSystem

extension Target {
  /// Waits until the board's system says that it has booted: systemd, Android, or the probe.
  ///
  /// Sources: systemctl(1), `is-system-running`; Android's `sys.boot_completed`.
  ///
  /// - Parameter probe: a shell line that must succeed besides; nil: none.
  /// - Throws: `timedOut`, with what it said last; `interrupted`.
  public func waitUntilBooted(
    probe: String? = nil, until deadline: Deadline
  ) async throws(ConnectionFailure) {
    var last = ""
    while true {
      do throws(ConnectionFailure) {
        let result = try await connection.execute(
          Command(
            ["sh", "-c", Target.bootScript(probe)], standardError: .capture(limit: 4096),
            endsDescendants: false), until: deadline.limited(toSeconds: 30))
        if result.isSuccess { return }
        last = String(
          (result.standardOutput.text + result.standardError.text).trimmingASCIIWhitespace
            .prefix(200))
      } catch {
        if error.code == .interrupted || !error.mayPass { throw error }
        last = error.message
      }
      // No event tells that a system is up: it is asked again.
      if case .interrupted = deadline.limited(toSeconds: 0.25).wait() {
        throw ConnectionFailure(.interrupted, "\(name): stopped")
      }
      guard !deadline.hasPassed else {
        throw ConnectionFailure(
          .timedOut, "\(name): answers, but has not booted to the end: \(last)",
          hint: "look at its console: 'kelvin bench console \(name)'")
      }
    }
  }

  /// Exits with 0 when the system is up; a service that failed does not keep a board from being used. The
  /// probe may exit, in a shell of its own.
  static func bootScript(_ probe: String?) -> String {
    """
    if [ -d /run/systemd/system ] && command -v systemctl >/dev/null; then
    s=$(systemctl is-system-running 2>/dev/null)
    case $s in running|degraded|maintenance) ;; *) echo "systemd: $s"; exit 1;; esac
    elif [ -x /system/bin/getprop ]; then
    s=$(getprop sys.boot_completed); [ "$s" = 1 ] || { echo "sys.boot_completed: $s"; exit 1; }
    fi
    """ + (probe.map { "\n( \($0)\n) || { echo 'the probe fails'; exit 1; }" } ?? "")
  }
}
