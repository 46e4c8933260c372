import Glibc
import KelvinConnections
import KelvinModel
import KelvinStore
import KelvinSystem
import Testing

/// Runs that want one machine for themselves: real processes, real signals.
@Suite struct LeaseCommandTests {
  let scratch: Scratch

  init() throws { scratch = try Scratch() }

  /// Says that it runs, and goes on when it is told to.
  static let waiting = """
    config: {augmentations: [csv]}
    workloads:
      - name: command
        params: {argv: [sh, -c, 'touch started; while test -e started && ! test -e go; do sleep 0.02; done']}
    """

  private func run(_ arguments: String...) async throws -> Ran {
    try await KelvinBinary.run(arguments, in: scratch.path)
  }

  private func waitFor(_ condition: () -> Bool) async throws {
    let deadline = Deadline.after(seconds: 30)
    while !condition() {
      try #require(!deadline.hasPassed, "it did not happen within 30 s")
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  /// A run that has this machine and waits.
  private func startWaiting(_ more: String...) async throws -> any RemoteProcess {
    try scratch.write("a.yaml", LeaseCommandTests.waiting)
    let process = try await KelvinBinary.start(
      ["run", "a.yaml", "-d", "out", "--exclusive"] + more, in: scratch.path)
    try await waitFor { scratch.exists("started") }
    return process
  }

  private func who() async throws -> String { try await run("bench", "who").output }

  private func machine() throws -> BenchResource { .thisMachine(try HostIdentity.current()) }

  @Test(.timeLimit(.minutes(2)))
  func ofManyRunsExactlyOneGetsTheMachine() async throws {
    try scratch.write("a.yaml", LeaseCommandTests.waiting)
    var processes: [any RemoteProcess] = []
    for number in 0..<12 {
      processes.append(
        try await KelvinBinary.start(
          ["run", "a.yaml", "-d", "out\(number)", "--exclusive", "-q"], in: scratch.path))
    }
    // All but one end by themselves; which one is not known beforehand.
    let results = try await withThrowingTaskGroup(of: Ran.self) { group in
      for process in processes {
        group.addTask { Ran(try await process.wait(until: .after(seconds: 60))) }
      }
      var results: [Ran] = []
      while let ran = try await group.next() {
        results.append(ran)
        if results.count == processes.count - 1 { try scratch.write("go", "") }
      }
      return results
    }
    #expect(results.map(\.code).filter { $0 == 0 }.count == 1, "\(results.map(\.both))")
    for loser in results where loser.code != 0 {
      #expect(loser.code == 3, "\(loser.both)")
      #expect(loser.errors.contains("board 'local': leased by"), "\(loser.both)")
      #expect(loser.errors.contains("kill -INT"))
    }
    // Who was refused has touched nothing.
    #expect((0..<12).count { scratch.exists("out\($0)") } == 1)
    #expect(try await who().contains("nobody has"))
  }

  @Test(.timeLimit(.minutes(1)))
  func aKilledRunsMachineGoesToItsResumeOnly() async throws {
    let process = try await startWaiting()
    kill(process.processID, SIGKILL)
    _ = try await process.wait(until: .after(seconds: 30))
    #expect(try await who().contains("orphaned by"))
    try scratch.write("go", "")
    let other = try await run("run", "a.yaml", "-d", "other", "--exclusive", "-q")
    #expect(other.code == 3)
    #expect(
      other.errors.contains("kelvin resume \(scratch.path)/out"), "\(other.errors)")
    #expect(other.errors.contains("--take-over"))
    let resumed = try await run("resume", "out", "-q")
    #expect(resumed.code == 0, "\(resumed.both)")
    #expect(resumed.errors.contains("board 'local': reclaimed from"), "\(resumed.both)")
    #expect(try await who().contains("nobody has"))
  }

  @Test(.timeLimit(.minutes(1)))
  func takingOverIsForTheAsking() async throws {
    let process = try await startWaiting()
    try scratch.write("b.yaml", "workloads: [{name: command, params: {argv: ['true']}}]\n")
    // Not from the living.
    let tooEarly = try await run(
      "run", "b.yaml", "-d", "early", "--exclusive", "--take-over", "-q")
    #expect(tooEarly.code == 3, "\(tooEarly.both)")
    kill(process.processID, SIGKILL)
    _ = try await process.wait(until: .after(seconds: 30))
    let other = try await run("run", "b.yaml", "-d", "other", "--exclusive", "--take-over", "-q")
    #expect(other.code == 0, "\(other.both)")
    #expect(other.errors.contains("board 'local': taken over from"))
    // The run that lost its lease takes a new one.
    try scratch.write("go", "")
    let resumed = try await run("resume", "out", "-q")
    #expect(resumed.code == 0, "\(resumed.both)")
    #expect(try await who().contains("nobody has"))
  }

  @Test(.timeLimit(.minutes(1)), arguments: [SIGINT, SIGTERM])
  func aSignalGivesTheMachineBack(signal: Int32) async throws {
    let process = try await startWaiting()
    kill(process.processID, signal)
    let ran = Ran(try await process.wait(until: .after(seconds: 30)))
    #expect(ran.code == 128 + signal)
    #expect(try await who().contains("nobody has"))
    // Its resume takes it again.
    let again = try await KelvinBinary.start(["resume", "out", "-q"], in: scratch.path)
    try await waitFor {
      (try? BenchListing.read(directory: scratch.path + "/.state"))?.resources.first?.state
        == .leased
    }
    try scratch.write("go", "")
    #expect(Ran(try await again.wait(until: .after(seconds: 30))).code == 0)
  }

  @Test(.timeLimit(.minutes(1)))
  func aRunThatIsEndedAtOnceLeavesAnOrphan() async throws {
    try scratch.write(
      "a.yaml",
      """
      workloads:
        - name: command
          params: {argv: [sh, -c, 'trap "" TERM; test -e go && exit 0; touch started; while test -e started; do sleep 1; done']}
      """)
    let process = try await KelvinBinary.start(
      ["run", "a.yaml", "-d", "out", "--exclusive"], in: scratch.path)
    try await waitFor { scratch.exists("started") }
    // Two of one kind could arrive as one.
    kill(process.processID, SIGINT)
    kill(process.processID, SIGTERM)
    _ = try await process.wait(until: .after(seconds: 30))
    #expect(try await who().contains("orphaned by"))
    try scratch.write("go", "")
    #expect(try await run("resume", "out", "-q").code == 0)
    #expect(try await who().contains("nobody has"))
  }

  @Test(.timeLimit(.minutes(1)))
  func failureGivesTheMachineBack() async throws {
    try scratch.write(
      "a.yaml",
      "{config: {max_retries: 0}, workloads: [{name: command, params: {argv: ['false']}}]}\n")
    #expect(try await run("run", "a.yaml", "-d", "out", "--exclusive", "-q").code == 1)
    #expect(try await who().contains("nobody has"))
    #expect(try await run("run", "a.yaml", "-d", "/proc/out", "--exclusive", "-q").code == 2)
    #expect(try await who().contains("nobody has"))
  }

  @Test(.timeLimit(.minutes(1)))
  func aRefusedRunReplacesNothing() async throws {
    let process = try await startWaiting()
    try scratch.write("b.yaml", "workloads: [{name: command, params: {argv: ['true']}}]\n")
    // Also one that does not ask for the machine itself is kept off it.
    for more in [[], ["--exclusive"]] {
      let refused = try await KelvinBinary.run(
        ["run", "b.yaml", "-d", "out", "-f", "-q"] + more, in: scratch.path)
      #expect(refused.code == 3, "\(refused.both)")
      #expect(refused.errors.contains("board 'local': leased by"))
    }
    try scratch.write("go", "")
    #expect(Ran(try await process.wait(until: .after(seconds: 30))).code == 0)
    #expect(scratch.exists("out/results.csv"))
  }

  @Test(.timeLimit(.minutes(1)), arguments: ["pid given again", "another container"])
  func holdersAreJudgedByWhatIsKnown(what: String) async throws {
    var holder = try LeaseHolder.current()
    if what == "another container" {
      holder.host.processNamespace = "pid:[1]"
    } else {
      holder.process = ProcessIdentity(
        processID: holder.process.processID, startTicks: holder.process.startTicks - 1)
    }
    let store = try BenchStore.open(directory: scratch.path + "/.state", as: holder)
    _ = try store.acquire(LeaseRequest([try machine()], run: "r", purpose: "forged"))
    store.close()
    let json = try await run("bench", "who", "--format", "json").output
    #expect(
      json.contains(
        what == "another container" ? "\"holder\":\"elsewhere\"" : "\"holder\":\"dead\""),
      "\(json)")
    try scratch.write("a.yaml", "workloads: [{name: command, params: {argv: ['true']}}]\n")
    #expect(try await run("run", "a.yaml", "-d", "out", "--exclusive", "-q").code == 3)
    let over = try await run("run", "a.yaml", "-d", "out", "--exclusive", "--take-over", "-q")
    #expect(over.code == 0, "\(over.both)")
  }

