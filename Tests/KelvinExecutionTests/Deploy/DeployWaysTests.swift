import Foundation
import KelvinConnections
import KelvinExecution
import KelvinModel
import KelvinSimulators
import KelvinStore
import KelvinTargets
import Synchronization
import Testing

/// Ways by which images are written onto a board: partitions by fastboot, a card by a multiplexer.
@Suite(.timeLimit(.minutes(2))) struct DeployWaysTests {
  let directory: TemporaryDirectory
  let board: BootingBoard
  let journal = MemoryDeployments()

  init() throws {
    directory = try TemporaryDirectory()
    board = try BootingBoard(directory.path + "/board")
  }

  private func run(
    _ deployment: Deployment, _ ways: DeployWays, iterations: Int = 1,
    _ change: (inout DeployEquipment, inout BoardEquipment) throws -> Void = { _, _ in }
  ) async throws -> RunResult {
    var spec = JobSpec.scripted(iterations: iterations)
    spec.deployment = deployment
    var fixture = RunFixture([spec])
    fixture.workloads = [ScriptedWorkload().type()]
    fixture.connection = board
    fixture.equipment.bootSeconds = 10
    var equipment = DeployEquipment(ways: ways, journal: journal)
    try change(&equipment, &fixture.equipment)
    fixture.deploy = equipment
    return try await fixture.run()
  }

  private func reason(_ result: RunResult) throws -> String {
    try result.outcomes().first??.reason ?? ""
  }

  private func contents(_ path: String) -> Data? { FileManager.default.contents(atPath: path) }

  // MARK: fastboot

  private func simulator(_ heard: Recorder) throws -> FastbootSimulator {
    try FileManager.default.createDirectory(
      atPath: directory.path + "/partitions", withIntermediateDirectories: true)
    let setup = FastbootSimulator.Setup(
      .tcp(0), directory: directory.path + "/partitions",
      partitions: ["boot": 1 << 20, "system": 1 << 20])
    return try FastbootSimulator(setup) { [board] command in
      heard.say(command)
      if command == "reboot" { board.boot(board.state.withLock { $0.own }) }
    }
  }

  @Test func fastbootWritesPartitionsOnce() async throws {
    let kernel = try BootingBoard.kernel(0xBB, in: directory.path)
    let root = directory.path + "/root.img"
    try Data(repeating: 7, count: 8192).write(to: URL(fileURLWithPath: root))
    let heard = Recorder()
    let simulator = try simulator(heard)
    board.state.withLock { $0.own = .init(buildID: 0xBB) }
    let ways = DeployWays([.fastboot: ["kernel": "boot", "root": "system", "enter": ""]])
    let result = try await run(Deployment(kernel: kernel, root: root), ways, iterations: 2) {
      equipment, _ in
      equipment.fastboot = .tcp(HostAndPort(host: "127.0.0.1", port: simulator.port))
    }
    #expect(try result.verdicts() == ["ok", "ok"])
    #expect(heard.all.filter { $0.hasPrefix("flash:") } == ["flash:boot", "flash:system"])
    let partitions = directory.path + "/partitions"
    let written = try #require(contents(kernel))
    #expect(contents(partitions + "/boot.img")?.starts(with: written) == true)
    #expect(contents(partitions + "/system.img")?.prefix(8192) == contents(root))
    // What was written stays.
    #expect(board.boots == 2 && journal.last()?.way == "fastboot")
    simulator.stop()
  }

  @Test func whatABootLoaderRefusesIsTold() async throws {
    let kernel = try BootingBoard.kernel(0xBB, in: directory.path)
    let simulator = try simulator(Recorder())
    let result = try await run(
      Deployment(kernel: kernel), DeployWays([.fastboot: ["kernel": "nowhere", "enter": ""]])
    ) { equipment, _ in
      equipment.fastboot = .tcp(HostAndPort(host: "127.0.0.1", port: simulator.port))
    }
    #expect(try result.verdicts() == ["failed: target"])
    #expect(try reason(result).contains("nowhere"))
    #expect(board.boots == 1 && journal.last()?.boardBootID == "")
    simulator.stop()
  }

  @Test func aFileWithoutAPartitionIsAMistake() async throws {
    let kernel = try BootingBoard.kernel(0xBB, in: directory.path)
    let result = try await run(
      Deployment(kernel: kernel), DeployWays([.fastboot: ["enter": ""]])
    ) { equipment, _ in equipment.fastboot = .tcp(HostAndPort(host: "127.0.0.1", port: 1)) }
    #expect(try result.verdicts() == ["failed: configuration"])
    #expect(try reason(result).contains("no partition is named for 'kernel'"))
  }

  // MARK: SD mux

  private func power() throws -> PowerControl {
    let place = SourceLocation(file: "bench.yaml", line: 1, column: 1)
    let log = directory.path + "/log"
    return try PowerControl(
      BoardEntry(
        name: "local", profile: "p",
        power: DriverChoice(
          "command",
          options: [
            "on": ["sh", "-c", .text("echo on >>\(log); touch \(board.root)/on")],
            "off": ["sh", "-c", .text("echo off >>\(log)")]
          ], location: place), location: place))
  }

  private func mux(device: String) -> DeployWays {
    let log = directory.path + "/log"
    return DeployWays([
      .sdMux: [
        "to_host": ["sh", "-c", .text("echo host >>\(log)")],
        "to_board": ["sh", "-c", .text("echo board >>\(log)")], "device": .text(device)
      ]
    ])
  }

  private var log: String {
    contents(directory.path + "/log").map { String(decoding: $0, as: UTF8.self) } ?? ""
  }

  @Test func aCardIsWrittenWhileTheBoardIsOff() async throws {
    let (root, card) = (directory.path + "/root.img", directory.path + "/card")
    try Data(repeating: 7, count: 8192).write(to: URL(fileURLWithPath: root))
    try Data(repeating: 1, count: 10_000).write(to: URL(fileURLWithPath: card))
    let result = try await run(
      Deployment(root: root, verify: "verify-me"), mux(device: card), iterations: 2
    ) { _, equipment in equipment.power = try power() }
    #expect(try result.verdicts() == ["ok", "ok"])
    #expect(log == "off\nhost\nboard\non\n")
    // A card is longer than its image.
    #expect(contents(card)?.count == 10_000 && contents(card)?.prefix(8192) == contents(root))
    #expect(board.boots == 2)
  }

  /// A Kelvin that was killed while it wrote left half a card, from which nothing boots.
  @Test func aCardThatWasLeftHalfWrittenIsWrittenBeforeTheBoardAnswers() async throws {
    let (root, card) = (directory.path + "/root.img", directory.path + "/card")
    try Data(repeating: 7, count: 8192).write(to: URL(fileURLWithPath: root))
    try Data(repeating: 1, count: 10_000).write(to: URL(fileURLWithPath: card))
    journal.note(
      DeploymentRecord(way: "sd-mux", image: "{}", buildID: "", boardBootID: "", run: "dead"))
    board.state.withLock { $0.isDead = true }
    let switched = Recorder()
    let result = try await run(Deployment(root: root, verify: "verify-me"), mux(device: card)) {
      _, equipment in
      equipment.power = try power()
      equipment.outage = OutageJournal(
        begin: { switched.say("begin: \($0)") }, end: { switched.say("end") })
    }
    #expect(try result.verdicts() == ["ok"])
    #expect(log == "off\nhost\nboard\non\n")
    #expect(contents(card)?.prefix(8192) == contents(root))
    #expect(switched.all == ["begin: deploy by sd-mux", "end"])
  }

  /// One whose last deployment came to its end is not written to because it does not answer.
  @Test func aBoardThatIsSilentForAnotherReasonIsNotDeployedTo() async throws {
    let root = directory.path + "/root.img"
    try Data(repeating: 7, count: 8192).write(to: URL(fileURLWithPath: root))
    board.state.withLock { $0.isDead = true }
    let result = try await run(
      Deployment(root: root, verify: "verify-me"), mux(device: "/dev/full")
    ) { _, equipment in equipment.power = try power() }
    #expect(result.outcome.verdict == .failed(.target))
    #expect(result.outcome.reason.contains("fake: silent"))
    #expect(log == "")
  }

  @Test func aCardThatCannotBeWrittenLeavesNoBoardOff() async throws {
    let root = directory.path + "/root.img"
    try Data(repeating: 7, count: 8192).write(to: URL(fileURLWithPath: root))
    // Takes no byte.
    let result = try await run(
      Deployment(root: root, verify: "verify-me"), mux(device: "/dev/full")
    ) { _, equipment in equipment.power = try power() }
    #expect(try reason(result).contains("cannot be written to /dev/full"))
    #expect(log == "off\nhost\nboard\non\n")
    #expect(try result.reader.attempts(ofJob: 0).count == 1)
  }

  @Test func aMuxWithoutAPowerSwitchIsAMistake() async throws {
    let root = directory.path + "/root.img"
    try Data([1]).write(to: URL(fileURLWithPath: root))
    let result = try await run(
      Deployment(root: root, verify: "verify-me"), mux(device: "/dev/full"))
    #expect(try result.verdicts() == ["failed: configuration"])
    #expect(try reason(result).contains("needs the board's power"))
  }
}
