internal import KelvinModel

/// Turns the located values of bench files into a bench; every mistake is collected.
struct BenchFileReader {
  let request: BenchRequest
  let declarations: BenchDeclarations
  var checker: ValueChecker
  /// What could be understood; incomplete after mistakes.
  var bench = Bench()
  /// Where each name stands, also of entries that are wrong; by `board` or `meter`.
  private var places: [String: [String: SourceLocation]] = [:]
  /// In the order declared, for nearest names.
  private var meterNames: [String] = []
  /// Meters that boards name, and where.
  private(set) var references: [MeterReference] = []

  init(_ request: BenchRequest, _ declarations: BenchDeclarations) {
    self.request = request
    self.declarations = declarations
    checker = ValueChecker(declarations.forChecker)
  }

  /// Reads one file.
  mutating func read(_ root: LocatedValue) {
    guard !root.isNull else {
      checker.diagnostics.warning(
        SourceLocation(file: root.location.file), "the bench file is empty",
        hint: BenchFileReader.example)
      return
    }
    guard let entries = root.map else {
      checker.diagnostics.error(
        root.location, "a bench file must be a map, not \(root.shortDescription)",
        hint: BenchFileReader.example)
      return
    }
    for entry in entries {
      switch entry.key {
      case "boards":
        for board in named(entry, "board") { readBoard(board) }
      case "meters":
        for meter in named(entry, "meter") { readMeter(meter) }
      default:
        checker.diagnostics.error(
          entry.keyLocation, "unknown top-level key \(LocatedValue.quoted(entry.key))",
          hint: NearestName.hint(for: entry.key, in: BenchKeys.top.map(\.name)))
      }
    }
  }

  private static let example =
    "write for example 'boards: {here: {profile: generic-linux, connection: local}}'"

  /// The entries of `boards` or `meters` whose names are good and new.
  private mutating func named(
    _ entry: LocatedValue.Entry, _ what: String
  ) -> [LocatedValue.Entry] {
    if entry.value.isNull { return [] }
    guard let entries = entry.value.map else {
      checker.diagnostics.error(
        entry.value.location,
        "'\(entry.key)': expected a map of \(what)s by name, found "
          + entry.value.shortDescription)
      return []
    }
    var good: [LocatedValue.Entry] = []
    for entry in entries {
      let shown = LocatedValue.quoted(entry.key)
      if let problem = BenchFileReader.problem(withName: entry.key) {
        checker.diagnostics.error(
          entry.keyLocation, "\(what) \(shown): \(problem)",
          hint: "names stand on command lines and become names of directories")
      } else if let earlier = places[what]?[entry.key] {
        checker.diagnostics.error(
          entry.keyLocation, "\(what) \(shown) is already declared at \(earlier)",
          hint: "give one of them another name")
      } else if places[what, default: [:]].count >= request.entryLimit {
        checker.diagnostics.error(
          entry.keyLocation, "more than \(request.entryLimit) \(what)s are declared")
        return good
      } else {
        places[what, default: [:]][entry.key] = entry.keyLocation
        good.append(entry)
      }
    }
    return good
  }

  private static func problem(withName name: String) -> String? {
    if name.isEmpty { return "the name is empty" }
    if name.utf8.count > 100 { return "the name is longer than 100 bytes" }
    if name.hasPrefix("-") || name.hasPrefix(".") {
      return "the name starts with '\(name.prefix(1))'"
    }
    let isBad =
      name.contains { $0 == "/" || $0.isWhitespace } || LocatedValue.printable(name) != name
    return isBad ? "the name contains '/', a space or a control character" : nil
  }

  // MARK: boards

