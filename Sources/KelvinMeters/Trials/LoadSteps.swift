public import KelvinConnections
public import KelvinModel

/// Steps of load on a board, at times that the board tells: what a trace of its power is aligned by.
///
/// A shell of the board runs a busy loop on each CPU in turn with nothing, in a pseudo-random order, and prints
/// its clock before and after each step (``StepClock``). That clock is mapped to this machine's by what several
/// exchanges allow, before and after.
public struct LoadSteps: Sendable {
  /// On this machine's monotonic clock, in nanoseconds.
  public var edges: [Int64]
  /// The standard uncertainty of all of them together, in nanoseconds: of the exchanges, and of where a step is
  /// between its two readings.
  public var uncertainty: Double

  /// Which steps, and how they are made.
  public struct Plan: Sendable, Hashable {
    /// 2^order − 1 dwells; 3...10.
    public var order: Int
    /// In seconds.
    public var dwell: Double
    /// Shell lines that make the load and end it; nil for busy loops.
    public var on: String?
    public var off: String?

    /// Describes them.
    public init(order: Int, dwell: Double, on: String? = nil, off: String? = nil) {
      self.order = min(10, max(3, order))
      self.dwell = dwell
      self.on = on
      self.off = off
    }

    /// How long all of it takes at least, in seconds: the idle times around it are two dwells each.
    public var duration: Double { dwell * Double((1 << order) - 1 + 4) }

    /// In seconds, from the beginning to the first step, and from each step to the next.
    var pauses: [Double] {
      let nominal = StepPattern.pseudoRandom(order: order, dwell: 1000, start: 0).edges
      let steps = zip(nominal.dropFirst(), nominal).map { Double($0 - $1) / 1000 * dwell }
      return [2 * dwell] + steps
    }

    /// What the board's shell does.
    func script(_ clock: StepClock) -> String {
      let busy = """
        kelvin_p=
        kelvin_on() { kelvin_i=$(nproc 2>/dev/null || grep -c ^processor /proc/cpuinfo)
        while [ "$kelvin_i" -gt 0 ]; do (while :; do :; done) & kelvin_p="$kelvin_p $!"
        kelvin_i=$((kelvin_i-1)); done; }
        kelvin_off() { kill $kelvin_p 2>/dev/null; wait $kelvin_p 2>/dev/null; kelvin_p=; }

        """
      let own = "kelvin_on() { \(on ?? ":")\n}\nkelvin_off() { \(off ?? ":")\n}\n"
      var script = on == nil ? busy : own
      script += clock.script + "trap kelvin_off EXIT\n"
      for (place, pause) in pauses.enumerated() {
        script += "sleep \(pause)\nkelvin_now; kelvin_a=$kelvin_t; "
        script += place % 2 == 0 ? "kelvin_on" : "kelvin_off"
        script += "\nkelvin_now; echo \"step $kelvin_a $kelvin_t\"\n"
      }
      return script + "trap - EXIT\nsleep \(2 * dwell)\n"
    }
  }

  /// Makes the steps; the calling thread is blocked meanwhile.
  ///
  /// - Throws: `unsupported` when the board has no clock that can be read; `malfunction` when that was set
  ///   meanwhile, or the steps did not come.
  public static func make(
    _ plan: Plan, on connection: any Connection, until deadline: Deadline
  ) async throws(MeterFailure) -> LoadSteps {
    let clock: StepClock
    let before: StepClock.Offset
    let after: StepClock.Offset?
    let result: CommandResult
    do throws(ConnectionFailure) {
      guard let found = try await StepClock.find(connection, until: deadline) else {
        throw ConnectionFailure(
          .unsupported, "\(connection.name): neither 'date +%s%N' nor /proc/uptime tells the time")
      }
      (clock, before) = found
      let command = Command(
        ["sh", "-c", plan.script(clock)], standardError: .capture(limit: 4096))
      result = try await connection.execute(command, until: deadline)
      after = try await clock.offset(connection, until: deadline)
    } catch {
      throw MeterFailure(error, of: connection.name)
    }
    // Clocks drift apart by up to 100 ppm: a millisecond in ten seconds.
    guard let after,
      abs(Double(before.middle - after.middle)) <= before.bound + after.bound + 1e6
    else {
      throw MeterFailure(
        .malfunction, "\(connection.name): its clock was set while the load was stepped",
        hint: "try again")
    }
    let steps = Self.steps(in: result.standardOutput.text, by: clock)
    guard steps.count == plan.pauses.count else {
      throw MeterFailure(
        .malfunction,
        "\(connection.name): \(steps.count) of \(plan.pauses.count) steps of load were made",
        evidence: result.standardError.text)
    }
    let best = before.bound <= after.bound ? before : after
    // Each step is somewhere between its readings, on average in their middle.
    let widths = steps.map { $0.after - $0.before + clock.step }
    let width = widths.map { Double($0) / 2 }.reduce(0, +) / Double(steps.count)
    return LoadSteps(
      edges: zip(steps, widths).map { $0.before + $1 / 2 + best.middle },
      uncertainty: ((best.bound * best.bound + width * width) / 3).squareRoot())
  }

  /// The readings before and after each step; lines that are none are left out.
  static func steps(in text: String, by clock: StepClock) -> [(before: Int64, after: Int64)] {
    text.split(separator: "\n").compactMap { line in
      let words = line.split(separator: " ")
      guard words.count == 3, words[0] == "step", let before = clock.nanoseconds(words[1]),
        let after = clock.nanoseconds(words[2]), after >= before, after - before < 3_600_000_000_000
      else { return nil }
      return (before, after)
    }
  }
}