  @Test(.timeLimit(.minutes(1)))
  func aDamagedBenchDatabaseStopsOnlyWhoNeedsIt() async throws {
    try scratch.write("a.yaml", "workloads: [{name: command, params: {argv: ['true']}}]\n")
    mkdir(scratch.path + "/.state", 0o700)
    try scratch.write(".state/bench.db", String(repeating: "rubbish ", count: 1000))
    let shared = try await run("run", "a.yaml", "-d", "out", "-q")
    #expect(shared.code == 0, "\(shared.both)")
    #expect(shared.errors.contains("warning: \(scratch.path)/.state/bench.db"))
    let exclusive = try await run("run", "a.yaml", "-d", "out2", "--exclusive", "-q")
    #expect(exclusive.code == 3, "\(exclusive.both)")
    #expect(exclusive.errors.contains("mv '\(scratch.path)/.state/bench.db'"))
    #expect(try await run("bench", "who").code == 3)
  }

  @Test(.timeLimit(.minutes(1)), .enabled(if: DiskTests.isRoot, "needs root to mount a tmpfs"))
  func aStateDirectoryThatCannotBeWrittenStopsOnlyWhoNeedsIt() async throws {
    let state = scratch.path + "/.state"
    mkdir(state, 0o700)
    try #require(mount("tmpfs", state, "tmpfs", UInt(MS_RDONLY), "size=1m") == 0)
    defer { umount2(state, Int32(MNT_DETACH)) }
    try scratch.write("a.yaml", "workloads: [{name: command, params: {argv: ['true']}}]\n")
    #expect(try await run("run", "a.yaml", "-d", "out", "-q").code == 0)
    #expect(try await run("bench", "who").code == 0)
    let exclusive = try await run("run", "a.yaml", "-d", "out2", "--exclusive", "-q")
    #expect(exclusive.code == 2, "\(exclusive.both)")
    #expect(exclusive.errors.contains("KELVIN_STATE"), "\(exclusive.errors)")
    #expect(!scratch.exists("out2"))
  }

