public import KelvinModel
internal import KelvinSystem

/// A board's power switch or reset line, by the name of the board: makes the switch, says whose it is
/// when it fails, and has the result confirmed.
///
/// Used by one thread at a time, like the switch itself.
public struct PowerControl: Sendable {
  /// What a meter sees of the board's supply, asked after each switching and each reading.
  ///
  /// The hook for whoever knows meters: it waits until the current agrees with what was `wanted`, or
  /// the deadline passes, and gives what it saw as a measured reading; nil when no meter watches this
  /// board. It throws only when a meter that should tell cannot.
  public typealias Confirmation =
    @Sendable (
      _ board: BoardEntry, _ wanted: PowerState, _ deadline: Deadline
    ) async throws(PowerFailure) -> PowerReading?

  public let board: BoardEntry
  /// `power of 'rock' (lcus)`
  public let subject: String
  /// See ``PowerSwitch/holdsLine``.
  public var holdsLine: Bool { power.holdsLine }
  private let kind: Declaration.Kind
  private let power: any PowerSwitch
  private let confirm: Confirmation?

  /// Makes the board's switch; nothing is opened yet.
  ///
  /// - Parameters:
  ///   - kind: `.power`, `.reset` for the board's reset line, or `.link`.
  ///   - confirm: see ``Confirmation``; nil when nothing but the switch can tell.
  /// - Throws: of kind configuration: the board has none, or its options are wrong.
  public init(
    _ board: BoardEntry, _ kind: Declaration.Kind = .power,
    switches: [any PowerSwitch.Type] = PowerSwitches.builtIn, host: PowerHost = PowerHost(),
    confirm: Confirmation? = nil
  ) throws(PowerFailure) {
    guard let choice = board.choice(of: kind) else {
      throw PowerFailure(
        .configuration, "\(board.location): board '\(board.name)' has no '\(kind.rawValue)'",
        hint: "name what switches it: '\(kind.rawValue): {lcus: {path: /dev/ttyUSB0}}'")
    }
    guard choice.driver != "meter" else {
      throw PowerFailure(
        .configuration,
        "\(choice.location): board '\(board.name)' is fed by a meter, which is not open here",
        hint: "'kelvin meter' switches a supply that measures")
    }
    let subject = "\(kind.rawValue) of '\(board.name)' (\(choice.driver))"
    guard
      let type = switches.first(where: {
        $0.declaration.name == choice.driver || $0.declaration.aliases.contains(choice.driver)
      })
    else {
      throw PowerFailure(
        .configuration, "\(choice.location): \(subject): no such switch",
        hint: NearestName.hint(for: choice.driver, in: switches.map { $0.declaration.name }))
    }
    var host = host
    host.lineName = "\(board.name).\(kind.rawValue)"
    do {
      power = try type.init(choice, host: host)
    } catch {
      throw error.of("\(choice.location): \(subject)")
    }
    self.board = board
    self.kind = kind
    self.subject = subject
    self.confirm = confirm
  }

  /// The same with somebody who asks a meter.
  public func confirmed(by confirm: @escaping Confirmation) -> PowerControl {
    PowerControl(self, confirm)
  }

  private init(_ other: PowerControl, _ confirm: @escaping Confirmation) {
    (board, subject, kind, power) = (other.board, other.subject, other.kind, other.power)
    self.confirm = confirm
  }

  /// Switches, and gives what is known of the supply afterwards.
  ///
  /// - Throws: also when the switch acknowledged but itself, or the meter, says otherwise.
  public func set(
    _ state: PowerState, until deadline: Deadline
  ) async throws(PowerFailure) -> PowerReading {
    do {
      try await power.set(state, until: deadline)
      return try await check(state, deadline)
    } catch { throw error.of(subject) }
  }

  /// Off for this long, then on; the time counts from when the switch acknowledged. Where a meter tells, the
  /// board stays off until that says so, too.
  ///
  /// - Throws: also when the meter never does; the board has been switched on again then.
  public func cycle(
    offSeconds: Double, until deadline: Deadline
  ) async throws(PowerFailure) -> PowerReading {
    do {
      guard confirm != nil else {
        try await power.cycle(offSeconds: offSeconds, until: deadline)
        return try await check(.on, deadline)
      }
      return try await cycleConfirmed(offSeconds, until: deadline)
    } catch {
      throw error.of(
        subject,
        remedy: kind == .reset
          ? "the board is held in reset: 'kelvin power on \(board.name) --reset'"
          : kind == .link
            ? "the board's link is off: 'kelvin power on \(board.name) --link'"
            : "the board is off: 'kelvin power on \(board.name)'")
    }
  }

  private func cycleConfirmed(
    _ offSeconds: Double, until deadline: Deadline
  ) async throws(PowerFailure) -> PowerReading {
    try await power.set(.off, until: deadline)
    let end = deadline.limited(toSeconds: offSeconds)
    var doubt: PowerFailure?
    do {
      _ = try await check(.off, deadline)
    } catch {
      doubt = error
    }
    _ = end.wait()
    try await power.setOnAgain(until: deadline)
    if let doubt { throw doubt }
    return try await check(.on, deadline)
  }

  /// What the supply is now: what a meter sees where one watches, else what the switch says.
  public func state(until deadline: Deadline) async throws(PowerFailure) -> PowerReading {
    do {
      let reading = try await power.state(until: deadline)
      guard reading.source != .measured, let wanted = reading.state, let confirm else {
        return reading
      }
      return try await confirm(board, wanted, deadline) ?? reading
    } catch { throw error.of(subject) }
  }

  private func check(
    _ wanted: PowerState, _ deadline: Deadline
  ) async throws(PowerFailure) -> PowerReading {
    let reading = try await power.state(until: deadline)
    if let state = reading.state, state != wanted {
      throw PowerFailure(
        .infrastructure,
        "switched \(wanted.rawValue), but it reads \(state.rawValue) (\(reading.source.rawValue))",
        hint: "look at the switch: its contact may be welded, or something else switches it too")
    }
    guard let confirm, let seen = try await confirm(board, wanted, deadline) else {
      return PowerReading(
        reading.state ?? wanted, reading.state == nil ? .commanded : reading.source)
    }
    if let state = seen.state, state != wanted {
      throw PowerFailure(
        .infrastructure,
        "switched \(wanted.rawValue), but the meter says \(state.rawValue)",
        hint: "look at the wiring: does this switch feed this board, and nothing else?")
    }
    return seen
  }
}

extension BoardEntry {
  /// What switches the board's power, its reset line or its link; nil for other kinds.
  public func choice(of kind: Declaration.Kind) -> DriverChoice? {
    switch kind {
    case .power: power
    case .reset: reset
    case .link: link
    default: nil
    }
  }
}
