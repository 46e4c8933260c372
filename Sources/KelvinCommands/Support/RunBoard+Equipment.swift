internal import KelvinAgenda
internal import KelvinConnections
internal import KelvinDevices
internal import KelvinExecution
internal import KelvinMeters
internal import KelvinModel
internal import KelvinTargets

// What brings a board back, as its bench file and its profile say.
extension RunBoard {
  /// - Throws: what is wrong with its switches or its boot loader, before anything is touched.
  static func equipment(
    of entry: BoardEntry, _ profile: BoardProfile?, on reading: BenchReading, at paths: [String]
  ) throws -> BoardEquipment {
    var equipment = BoardEquipment()
    equipment.meters = BoardMeters(of: entry.name, on: reading, at: paths)
    if let ladder = entry.recovery ?? profile?.recovery { equipment.ladder = ladder }
    if let seconds = entry.boot.timeoutSeconds { equipment.bootSeconds = seconds }
    if let seconds = entry.boot.offSeconds { equipment.offSeconds = seconds }
    if let starts = entry.boot.starts { equipment.loopStarts = starts }
    equipment.bootProbe = entry.boot.probe
    if let power = entry.power, power.driver != "meter" {
      equipment.power = try PowerControl(entry, .power, host: powerHost())
    }
    if entry.reset != nil {
      equipment.reset = try PowerControl(entry, .reset, host: powerHost())
    }
    if entry.console != nil {
      let name = entry.name
      equipment.sysRq = { keys, deadline in
        try RunConsole.sendSysRq(keys, to: name, until: deadline)
      }
    }
    equipment.bootLoader = try bootLoader(of: entry, profile)
    return equipment
  }

  /// This machine's: meters of the bench file, where there is one, may be named.
  static func hostEquipment(
    _ bench: BenchOptions, meters: [String], _ environment: CommandEnvironment
  ) throws -> BoardEquipment {
    var equipment = BoardEquipment()
    let hardware = environment.hardware
    // What is wrong with the bench file is told by who uses it.
    var paths = (try? bench.paths()) ?? []
    var reading = try? BenchReader.read(
      BenchRequest(paths: paths, profileNames: hardware.names(.board), meters: meters),
      declarations: environment.benchDeclarations(hardware))
    if reading == nil, !meters.isEmpty {
      paths = []
      reading = try bench.read(paths, meters: meters, environment)
    }
    if let reading, !paths.isEmpty || !meters.isEmpty {
      equipment.meters = BoardMeters(of: nil, on: reading, at: paths)
    }
    return equipment
  }

  private static func bootLoader(
    of entry: BoardEntry, _ profile: BoardProfile?
  ) throws -> BootLoaderLink? {
    guard let choice = entry.bootloader else { return nil }
    if choice.driver == "fastboot" { return .fastboot(try FastbootAddress(choice)) }
    let lines = [entry.console, entry.connection].compactMap { $0 }
    guard choice.driver == "uboot",
      let line = lines.first(where: { ConnectionDeclarations.isLine($0.driver) })
    else { return nil }
    let baud = profile?.consoleBaud.flatMap(UInt32.init(exactly:))
    return .uboot(
      OwnedLine(board: entry.name, line, console: entry.console, baud: baud),
      UBootOptions(choice))
  }
}

extension BoardMeters {
  /// The meters of a bench, as a run on one of its boards, or with nil on this machine, may use them: each
  /// meter that is tied to another board is that one's. Those of the command line are tied to it.
  init(of board: String?, on reading: BenchReading, at paths: [String]) {
    let bench = reading.bench
    let others = bench.boards.filter { $0.name != board }.flatMap { other in
      other.meters.map { ($0, other.name) }
    }
    self.init(
      declared: bench.meters,
      tied: (board.flatMap { bench.board(named: $0)?.meters } ?? []) + reading.commandLineMeters,
      elsewhere: Dictionary(others) { first, _ in first },
      calibration: CalibrationFile.reader(besides: paths))
  }
}
