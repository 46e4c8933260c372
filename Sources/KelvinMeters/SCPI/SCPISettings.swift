internal import KelvinModel

/// What was set at an instrument, and how it was before. Used by one thread at a time.
struct SCPISettings: Sendable {
  /// One thing that was changed, however often.
  struct Change: Sendable, Hashable {
    /// `channel 1: voltage`.
    var what: String
    /// What it is now, and was at first.
    var now: String
    var was: String
    /// Lines that put it back; empty: nothing does.
    var undo: [String]

    /// For people: `channel 1: voltage 3.3 V, was 0.0 V`.
    var text: String { "\(what) \(now)" + (was.isEmpty ? "" : ", was \(was)") }
  }

  private let profile: SCPIProfile
  private(set) var changes: [Change] = []

  init(_ profile: SCPIProfile) { self.profile = profile }

  /// What makes the next line mean a channel.
  func before(_ channel: Int) -> [String] {
    profile.select.map { [SCPICommand.text($0, channel: channel)] } ?? []
  }

  /// Sets what the options say, protections first, and switches on at last.
  ///
  /// - Throws: `invalid` when what stands is beyond the limits; `unsupported`; `malfunction` when the instrument takes
  ///   something else than what it was told, or complains. What was set by then is in ``changes``.
  mutating func apply(
    _ options: SCPIOptions, _ session: SCPISession, until deadline: Deadline
  ) throws(MeterFailure) {
    // Of a predecessor, or of a person at its keys.
    _ = try session.errors(profile.errors, until: deadline)
    for channel in options.channels {
      try apply(options, to: channel, session, until: deadline)
    }
    guard options.switchesOn else { return try complain(session, until: deadline) }
    for channel in options.channels {
      try checkLimits(options, channel, session, until: deadline)
      try turn(profile.output, on: true, "output", channel, session, until: deadline)
    }
    try complain(session, until: deadline)
  }

  private mutating func apply(
    _ options: SCPIOptions, to channel: Int, _ session: SCPISession, until deadline: Deadline
  ) throws(MeterFailure) {
    // A protection below what the output has would trip: then the voltage goes first.
    let stands =
      try options.overVoltage != nil
      ? value(profile.voltage, channel, session, until: deadline) : nil
    let voltageFirst = (options.overVoltage ?? .infinity) <= (stands ?? 0)
    if voltageFirst {
      try set(profile.voltage, options.voltage, "voltage", "V", channel, session, until: deadline)
    }
    try protect(
      profile.overVoltage, options.overVoltage, "over-voltage protection", "V", channel, session,
      until: deadline)
    if let overCurrent = options.overCurrent, profile.overCurrent?.level == nil {
      guard options.currentLimit == overCurrent else {
        throw MeterFailure(
          .unsupported, "\(session.name): its protection acts at the current limit",
          hint: "give 'over-current' and 'current-limit' the same value")
      }
    }
    try protect(
      profile.overCurrent, options.overCurrent, "over-current protection", "A", channel, session,
      until: deadline)
    try set(
      profile.currentLimit, options.currentLimit, "current limit", "A", channel, session,
      until: deadline)
    if !voltageFirst {
      try set(profile.voltage, options.voltage, "voltage", "V", channel, session, until: deadline)
    }
  }

  private mutating func protect(
    _ protection: SCPIProfile.Protection?, _ level: Double?, _ what: String, _ unit: String,
    _ channel: Int, _ session: SCPISession, until deadline: Deadline
  ) throws(MeterFailure) {
    guard let level else { return }
    guard let protection else { throw unsupported(what, session) }
    if let setting = protection.level {
      try set(setting, level, "level of \(what)", unit, channel, session, until: deadline)
    }
    if let state = protection.state {
      try turn(state, on: true, what, channel, session, until: deadline)
    }
  }

  /// What stands must be within the limits before it reaches the board.
  private func checkLimits(
    _ options: SCPIOptions, _ channel: Int, _ session: SCPISession, until deadline: Deadline
  ) throws(MeterFailure) {
    if options.maxVoltage != nil {
      let volts = try value(profile.voltage, channel, session, until: deadline)
      try options.within(
        volts.map { abs($0) }, options.maxVoltage, "V", "max-voltage", session.name)
    }
    if options.maxCurrent != nil {
      let amperes = try value(profile.currentLimit, channel, session, until: deadline)
      try options.within(amperes, options.maxCurrent, "A", "max-current", session.name)
    }
  }

  private func value(
    _ setting: SCPIProfile.Setting?, _ channel: Int, _ session: SCPISession,
    until deadline: Deadline
  ) throws(MeterFailure) -> Double? {
    guard let setting else { return nil }
    return try session.number(
      SCPICommand.text(setting.query, channel: channel), before: before(channel), until: deadline)
  }