  // MARK: Boards of a bench

  /// A board that is this machine with a tree of its own, so that several are not one.
  private func writeBench(
    _ file: String, board: String, more: String = "", meters: String = "{}"
  )
    throws
  {
    let root = "\(scratch.path)/root-\(board)"
    try #require(symlink("/", root) == 0)
    try scratch.write(
      file,
      """
      boards:
        \(board): {profile: generic-linux, connection: {local: {root: \(root)}}\(more)}
      meters: \(meters)
      """)
  }

  private func start(
    _ agenda: String, _ out: String, board: String, bench: String
  ) async throws
    -> any RemoteProcess
  {
    try await KelvinBinary.start(
      ["run", agenda, "-d", out, "--board", board, "--bench", bench, "-q"], in: scratch.path)
  }

  @Test(.timeLimit(.minutes(1)))
  func boardsOfABenchAreLeasedWithTheirMeters() async throws {
    let meter = "{driver: ppk2, match: {ID_SERIAL_SHORT: 'E1A2'}}"
    try writeBench("one.yaml", board: "one", more: ", meters: [m]", meters: "{m: \(meter)}")
    try writeBench("two.yaml", board: "two", more: ", meters: [n]", meters: "{n: \(meter)}")
    try scratch.write("a.yaml", LeaseCommandTests.waiting)
    try scratch.write("b.yaml", "workloads: [{name: command, params: {argv: ['true']}}]\n")
    let first = try await start("a.yaml", "out", board: "one", bench: "one.yaml")
    try await waitFor { scratch.exists("started") }
    let again = Ran(
      try await start("b.yaml", "no", board: "one", bench: "one.yaml").wait(
        until: .after(seconds: 30)))
    #expect(again.code == 3)
    #expect(again.errors.contains("board 'one': leased by"), "\(again.errors)")
    #expect(again.errors.contains("meter 'm': leased by"))
    // Another board of another bench file, but the same meter under another name.
    let meters = Ran(
      try await start("b.yaml", "no", board: "two", bench: "two.yaml").wait(
        until: .after(seconds: 30)))
    #expect(meters.code == 3)
    #expect(meters.errors.contains("meter 'n': leased by"), "\(meters.errors)")
    #expect(!meters.errors.contains("board 'two'"))
    #expect(!scratch.exists("no"))
    try scratch.write("go", "")
    #expect(Ran(try await first.wait(until: .after(seconds: 30))).code == 0)
    let after = Ran(
      try await start("b.yaml", "yes", board: "two", bench: "two.yaml").wait(
        until: .after(seconds: 30)))
    #expect(after.code == 0, "\(after.both)")
  }

