internal import KelvinModel

/// What was set at an Otii, and how it was before. Used by one thread at a time.
struct OtiiSetup: Sendable {
  /// One thing that was changed.
  struct Change: Sendable, Hashable {
    var what: String
    var now: String
    /// Empty: nobody knows.
    var was: String
    /// What puts it back: a command and its data; nil: nothing does.
    var undo: Undo?

    struct Undo: Sendable, Hashable {
      var command: String
      var data: [String: Value]
    }

    /// For people: `main voltage 3.3 V, was 0.0 V`.
    var text: String { "\(what) \(now)" + (was.isEmpty ? "" : ", was \(was)") }
  }

  /// As the server knows it.
  let device: String
  private(set) var changes: [Change] = []

  init(device: String) { self.device = device }

  /// Sets what the options say, limits first, and switches on at last.
  ///
  /// - Throws: `invalid` when what stands is beyond the limits; `malfunction` when the device takes something else than
  ///   what it was told. What was set by then is in ``changes``.
  mutating func apply(
    _ options: OtiiOptions, _ session: OtiiSession, until deadline: Deadline
  ) throws(MeterFailure) {
    do throws(MeterFailure) {
      try session.ask("arc_add_to_project", data(), until: deadline)
    } catch {
      // Otii before 3.5.2 adds devices by itself.
      guard error.code == .unsupported else { throw error }
    }
    for channel in options.channels {
      try session.ask(
        "arc_enable_channel", data("enable", true, channel: channel), until: deadline)
      // Whether it was on before cannot be asked.
      note(Change(what: "channel \(channel.rawValue)", now: "on", was: ""))
    }
    if let rate = options.rate {
      for channel in options.channels where channel.kind != .logic {
        try setRate(rate, channel, session, until: deadline)
      }
    }
    try set(
      "max_current", options.currentLimit, "A", "current limit", session, until: deadline)
    if let range = options.range { try setRange(range, session, until: deadline) }
    try set("main_voltage", options.voltage, "V", "main voltage", session, until: deadline)
    guard options.switchesOn else { return }
    try checkLimits(options, session, until: deadline)
    try turn(on: true, session, until: deadline)
  }

  /// The data of a command.
  private func data(
    _ name: String = "", _ value: Value = .null, channel: OtiiChannel? = nil
  ) -> [String: Value] {
    var data: [String: Value] = ["device_id": .text(device)]
    if !name.isEmpty { data[name] = value }
    if let channel { data["channel"] = .text(channel.code) }
    return data
  }

  private func number(
    _ what: String, channel: OtiiChannel? = nil, _ session: OtiiSession, until deadline: Deadline
  ) throws(MeterFailure) -> Double {
    let command = "arc_get_\(what)"
    let answer = try session.ask(command, data(channel: channel), until: deadline)
    guard let number = answer["value"]?.number else {
      throw session.lacks("value", command, answer)
    }
    return number
  }

  private mutating func set(
    _ what: String, _ wanted: Double?, _ unit: String, _ title: String, _ session: OtiiSession,
    until deadline: Deadline
  ) throws(MeterFailure) {
    guard let wanted else { return }
    let old = try number(what, session, until: deadline)
    guard abs(old - wanted) > 1e-6 else { return }
    // From here on it may be set, whatever becomes of it.
    note(
      Change(
        what: title, now: "\(wanted) \(unit)", was: "\(old) \(unit)",
        undo: .init(command: "arc_set_\(what)", data: data("value", .number(old)))))
    try session.ask("arc_set_\(what)", data("value", .number(wanted)), until: deadline)
    let now = try number(what, session, until: deadline)
    guard abs(now - wanted) <= 0.01 + 0.002 * abs(wanted) else {
      throw MeterFailure(
        .malfunction,
        "\(session.name): its \(title) is \(now) \(unit) after it was set to \(wanted) \(unit)",
        hint: "is that beyond what it can?")
    }
  }

