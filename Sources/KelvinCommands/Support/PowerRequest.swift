internal import KelvinDevices
internal import KelvinExecution
internal import KelvinModel
internal import KelvinStore
internal import KelvinTargets
internal import Synchronization

/// What is done to a board's power.
enum PowerAction: Sendable, Hashable {
  case on, off, state
  case cycle(offSeconds: Double)

  /// As on the command line.
  var word: String {
    switch self {
    case .on: "on"
    case .off: "off"
    case .state: "state"
    case .cycle: "cycle"
    }
  }
}

/// One call of `kelvin power`, without files and terminals.
struct PowerRequest: Sendable {
  var action: PowerAction
  var board: String
  /// `.power`, `.reset` or `.link`.
  var kind: Declaration.Kind
  /// Nil: no meter is asked. Whoever knows meters sets it.
  var confirm: PowerControl.Confirmation?
  /// Holds lines on afterwards; nil: nobody does.
  var keeper: LineKeeper? = LineKeeper(as: "kelvin power")

  init(action: PowerAction, board: String, kind: Declaration.Kind = .power) {
    self.action = action
    self.board = board
    self.kind = kind
  }

  /// What is known of the board afterwards.
  struct Report: Sendable, Hashable {
    var board: String
    var kind: Declaration.Kind
    var reading: PowerReading

    /// `rock: on (measured)`
    var text: String {
      "\(board): \(state) (\(reading.source.rawValue))"
    }
    /// For `--format json`.
    var value: Value {
      [
        "board": .text(board), "line": .text(kind.rawValue),
        "state": reading.state.map { .text($0.rawValue) } ?? nil,
        "source": .text(reading.source.rawValue)
      ]
    }
    private var state: String {
      switch (kind, reading.state) {
      case (_, nil): "unknown"
      case (.reset, .off?): "held in reset"
      case (.reset, .on?): "out of reset"
      case (_, let state?): state.rawValue
      }
    }
  }

  /// Switches on a thread of the board's own, since switches block.
  ///
  /// - Returns: the report, and what a user should know besides.
  func carryOut(
    on bench: Bench, until deadline: Deadline
  ) async throws -> (report: Report, warnings: [String]) {
    guard let entry = bench.board(named: board) else {
      throw PlainFailure(
        .configuration, "\(LocatedValue.quoted(board)): the bench has no such board",
        hint: NearestName.hint(for: board, in: bench.boards.map(\.name)))
    }
    let warnings = Warnings()
    var host = PowerHost(warn: { warnings.add($0) })
    host.keeper = keeper
    let control = try PowerControl(entry, kind, host: host, confirm: confirm)
    let reading = try await BoardSeat(board).run { [action] in
      switch action {
      case .on: try await control.set(.on, until: deadline)
      case .off: try await control.set(.off, until: deadline)
      case .state: try await control.state(until: deadline)
      case .cycle(let offSeconds):
        try await control.cycle(offSeconds: offSeconds, until: deadline)
      }
    }
    if control.holdsLine, action != .state {
      warnings.add(
        "\(control.subject): the line is only sure to keep its level while a program holds it, and "
          + "this one ends now")
    }
    return (Report(board: board, kind: kind, reading: reading), warnings.all)
  }

  /// What switches a board on that a command which is gone left off; nil when nothing does.
  static func switchingOn(
    _ board: BoardEntry, of bench: Bench
  ) -> (@Sendable (BenchResource, Deadline) async throws -> Void)? {
    guard board.power != nil else { return nil }
    let name = board.name
    return { _, deadline in
      try await DeployEquipment.giveCardBack(to: board, until: deadline)
      let (_, warnings) = try await PowerRequest(action: .on, board: name).carryOut(
        on: bench, until: deadline)
      for warning in warnings { Terminal.standardError.line("kelvin: \(warning)") }
    }
  }

  private final class Warnings: Sendable {
    private let stored = Mutex<[String]>([])
    var all: [String] { stored.withLock { $0 } }
    func add(_ text: String) { stored.withLock { $0.append(text) } }
  }
}