  /// The lab's own booking is asked for once, whatever becomes of the run, and given back at its end.
  @Test(.timeLimit(.minutes(1)))
  func aKilledRunsBookingIsKeptForItsResume() async throws {
    try writeBench(
      "bench.yaml", board: "one",
      more: ", lease: {acquire: [sh, -c, 'echo acquire >> log'], "
        + "release: [sh, -c, 'echo release >> log']}")
    try scratch.write("a.yaml", LeaseCommandTests.waiting)
    let process = try await start("a.yaml", "out", board: "one", bench: "bench.yaml")
    try await waitFor { scratch.exists("started") }
    kill(process.processID, SIGKILL)
    _ = try await process.wait(until: .after(seconds: 30))
    #expect(try scratch.read("log") == "acquire\n")
    try scratch.write("go", "")
    let resumed = try await run("resume", "out", "-q")
    #expect(resumed.code == 0, "\(resumed.both)")
    #expect(try scratch.read("log") == "acquire\nrelease\n")
    #expect(try await who().contains("nobody has"))
  }

  /// From another directory, without being told: the bench file was beside the agenda.
  @Test(.timeLimit(.minutes(1)))
  func aResumeFindsTheBenchOfItsRun() async throws {
    try writeBench("bench.yaml", board: "one")
    try scratch.write(
      "a.yaml",
      """
      workloads:
        - name: command
          params:
            argv: [sh, -c, 'cd \(scratch.path); touch started; while test -e started && ! test -e go; do sleep 0.02; done']
      """)
    let process = try await KelvinBinary.start(
      ["run", "a.yaml", "-d", "out", "--board", "one", "-q"], in: scratch.path)
    try await waitFor { scratch.exists("started") }
    kill(process.processID, SIGKILL)
    _ = try await process.wait(until: .after(seconds: 30))
    try scratch.write("go", "")
    mkdir(scratch.path + "/elsewhere", 0o700)
    func resume(_ more: String...) async throws -> Ran {
      try await KelvinBinary.run(
        ["resume", "../out", "-q"] + more, in: scratch.path + "/elsewhere",
        environment: ["KELVIN_STATE": scratch.path + "/.state"])
    }
    // Moved meanwhile, it must be named.
    try #require(rename(scratch.path + "/bench.yaml", scratch.path + "/lab.yaml") == 0)
    let moved = try await resume()
    #expect(moved.code == 2, "\(moved.both)")
    #expect(moved.errors.contains("\(scratch.path)/bench.yaml"), "\(moved.errors)")
    #expect(moved.errors.contains("--bench"))
    try #require(rename(scratch.path + "/lab.yaml", scratch.path + "/bench.yaml") == 0)
    let resumed = try await resume()
    #expect(resumed.code == 0, "\(resumed.both)")
    #expect(resumed.errors.contains("board 'one': reclaimed from"), "\(resumed.both)")
    #expect(try await who().contains("nobody has"))
    // A last word by --bench.
    try #require(rename(scratch.path + "/bench.yaml", scratch.path + "/lab.yaml") == 0)
    #expect(try await resume("--bench", "../lab.yaml").code == 0)
  }