  private mutating func readBoard(_ entry: LocatedValue.Entry) {
    let owner = "board '\(entry.key)'"
    guard let keys = entry.value.map else {
      checker.diagnostics.error(
        entry.value.isNull ? entry.keyLocation : entry.value.location,
        "\(owner): expected a map, found \(entry.value.shortDescription)",
        hint: "write for example '{profile: generic-linux, connection: local}'")
      return
    }
    var board = BoardEntry(name: entry.key, profile: "", location: entry.keyLocation)
    var written: Set<String> = []
    for key in keys {
      guard let option = BenchKeys.board.first(where: { $0.isNamed(key.key) }) else {
        refuse(key, owner, BenchKeys.board)
        continue
      }
      if option.name == "profile" || !key.value.isNull { written.insert(option.name) }
      read(option, key.value, into: &board, owner)
    }
    if !written.contains("profile") {
      checker.diagnostics.error(
        entry.keyLocation, "\(owner): 'profile' is missing",
        hint: "'kelvin list boards' lists the profiles; 'generic-linux' fits any Linux")
    }
    if written.isDisjoint(with: ["connection", "console", "bootloader"]) {
      checker.diagnostics.error(
        entry.keyLocation, "\(owner): nothing leads to it",
        hint: "give it a 'connection', such as '{ssh: {host: 10.0.0.7}}', or a 'console'")
    }
    // A line that carries commands carries the console as well.
    if board.console == nil, let connection = board.connection,
      declarations.driver(.console, named: connection.driver) != nil
    {
      board.console = connection
    }
    if let choice = board.bootloader, choice.driver == "uboot", board.console == nil,
      board.connection.flatMap({ declarations.driver(.console, named: $0.driver) }) == nil
    {
      checker.diagnostics.error(
        choice.location, "\(owner): its U-Boot is reached over a console, and it has none",
        hint: "give it one: 'console: {serial: {match: {...}}}'")
    }
    if let ladder = keys.first(where: { $0.key == "recovery" }), !ladder.value.isNull {
      readRecovery(ladder.value, into: &board, owner)
    }
    if let supply = keys.first(where: { $0.key == "supply" }), !supply.value.isNull {
      readSupply(supply.value, into: &board, owner)
    }
    bench.boards.append(board)
  }

  private mutating func read(
    _ option: OptionDeclaration, _ value: LocatedValue, into board: inout BoardEntry,
    _ owner: String
  ) {
    switch option.name {
    case "connection": board.connection = choice(value, .connection, owner)
    case "console": board.console = choice(value, .console, owner)
    case "bootloader": board.bootloader = choice(value, .bootloader, owner)
    case "power": board.power = choice(value, .power, owner)
    case "reset": board.reset = choice(value, .reset, owner)
    case "link": board.link = choice(value, .link, owner)
    case "profile": readProfile(option, value, into: &board, owner)
    case "meters":
      guard let names = checker.value(value, of: option, as: owner)?.list?.compactMap(\.text)
      else { return }
      var seen: Set<String> = []
      for (name, place) in zip(names, value.list ?? [value]) {
        guard seen.insert(name).inserted else {
          checker.diagnostics.error(
            place.location, "\(owner): meter \(LocatedValue.quoted(name)) is listed twice")
          continue
        }
        board.meters.append(name)
        references.append(
          MeterReference(board: board.name, role: "meters", meter: name, location: place.location))
      }
    case "labels":
      let labels = checker.value(value, of: option, as: owner)?.map ?? [:]
      board.labels = labels.compactMapValues(\.text)
    case "boot":
      guard let boot = checker.value(value, of: option, as: owner)?.map else { return }
      board.boot = BootDescription(
        probe: boot["probe"]?.text, timeoutSeconds: boot["timeout"]?.number,
        offSeconds: boot["off"]?.number, starts: boot["starts"]?.integer.map(Int.init))
    case "deploy":
      board.deploy = DeployWays(checker.value(value, of: option, as: owner)?.map ?? [:])
    case "lease":
      guard let lease = checker.value(value, of: option, as: owner)?.map,
        let acquire = lease["acquire"]?.list, let release = lease["release"]?.list
      else { return }
      board.lease = ExternalLease(
        acquire: acquire.compactMap(\.text), release: release.compactMap(\.text))
    default: break
    }
  }

