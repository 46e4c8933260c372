internal import KelvinModel

/// Finds equipment that two entries of a bench mean to use.
///
/// Choices are compared as written: two matches with different keys may still find the same device,
/// which only shows once it is looked for.
struct BenchClaims {
  private let declarations: BenchDeclarations
  private var lines: [Thing: Claim] = [:]
  private var connections: [Thing: Claim] = [:]
  private var meters: [String: MeterReference] = [:]

  /// A piece of equipment.
  private struct Thing: Hashable {
    var driver: String
    var identity: [String: Value]
  }

  private struct Claim {
    var board: String
    /// `console`, `power`.
    var role: String
    var location: SourceLocation
  }

  init(_ declarations: BenchDeclarations) { self.declarations = declarations }

  /// Says what is claimed twice, naming both.
  mutating func check(
    _ bench: Bench, _ references: [MeterReference], into diagnostics: inout DiagnosticList
  ) {
    for board in bench.boards {
      if board.console != board.connection {
        claim(board.console, .console, of: board, into: &diagnostics)
      }
      claim(board.bootloader, .bootloader, of: board, into: &diagnostics)
      claim(board.power, .power, of: board, into: &diagnostics)
      claim(board.reset, .reset, of: board, into: &diagnostics)
      claim(board.link, .link, of: board, into: &diagnostics)
      claimConnection(of: board, into: &diagnostics)
    }
    for reference in references { claim(reference, into: &diagnostics) }
    checkMeters(bench.meters, into: &diagnostics)
  }

  private func thing(_ choice: DriverChoice, _ kind: Declaration.Kind) -> Thing? {
    declarations.driver(kind, named: choice.driver).map {
      Thing(driver: choice.driver, identity: $0.identity(of: choice))
    }
  }

  private mutating func claim(
    _ choice: DriverChoice?, _ kind: Declaration.Kind, of board: BoardEntry,
    into diagnostics: inout DiagnosticList
  ) {
    // A supply's meter is claimed as a meter.
    guard let choice, MeterReference.supply(choice) == nil, let thing = thing(choice, kind)
    else { return }
    // What goes over the board's console, or is the board's own, is nothing that can be claimed.
    let isOwn = kind == .link && ["quiet", "interface"].contains(choice.driver)
    guard !isOwn, kind != .bootloader || !thing.identity.isEmpty else { return }
    guard let earlier = lines[thing] else {
      lines[thing] = Claim(board: board.name, role: kind.rawValue, location: choice.location)
      return
    }
    guard earlier.board != board.name else { return }
    diagnostics.error(
      choice.location,
      "boards '\(earlier.board)' and '\(board.name)' claim the same \(kind.rawValue), "
        + "'\(thing.driver)' with equal options: the \(earlier.role) of '\(earlier.board)' is "
        + "declared at \(earlier.location)",
      hint: "'kelvin bench scan' prints what tells devices apart")
  }

  /// A connection over a line or to a boot loader is a claim to it; over anything else, two boards that
  /// are reached in one way are doubtful.
  private mutating func claimConnection(
    of board: BoardEntry, into diagnostics: inout DiagnosticList
  ) {
    guard let choice = board.connection else { return }
    if declarations.driver(.console, named: choice.driver) != nil
      || declarations.driver(.bootloader, named: choice.driver) != nil
    {
      claim(choice, .connection, of: board, into: &diagnostics)
      return
    }
    guard let thing = thing(choice, .connection) else { return }
    guard let earlier = connections[thing] else {
      connections[thing] = Claim(
        board: board.name, role: "connection", location: choice.location)
      return
    }
    diagnostics.warning(
      choice.location,
      "boards '\(earlier.board)' and '\(board.name)' are reached in the same way, which '"
        + "\(earlier.board)' declares at \(earlier.location)",
      hint: "one board under two names can be used by two runs at a time")
  }

  private mutating func claim(
    _ reference: MeterReference, into diagnostics: inout DiagnosticList
  ) {
    guard let earlier = meters[reference.meter] else {
      meters[reference.meter] = reference
      return
    }
    guard earlier.board != reference.board else { return }
    diagnostics.error(
      reference.location,
      "boards '\(earlier.board)' and '\(reference.board)' claim the same meter, "
        + "\(LocatedValue.quoted(reference.meter)), which '\(earlier.board)' claims at "
        + "\(earlier.location)",
      hint: "a meter measures one board at a time")
  }

  private func checkMeters(_ entries: [MeterEntry], into diagnostics: inout DiagnosticList) {
    var seen: [Thing: MeterEntry] = [:]
    for meter in entries {
      // A driver whose options tell no devices apart reads the kernel of whichever board names it.
      guard let declaration = declarations.driver(.meter, named: meter.driver.driver),
        declaration.options.contains(where: { !$0.isDetail }),
        let thing = thing(meter.driver, .meter)
      else { continue }
      guard let earlier = seen[thing] else {
        seen[thing] = meter
        continue
      }
      diagnostics.error(
        meter.location,
        "meters '\(earlier.name)' and '\(meter.name)' are the same '\(thing.driver)', the first "
          + "declared at \(earlier.location)",
        hint: thing.identity.isEmpty
          ? "give each a 'match'; 'kelvin bench scan' prints them" : "remove one of them")
    }
  }
}
