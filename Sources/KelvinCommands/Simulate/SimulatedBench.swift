internal import ArgumentParser
internal import KelvinModel
internal import KelvinSystem

/// What the commands share that stand in for devices: a bench file on standard output, what is
/// switched on standard error, and a bounded wait.
enum SimulatedBench {
  static func check(_ duration: TimeArgument?) throws {
    guard let seconds = duration?.seconds else { return }
    guard seconds > 0, seconds <= 1e6 else { throw ValidationError("--for: 0 to 1000000 s") }
  }

  /// A bench file with one board, which this machine stands for.
  static func print(_ what: String, power: String) {
    print(what, connection: "local")
    Terminal.standardOutput.line("    power: \(power)")
  }

  /// A bench file with one board that is reached so.
  static func print(_ what: String, connection: String) {
    Terminal.standardOutput.line(
      """
      # Simulated: \(what); there while 'kelvin simulate' runs.
      boards:
        simulated:
          profile: generic-linux
          connection: \(connection)
      """)
  }

  static func tell(_ part: String, _ isOn: Bool) {
    Terminal.standardError.line("\(part): \(isOn ? "on" : "off")")
  }

  /// Until the time is over, or a signal comes: both are an end as it should be.
  static func wait(_ duration: TimeArgument?, _ stop: Interrupt) {
    let deadline =
      duration.map { Deadline.after(seconds: $0.seconds, interrupt: stop) }
      ?? Deadline(time: nil, interrupt: stop)
    _ = deadline.wait()
  }
}