  /// Sets a number, and reads it back.
  mutating func set(
    _ setting: SCPIProfile.Setting?, _ value: Double?, _ what: String, _ unit: String,
    _ channel: Int, _ session: SCPISession, until deadline: Deadline
  ) throws(MeterFailure) {
    guard let value else { return }
    guard let setting else { throw unsupported(what, session) }
    guard let old = try self.value(setting, channel, session, until: deadline) else {
      throw MeterFailure(.malfunction, "\(session.name): it does not say what its \(what) is")
    }
    guard abs(old - value) > 1e-6 else { return }
    let undo = before(channel) + [SCPICommand.text(setting.set, channel: channel, value: old)]
    // From here on it may be set, whatever becomes of it.
    note("channel \(channel): \(what)", "\(value) \(unit)", was: "\(old) \(unit)", undo: undo)
    try session.send(
      before(channel) + [SCPICommand.text(setting.set, channel: channel, value: value)],
      until: deadline)
    let now = try self.value(setting, channel, session, until: deadline)
    guard let now, isAsToldTo(now, value) else {
      throw MeterFailure(
        .malfunction,
        "\(session.name): its \(what) is \(now.map { "\($0) \(unit)" } ?? "unknown") after it was set to "
          + "\(value) \(unit)",
        evidence: try session.errors(profile.errors, until: deadline).map(\.description)
          .joined(separator: "; "),
        hint: "is that beyond what it can?")
    }
  }

  /// Supplies set in steps of up to 10 mV or 10 mA.
  private func isAsToldTo(_ value: Double, _ wanted: Double) -> Bool {
    abs(value - wanted) <= 0.01 + 0.002 * abs(wanted)
  }

  /// Switches something, and looks whether it is.
  mutating func turn(
    _ state: SCPIProfile.Switch?, on isOn: Bool, _ what: String, _ channel: Int,
    _ session: SCPISession, until deadline: Deadline
  ) throws(MeterFailure) {
    guard let state else { throw unsupported(what, session) }
    let query = SCPICommand.text(state.query, channel: channel)
    let bit = state.bit.map { $0 + channel - 1 }
    guard try session.isOn(query, bit: bit, before: before(channel), until: deadline) != isOn else {
      return
    }
    let lines = [isOn ? state.on : state.off, isOn ? state.off : state.on].map {
      before(channel) + [SCPICommand.text($0, channel: channel)]
    }
    note(
      "channel \(channel): \(what)", isOn ? "on" : "off", was: isOn ? "off" : "on", undo: lines[1])
    try session.send(lines[0], until: deadline)
    guard try session.isOn(query, bit: bit, before: before(channel), until: deadline) == isOn else {
      throw MeterFailure(
        .malfunction, "\(session.name): its \(what) stays \(isOn ? "off" : "on")",
        evidence: try session.errors(profile.errors, until: deadline).map(\.description)
          .joined(separator: "; "),
        hint: isOn ? "has a protection tripped?" : "")
    }
  }

  /// Notes a change; of several of one thing only the first one is undone, so that nothing is switched on and off
  /// again at the end.
  ///
  /// - Parameter undo: empty: it cannot be put back.
  mutating func note(_ what: String, _ now: String, was: String = "", undo: [String] = []) {
    if let place = changes.firstIndex(where: { $0.what == what }) {
      changes[place].now = now
    } else {
      changes.append(Change(what: what, now: now, was: was, undo: undo))
    }
  }

  /// Fails when the instrument complains of anything.
  func complain(_ session: SCPISession, until deadline: Deadline) throws(MeterFailure) {
    let errors = try session.errors(profile.errors, until: deadline)
    guard errors.isEmpty else {
      throw MeterFailure(
        .malfunction, "\(session.name): it did not take what it was told",
        evidence: errors.map(\.description).joined(separator: "; "),
        hint: "does the profile '\(profile.name)' fit it?")
    }
  }

  /// Puts everything back, the last one first, and looks whether the instrument complains.
  ///
  /// - Returns: what could not be put back, and why.
  mutating func undo(_ session: SCPISession, until deadline: Deadline) -> [String] {
    var left: [String] = []
    for change in changes.reversed() {
      guard !change.undo.isEmpty else {
        left.append(change.text)
        continue
      }
      do throws(MeterFailure) {
        try session.send(change.undo, until: deadline)
        try complain(session, until: deadline)
      } catch { left.append("\(change.text): \(error.message)") }
    }
    changes = []
    return left
  }

  private func unsupported(_ what: String, _ session: SCPISession) -> MeterFailure {
    MeterFailure(
      .unsupported, "\(session.name): with profile '\(profile.name)' it has no \(what) to set")
  }
}
