import Glibc
import KelvinConnections
import KelvinModel
import KelvinSimulators
import KelvinStore
import Testing

/// What runs leave that deploy images and are killed: a kernel in a board's memory, a board that is off
/// while its card is elsewhere.
@Suite(.timeLimit(.minutes(2)))
struct DeployedByTheDeadTests {
  let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func run(_ arguments: String...) async throws -> Ran {
    try await KelvinBinary.run(arguments, in: scratch.path)
  }

  @Test(arguments: [("kexec", true), ("kexec", false), ("sd-mux", true)])
  func aKernelInMemoryIsToldOf(way: String, isThisBoot: Bool) async throws {
    try #require(symlink("/", scratch.path + "/root") == 0)
    try scratch.write(
      "bench.yaml",
      """
      boards:
        one:
          profile: generic-linux
          connection: {local: {root: \(scratch.path)/root}}
      """)
    let bootID = try String(scratch.read("root/proc/sys/kernel/random/boot_id").prefix(36))
    let store = try BenchStore.open(directory: scratch.path + "/.state")
    try store.deployed(
      DeploymentRecord(
        way: way, image: "{}", buildID: "bb", boardBootID: isThisBoot ? bootID : "another",
        run: "r-1"), to: BenchResource(.board, "one", bench: scratch.path + "/bench.yaml"))
    store.close()
    for arguments in [["target", "restore", "one"], ["target", "restore", "one", "--dry-run"]] {
      let ran = try await KelvinBinary.run(arguments, in: scratch.path)
      #expect(ran.code == 0, "\(ran.both)")
      let told = ran.output.contains(
        "one: still runs what was deployed by kexec in run r-1, until 'kelvin target reboot one'")
      // What was written onto the board stays, and what was in memory is gone with its boot.
      #expect(told == (way == "kexec" && isThisBoot), "\(ran.both)")
      #expect(ran.output.contains("nothing to put back"), "\(ran.both)")
    }
  }

  @Test func aCardAndItsBoardComeBackToEachOther() async throws {
    let daemon = try SimulatedADBD()
    let path = scratch.path
    try scratch.write(
      "bench.yaml",
      """
      boards:
        one:
          profile: generic-linux
          connection: {adb: {tcp: '127.0.0.1:\(daemon.port)'}}
          power:
            command:
              on: [sh, -c, 'cd \(path); echo on > plug; echo on >> log']
              off: [sh, -c, 'cd \(path); echo off > plug; echo off >> log']
              state: [cat, \(path)/plug]
          deploy:
            sd-mux:
              to_host: [sh, -c, 'cd \(path); echo host >> log; while test -e slow; do sleep 0.02; done']
              to_board: [sh, -c, 'cd \(path); echo board >> log']
              device: \(path)/card
      """)
    for (name, text) in [("plug", "on\n"), ("card", "old"), ("root.img", "new"), ("slow", "")] {
      try scratch.write(name, text)
    }
    try scratch.write(
      "deploy.yaml",
      """
      workloads:
        - name: command
          params: {argv: ['true']}
          deploy: {by: sd-mux, root: root.img, verify: 'true'}
      """)
    let process = try await KelvinBinary.start(
      ["run", "deploy.yaml", "-d", "out", "--board", "one", "-q"], in: path)
    let deadline = Deadline.after(seconds: 30)
    while (try? scratch.read("log")) != "off\nhost\n" {
      try #require(!deadline.hasPassed, "no card was switched within 30 s")
      try await Task.sleep(for: .milliseconds(5))
    }
    kill(process.processID, SIGKILL)
    _ = try await process.wait(until: .after(seconds: 30))
    unlink(path + "/slow")
    let who = try await run("bench", "who").output
    #expect(who.contains("switched off for deploy by sd-mux in run "), "\(who)")
    #expect(try scratch.read("plug") == "off\n")

    // Whoever has the board next switches it on, its card inside.
    try scratch.write("b.yaml", "workloads: [{name: command, params: {argv: ['true']}}]\n")
    let next = try await run("run", "b.yaml", "-d", "next", "--board", "one", "--take-over", "-q")
    #expect(next.code == 0, "\(next.both)")
    #expect(next.errors.contains("and not on again until now"), "\(next.errors)")
    #expect(try scratch.read("log") == "off\nhost\nboard\non\n")
    #expect(try scratch.read("plug") == "on\n")
  }
}