  private mutating func setRate(
    _ rate: Int64, _ channel: OtiiChannel, _ session: OtiiSession, until deadline: Deadline
  ) throws(MeterFailure) {
    let what = "channel_samplerate"
    let old = Int64(try number(what, channel: channel, session, until: deadline).rounded())
    guard old != rate else { return }
    note(
      Change(
        what: "rate of \(channel.rawValue)", now: "\(rate) Hz", was: "\(old) Hz",
        undo: .init(
          command: "arc_set_\(what)", data: data("value", .integer(old), channel: channel))))
    try session.ask(
      "arc_set_\(what)", data("value", .integer(rate), channel: channel), until: deadline)
    let now = try number(what, channel: channel, session, until: deadline)
    guard Int64(now.rounded()) == rate else {
      throw MeterFailure(
        .malfunction, "\(session.name): \(channel.rawValue) has \(now) Hz after \(rate) Hz was set",
        hint: "an Ace takes certain rates only")
    }
  }

  private mutating func setRange(
    _ range: String, _ session: OtiiSession, until deadline: Deadline
  ) throws(MeterFailure) {
    let answer = try session.ask("arc_get_range", data(), until: deadline)
    guard let old = answer["range"]?.text else {
      throw session.lacks("range", "arc_get_range", answer)
    }
    guard old != range else { return }
    note(
      Change(
        what: "range", now: range, was: old,
        undo: .init(command: "arc_set_range", data: data("range", .text(old)))))
    try session.ask("arc_set_range", data("range", .text(range)), until: deadline)
  }

  /// What stands must be within the limits before it reaches the board.
  private func checkLimits(
    _ options: OtiiOptions, _ session: OtiiSession, until deadline: Deadline
  ) throws(MeterFailure) {
    if options.maxVoltage != nil {
      let volts = try number("main_voltage", session, until: deadline)
      try options.within(volts, options.maxVoltage, "V", "max-voltage", session.name)
    }
    if options.maxCurrent != nil {
      let amperes = try number("max_current", session, until: deadline)
      try options.within(amperes, options.maxCurrent, "A", "max-current", session.name)
    }
  }

  /// Switches the main output, and looks whether it is.
  mutating func turn(
    on isOn: Bool, _ session: OtiiSession, until deadline: Deadline
  ) throws(MeterFailure) {
    guard try isMainOn(session, until: deadline) != isOn else { return }
    note(
      Change(
        what: "main output", now: isOn ? "on" : "off", was: isOn ? "off" : "on",
        undo: .init(command: "arc_set_main", data: data("enable", .boolean(!isOn)))))
    try session.ask("arc_set_main", data("enable", .boolean(isOn)), until: deadline)
    guard try isMainOn(session, until: deadline) == isOn else {
      throw MeterFailure(
        .malfunction, "\(session.name): its main output stays \(isOn ? "off" : "on")",
        hint: isOn ? "does the board draw more than its current limit?" : "")
    }
  }

  private func isMainOn(
    _ session: OtiiSession, until deadline: Deadline
  ) throws(MeterFailure) -> Bool {
    let answer = try session.ask("arc_get_main", data(), until: deadline)
    guard let isOn = answer["value"]?.boolean else {
      throw session.lacks("value", "arc_get_main", answer)
    }
    return isOn
  }

  /// Of several changes of one thing only the first one is undone.
  private mutating func note(_ change: Change) {
    if let place = changes.firstIndex(where: { $0.what == change.what }) {
      changes[place].now = change.now
    } else {
      changes.append(change)
    }
  }

  /// Whether anything was changed that can be put back.
  var hasUndo: Bool { changes.contains { $0.undo != nil } }

  /// Puts everything back, the last one first.
  ///
  /// - Returns: what could not be put back, and why.
  mutating func undo(_ session: OtiiSession, until deadline: Deadline) -> [String] {
    var left: [String] = []
    for change in changes.reversed() {
      guard let undo = change.undo else { continue }
      do throws(MeterFailure) {
        try session.ask(undo.command, undo.data, until: deadline)
      } catch { left.append("\(change.text): \(error.message)") }
    }
    changes = []
    return left
  }
}