  private mutating func readProfile(
    _ option: OptionDeclaration, _ value: LocatedValue, into board: inout BoardEntry,
    _ owner: String
  ) {
    let checked = checker.diagnostics.collect { found in
      option.type.validate(value, as: "\(owner): profile", into: &found)
    }
    guard let name = checked?.text else { return }
    board.profile = name
    guard !request.profileNames.contains(name) else { return }
    let hint = NearestName.of(name, in: request.profileNames).map { "did you mean '\($0)'?" }
    checker.diagnostics.error(
      value.location, "\(owner): unknown profile \(LocatedValue.quoted(name))",
      hint: hint ?? "'kelvin list boards' lists them; 'generic-linux' fits any Linux")
  }

  private mutating func refuse(
    _ entry: LocatedValue.Entry, _ owner: String, _ known: [OptionDeclaration]
  ) {
    guard !checker.diagnostics.isFull else {
      checker.diagnostics.error(entry.keyLocation, "\(owner): unknown key")
      return
    }
    let shown = LocatedValue.quoted(entry.key)
    let driverKind = BenchDeclarations.kinds.first {
      declarations.driver($0, named: entry.key) != nil
    }
    let hint =
      NearestName.of(entry.key, in: known.map(\.name)).map { "did you mean '\($0)'?" }
      ?? driverKind.map { "write '\($0.rawValue): {\(entry.key): {...}}'" }
      ?? NearestName.hint(for: entry.key, in: known.map(\.name))
    checker.diagnostics.error(entry.keyLocation, "\(owner): unknown key \(shown)", hint: hint)
  }

  // MARK: meters

  private mutating func readMeter(_ entry: LocatedValue.Entry) {
    meterNames.append(entry.key)
    let owner = "meter '\(entry.key)'"
    let keys =
      entry.value.map
      ?? (entry.value.isNull || entry.value.list != nil
        ? [] : [.init(key: "driver", keyLocation: entry.value.location, value: entry.value)])
    guard let driver = keys.first(where: { $0.key == "driver" }), !driver.value.isNull else {
      checker.diagnostics.error(
        entry.keyLocation, "\(owner): 'driver' is missing",
        hint: "write for example '{driver: ppk2}'; 'kelvin list meters' lists them")
      return
    }
    guard let name = driver.value.scalar?.text else {
      checker.diagnostics.error(
        driver.value.location,
        "\(owner): driver: expected a name, found \(driver.value.shortDescription)")
      return
    }
    guard let declaration = driverDeclaration(name, .meter, at: driver.value.location, owner)
    else { return }
    let options = checker.options(
      keys.filter { $0.key != "driver" }, of: declaration, at: entry.keyLocation, as: owner)
    guard let options else { return }
    bench.meters.append(
      MeterEntry(
        name: entry.key,
        driver: DriverChoice(
          declaration.name, options: options, location: driver.value.location),
        location: entry.keyLocation))
  }

  /// Says which meters are named and not declared, once every file is read.
  mutating func checkReferences() {
    for board in bench.boards {
      guard let power = board.power, let meter = MeterReference.supply(power) else { continue }
      references.append(
        MeterReference(board: board.name, role: "power", meter: meter, location: power.location))
    }
    // Comparing each of many unknown names with each of very many known ones would take minutes.
    var hintsLeft = 50
    for reference in references where places["meter"]?[reference.meter] == nil {
      var hint = ""
      if meterNames.isEmpty {
        hint = "no meters are declared"
      } else if hintsLeft > 0 {
        hintsLeft -= 1
        hint = NearestName.hint(for: reference.meter, in: meterNames.prefix(200))
      }
      checker.diagnostics.error(
        reference.location,
        "board '\(reference.board)': \(reference.role): meter "
          + "\(LocatedValue.quoted(reference.meter)) is not declared",
        hint: hint.isEmpty ? "declare it under 'meters:'" : hint)
    }
  }
}

/// A meter that a board's entry names.
struct MeterReference {
  var board: String
  /// The key that names it: `meters`, or `power` for a meter that is itself the supply.
  var role: String
  var meter: String
  var location: SourceLocation

  /// The meter in `power: {meter: ppk2-a}`; nil for other switches.
  static func supply(_ power: DriverChoice) -> String? {
    guard power.driver == "meter" else { return nil }
    return (power.options["meter"] ?? power.options["name"])?.text
  }
}