  @Test(.timeLimit(.minutes(1)))
  func aRefusedBookingStopsTheRunBeforeItBegins() async throws {
    try writeBench(
      "bench.yaml", board: "one",
      more: ", lease: {acquire: [sh, -c, 'echo job 17 has it; exit 1'], release: ['true']}")
    try scratch.write("a.yaml", LeaseCommandTests.waiting)
    let ran = Ran(
      try await start("a.yaml", "out", board: "one", bench: "bench.yaml").wait(
        until: .after(seconds: 30)))
    #expect(ran.code == 3)
    #expect(ran.errors.contains("job 17 has it"), "\(ran.errors)")
    #expect(!scratch.exists("out"))
    #expect(try await who().contains("nobody has"))
  }

  @Test(.timeLimit(.minutes(1)))
  func aBoardThatIsNotThereOrCannotBeReachedIsBadInput() async throws {
    try scratch.write(
      "bench.yaml",
      "boards: {rock: {profile: rock-5b, bootloader: {fastboot: {tcp: 192.0.2.7}}}}\n")
    try scratch.write("a.yaml", LeaseCommandTests.waiting)
    let misspelt = try await run("run", "a.yaml", "-d", "out", "--board", "rokc")
    #expect(misspelt.code == 2)
    #expect(misspelt.errors.contains("did you mean 'rock'?"), "\(misspelt.errors)")
    let unreachable = try await run("run", "a.yaml", "-d", "out", "--board", "rock")
    #expect(unreachable.code == 2)
    #expect(unreachable.errors.contains("has no 'connection'"), "\(unreachable.errors)")
    #expect(!scratch.exists("out"))
  }

  /// A bench file may call this machine a board: then it is one with `local`.
  @Test(.timeLimit(.minutes(1)))
  func thisMachineUnderTwoNamesIsOne() async throws {
    try scratch.write("bench.yaml", "boards: {here: {profile: generic-linux, connection: local}}\n")
    let process = try await startWaiting("--board", "here")
    try scratch.write("b.yaml", "workloads: [{name: command, params: {argv: ['true']}}]\n")
    for more in [[], ["--exclusive"]] {
      let refused = try await KelvinBinary.run(
        ["run", "b.yaml", "-d", "no", "-q"] + more, in: scratch.path)
      #expect(refused.code == 3, "\(refused.both)")
      #expect(refused.errors.contains("board 'local': leased by"))
    }
    try scratch.write("go", "")
    #expect(Ran(try await process.wait(until: .after(seconds: 30))).code == 0)
  }
}
