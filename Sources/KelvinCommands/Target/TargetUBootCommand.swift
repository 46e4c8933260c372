internal import ArgumentParser
internal import KelvinAgenda
internal import KelvinConnections
internal import KelvinExecution
internal import KelvinModel
internal import KelvinStore

/// `kelvin target uboot`: a command in a board's U-Boot.
struct TargetUBootCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "uboot",
    abstract: "Runs a command in a board's U-Boot, loads files into its memory, boots it.",
    discussion: """
      Over the console of a board that says 'bootloader: uboot'. The words after -- are U-Boot's own \
      language, joined by blanks: quote them for your shell. The board must be at U-Boot's prompt, \
      unless it is reset, or its autoboot is to be stopped; a boot that nobody asked to stop is left \
      alone. The board stays at the prompt afterwards, unless --boot is given.

      EXAMPLES
        kelvin target uboot rock --reset -- version
        kelvin target uboot rock -- 'setenv bootdelay 5; saveenv'
        kelvin target uboot rock --env
        kelvin target uboot rock --stop-autoboot         and nothing else: it waits at its prompt
        kelvin target uboot rock --reset --boot -- 'setenv bootargs console=ttyS0'
        kelvin target uboot rock --boot-command 'booti $kernel_addr_r - $fdt_addr'
        kelvin target uboot rock --load Image@kernel_addr_r --load board.dtb@0x43000000

      EXIT CODES
        the command's own: U-Boot before 2024 knows 0 and 1
        124  timed out; Ctrl-C has ended the command
        125  Kelvin itself failed, the board is not in U-Boot, or its shell tells no status
        126  the console was lost, or the board has restarted
        130  ended by SIGINT    143  ended by SIGTERM
      """)

  @Argument(help: "The board, by its name in the bench file.") var board: String

  @Argument(parsing: .postTerminator, help: "The command, after --.") var words: [String] = []

  @Flag(help: "First restart the board: by its reset line or power, or by U-Boot's own 'reset'.")
  var reset = false

  @Flag(help: "Stop the autoboot of a board that is starting.") var stopAutoboot = false

  @Flag(name: .customLong("env"), help: "Print all variables.") var listsVariables = false

  @Flag(
    name: .customLong("boot"), help: "Boot the board afterwards, and wait for its login or shell.")
  var boots = false

  @Option(
    help: ArgumentHelp(
      "Boot by this command and not by U-Boot's own 'boot'.", valueName: "command"))
  var bootCommand: String?

  @Option(
    help: ArgumentHelp(
      "First load a file into memory, by YMODEM, to an address in hexadecimal or that a variable has.",
      discussion: "May be given several times. U-Boot's crc32 confirms what arrived. Needs lrzsz.",
      valueName: "file@address"))
  var load: [String] = []

  @Option(
    help:
      "How long it may take in all. Default: 60 s, 120 s more to boot, and what files need on a slow console."
  )
  var timeout: String?

  @OptionGroup var bench: BenchOptions

  @OptionGroup var hold: BoardHoldOptions

  @Option(help: "Print variables as text or json.") var format = OutputFormat.text

  func validate() throws {
    for text in load where Self.parsed(text) == nil {
      throw ValidationError(
        "--load \(text): that is no FILE@ADDRESS; an address is hexadecimal, or a variable's name")
    }
    guard listsVariables, !words.isEmpty else { return }
    throw ValidationError("--env prints the variables, and runs no command")
  }

  /// A file's path and its address; nil when it is not both.
  private static func parsed(_ text: String) -> (path: String, address: UBootAddress)? {
    guard let sign = text.lastIndex(of: "@"), sign > text.startIndex,
      let address = UBootAddress(String(text[text.index(after: sign)...]))
    else { return nil }
    return (String(text[..<sign]), address)
  }

  func run() async throws {
    let interrupt = SignalInterrupt.begin()
    let limit = try timeout.map { try DurationText.seconds($0, "--timeout") }
    var ending: CommandEnding?
    do {
      // Read before the board is touched.
      var files: [(file: UBootFile, address: UBootAddress)] = []
      for case (let path, let address)? in load.map(Self.parsed) {
        files.append((try UBootFile(path), address))
      }
      let base = boots || bootCommand != nil ? 180.0 : 60
      let seconds = limit ?? files.reduce(base) { $0 + UBootShell.loadSeconds($1.file.size) }
      let status = try await carryOut(
        files, until: .after(seconds: seconds, interrupt: interrupt))
      if let status, status != 0 { throw CommandExit(code: status) }
    } catch let exit as CommandExit {
      throw exit
    } catch let failure as ConnectionFailure {
      ending = CommandEnding(failure)
      if let partial = failure.partial?.standardOutput.bytes {
        Terminal.standardOutput.write(partial)
      }
    }
    guard let ending else { return }
    if ending.isWorthAMessage { Terminal.standardError.line("kelvin: \(ending.message)") }
    throw CommandExit(code: ending.exitCode)
  }

  /// Leases the board, and does what was asked.
  ///
  /// - Returns: the command's status.
  private func carryOut(
    _ files: [(file: UBootFile, address: UBootAddress)], until deadline: Deadline
  ) async throws -> Int32? {
    let environment = CommandEnvironment.current
    let bench = try bench.read(environment).bench
    let entry = try self.bench.board(board, in: bench)
    let (line, options) = try Self.line(of: entry, environment)
    let resource = BenchResources(
      environment.benchDeclarations(environment.hardware), host: try HostIdentity.current()
    ).board(entry)
    let wish = self
    return try await hold.holding(
      .init(resource, external: entry.lease), for: "kelvin target uboot", until: deadline
    ) { lease in
      try await BoardSeat(board).run {
        // Held before the board starts, so that nothing of that is missed.
        let shell = UBootShell(try line.open(until: deadline), options: options)
        guard wish.reset else {
          try shell.reach(wish.stopAutoboot ? .stoppingAutoboot : .asItIs, until: deadline)
          return try wish.work(in: shell, files, until: deadline)
        }
        if let kind = Self.restarter(of: entry) {
          if kind == .power {
            try await lease?.switchingOff(resource, reason: "kelvin target uboot --reset")
          }
          let request = PowerRequest(
            action: .cycle(offSeconds: 2), board: entry.name, kind: kind)
          let (_, warnings) = try await request.carryOut(on: bench, until: deadline)
          for warning in warnings { Terminal.standardError.line("kelvin: \(warning)") }
          if kind == .power { try await lease?.switched(resource) }
          try shell.reach(.afterReset, until: deadline)
        } else {
          try shell.reach(.stoppingAutoboot, until: deadline)
          try shell.reset(stopsAutoboot: true, until: deadline)
        }
        return try wish.work(in: shell, files, until: deadline)
      }
    }
  }

  /// What is done at the prompt.
  private func work(
    in shell: UBootShell, _ files: [(file: UBootFile, address: UBootAddress)],
    until deadline: Deadline
  ) throws -> Int32? {
    try load(files, in: shell, until: deadline)
    var status: Int32?
    if listsVariables {
      show(try shell.variables(until: deadline))
    } else if !words.isEmpty {
      let reply = try shell.run(words.joined(separator: " "), until: deadline)
      Terminal.standardOutput.write(reply.output)
      guard let known = reply.status else {
        throw ConnectionFailure(
          .unsupported, "\(board): this board's U-Boot tells no status of a command; it has run")
      }
      if !reply.isFramed {
        Terminal.standardError.line(
          "kelvin: the console damaged the command's output; its status is right")
      }
      status = known
    } else if files.isEmpty, !boots, bootCommand == nil {
      Terminal.standardError.line("\(board): at its prompt, \(shell.version)")
    }
    guard boots || bootCommand != nil, status ?? 0 == 0 else { return status }
    let begin = MonotonicTime.now
    let end = try shell.bootSystem(bootCommand ?? "boot", until: deadline)
    Terminal.standardError.line(
      "\(board): \(end == .shell ? "a shell's prompt waits" : "it asks for a login"), after "
        + DurationText.short(MonotonicTime.now - begin))
    return status
  }

  private func load(
    _ files: [(file: UBootFile, address: UBootAddress)], in shell: UBootShell,
    until deadline: Deadline
  ) throws {
    let meter = CopyMeter(total: files.reduce(0) { $0 + $1.file.size }, files: files.count)
    defer { meter.finish() }
    for (file, address) in files {
      meter.begin(file.path)
      let load = try shell.load(file, at: address, until: deadline) { meter.tell($0, file.size) }
      meter.end(size: file.size)
      meter.finish()
      Terminal.standardError.line(
        "\(board): \(file.path) is at 0x\(String(load.address, radix: 16)), \(load.size) bytes, "
          + "CRC-32 \(String(load.checksum, radix: 16))")
    }
  }

  private func show(_ environment: UBootEnvironment) {
    func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
    if format == .json {
      let values = environment.variables.map { (text($0.name), Value.text(text($0.value))) }
      Terminal.standardOutput.line(Value.map(Dictionary(values) { _, last in last }).json)
      return
    }
    for variable in environment.variables {
      Terminal.standardOutput.write(variable.name + [UInt8(ascii: "=")] + variable.value + [10])
    }
  }

  // MARK: The board

  /// The board's console, and what is known of its U-Boot.
  ///
  /// - Throws: of kind configuration when the bench does not say.
  static func line(
    of entry: BoardEntry, _ environment: CommandEnvironment
  ) throws -> (line: OwnedLine, options: UBootOptions) {
    guard let choice = entry.bootloader, choice.driver == "uboot" else {
      throw PlainFailure(
        .configuration, "\(entry.location): board '\(entry.name)' has no 'bootloader: uboot'",
        hint: "say so where its console carries U-Boot: 'bootloader: uboot'")
    }
    let lines = [entry.console, entry.connection].compactMap { $0 }
    guard let console = lines.first(where: { ConnectionDeclarations.isLine($0.driver) }) else {
      throw PlainFailure(
        .configuration, "\(entry.location): board '\(entry.name)' has no 'console'")
    }
    let profile = try? environment.hardware.board(named: entry.profile)
    let baud = profile?.consoleBaud.flatMap(UInt32.init(exactly:))
    return (
      OwnedLine(board: entry.name, console, console: entry.console, baud: baud),
      UBootOptions(choice)
    )
  }

  /// What restarts the board: its reset line, else its power.
  private static func restarter(of entry: BoardEntry) -> Declaration.Kind? {
    if entry.reset != nil { return .reset }
    return entry.power != nil ? .power : nil
  }
}
