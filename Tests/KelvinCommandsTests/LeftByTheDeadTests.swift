import Glibc
import KelvinConnections
import KelvinModel
import KelvinStore
import Testing

/// What commands leave that are killed: a lease that goes to whoever comes next, and a board that must
/// be switched on again.
@Suite(.timeLimit(.minutes(2)))
struct LeftByTheDeadTests {
  let scratch: Scratch

  init() throws {
    scratch = try Scratch()
    try #require(symlink("/", scratch.path + "/root") == 0)
    try scratch.write("plug", "on\n")
    try write(lease: "")
    try scratch.write("b.yaml", "workloads: [{name: command, params: {argv: ['true']}}]\n")
  }

  /// The switch waits after switching off while there is a file 'slow'.
  private func write(lease: String) throws {
    try scratch.write(
      "bench.yaml",
      """
      boards:
        one:
          profile: generic-linux
          connection: {local: {root: \(scratch.path)/root}}\(lease)
          power:
            command:
              on: [sh, -c, 'cd \(scratch.path); test ! -e stuck && echo on > plug']
              off: [sh, -c, 'cd \(scratch.path); echo off > plug; while test -e slow; do sleep 0.02; done']
              state: [sh, -c, 'cat \(scratch.path)/plug']
              measured: true
      """)
  }

  private func run(_ arguments: String..., user: String = "ben") async throws -> Ran {
    try await KelvinBinary.run(arguments, in: scratch.path, environment: ["KELVIN_USER": user])
  }

  private func who() async throws -> String { try await run("bench", "who").output }

  /// Has anna switch the board off, and kills her command before it can do more.
  private func kill(_ arguments: String...) async throws -> Int32 {
    try scratch.write("slow", "")
    let process = try await KelvinBinary.start(
      arguments, in: scratch.path, environment: ["KELVIN_USER": "anna"])
    let deadline = Deadline.after(seconds: 30)
    while try scratch.read("plug") != "off\n" {
      try #require(!deadline.hasPassed, "it did not switch within 30 s")
      try await Task.sleep(for: .milliseconds(5))
    }
    Glibc.kill(process.processID, SIGKILL)
    _ = try await process.wait(until: .after(seconds: 30))
    unlink(scratch.path + "/slow")
    return process.processID
  }

  @Test(arguments: ["power", "check", "run", "console"])
  func aDeadCommandsLeaseGoesToWhoeverComesNext(next: String) async throws {
    let process = try await kill("power", "off", "one")
    let listing = try await who()
    #expect(listing.contains("left by anna, process \(process)"), "\(listing)")
    #expect(listing.contains("whoever comes next gets it"))
    let ran =
      switch next {
      case "power": try await run("power", "on", "one")
      case "check": try await run("bench", "check", "one")
      case "run": try await run("run", "b.yaml", "-d", "out", "--board", "one", "-q")
      default: try await run("bench", "console", "one", "--for", "0.1")
      }
    if next == "console" {
      // Nothing leads to a console here; but nobody is in the way.
      #expect(!ran.errors.contains("orphaned") && !ran.errors.contains("leased"), "\(ran.both)")
      return
    }
    #expect(ran.code == 0, "\(ran.both)")
    let told = ran.errors.split(separator: "\n").filter { $0.contains("still leased") }
    #expect(told.count == 1, "\(ran.errors)")
    #expect(told.first?.contains("anna, process \(process)") == true)
    #expect(told.first?.contains("for kelvin power off") == true)
    // Off, since anna wanted it so.
    #expect(try scratch.read("plug") == (next == "power" ? "on\n" : "off\n"))
    #expect(try await who().contains("nobody has"))
    let health = try await run("bench", "health", "one").output
    #expect(health.contains("clear by ben@"), "\(health)")
  }

  /// The other system's booking must be given back: that is for who says so.
  @Test func aBookingMustBeTakenOver() async throws {
    try write(
      lease: "\n    lease: {acquire: [sh, -c, 'echo acquire >> \(scratch.path)/log'], "
        + "release: [sh, -c, 'echo release >> \(scratch.path)/log']}")
    _ = try await kill("power", "off", "one")
    let refused = try await run("power", "on", "one")
    #expect(refused.code == 3, "\(refused.both)")
    #expect(refused.errors.contains("orphaned") && refused.errors.contains("--take-over"))
    #expect(try scratch.read("log") == "acquire\n")
    let taken = try await run("power", "on", "one", "--take-over")
    #expect(taken.code == 0, "\(taken.both)")
    #expect(try scratch.read("log") == "acquire\nrelease\nacquire\nrelease\n")
  }

  @Test(arguments: ["check", "run"])
  func aBoardThatACheckLeftOffIsSwitchedOnAgain(next: String) async throws {
    let process = try await kill("bench", "check", "one", "--switch")
    let what = "switched off for bench check --switch by anna, process \(process)"
    // Looking changes nothing.
    for arguments in [["bench", "who"], ["bench", "health", "one"], ["power", "state", "one"]] {
      let told = try await KelvinBinary.run(arguments, in: scratch.path)
      #expect(told.both.contains(what), "\(told.both)")
      #expect(told.both.contains("kelvin power on one"), "\(told.both)")
    }
    #expect(try scratch.read("plug") == "off\n")
    let json = try await run("bench", "who", "--format", "json").output
    #expect(json.contains(#""left-off":true"#), "\(json)")
    let ran =
      next == "check"
      ? try await run("bench", "check", "one")
      : try await run("run", "b.yaml", "-d", "out", "--board", "one", "-q")
    #expect(ran.code == 0, "\(ran.both)")
    #expect(ran.errors.contains(what) && ran.errors.contains("until now"), "\(ran.errors)")
    #expect(try scratch.read("plug") == "on\n")
    #expect(try await who().contains("nobody has"))
    #expect(try await run("power", "state", "one").errors.isEmpty)
  }

  @Test(arguments: [("on", "on\n"), ("off", "off\n")])
  func whoeverSwitchesItNextDecides(verb: String, state: String) async throws {
    _ = try await kill("power", "cycle", "one")
    let ran = try await run("power", verb, "one")
    #expect(ran.code == 0, "\(ran.both)")
    #expect(ran.errors.contains("switched off for kelvin power cycle by anna"), "\(ran.errors)")
    #expect(try scratch.read("plug") == state)
    #expect(try await who().contains("nobody has"))
  }

  @Test func oneThatCannotBeSwitchedOnIsSaidUntilItIs() async throws {
    _ = try await kill("bench", "check", "one", "--switch")
    try scratch.write("stuck", "")
    let checked = try await run("bench", "check", "one")
    #expect(checked.code == 1, "\(checked.both)")
    #expect(
      checked.output.contains("FAILED   board 'one'  lease: board 'one': switched off for bench"),
      "\(checked.both)")
    #expect(try await who().contains("and not on again"))
    unlink(scratch.path + "/stuck")
    #expect(try await run("bench", "check", "one").code == 0)
    #expect(try await who().contains("nobody has"))
  }

  @Test func whatIsSwitchedOnAgainIsForgotten() async throws {
    #expect(try await run("bench", "check", "one", "--switch").code == 0)
    #expect(try await run("power", "cycle", "one", "--off-for", "0 s").code == 0)
    #expect(try await who().contains("nobody has"))
    let store = try BenchStore.open(directory: scratch.path + "/.state")
    defer { store.close() }
    let status = try store.status(
      of: BenchResource(.board, "one", bench: scratch.path + "/bench.yaml"))
    #expect(status.outage == nil)
  }
}
