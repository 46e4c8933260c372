import Foundation
import Glibc
import KelvinConnections
import KelvinDevices
import KelvinExecution
import KelvinModel
import KelvinSystem
import Testing

/// A real kernel that panics, freezes and reboots while it is watched.
@Suite(.serialized, .needsGuests, .guest("x86-a"), .timeLimit(.minutes(15)))
struct BoardWatchTests {
  enum Way: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case ssh, adb, console
    var testDescription: String { rawValue }
  }

  let board: VirtualGuest
  let owner: GuestOwner
  let log: String
  private let period = 4.0

  init() throws {
    board = try #require(VirtualGuest.current)
    owner = try GuestOwner()
    let client = try owner.client()
    let held = try client.open(
      "board", at: ConsoleAddress("socket:" + board.console), until: owner.limit)
    try #require(held.state == .open)
    log = owner.places.consoleDirectory("board")
    try VirtualGuest.wait("the board is up") { board.answers() }
  }

  private func choice(_ way: Way, port: Int? = nil) throws -> DriverChoice {
    let here = SourceLocation(file: "bench.yaml")
    switch way {
    case .ssh:
      return DriverChoice(
        "ssh",
        options: [
          "host": "127.0.0.1", "port": .integer(Int64(try port ?? board.port("ssh_port"))),
          "config": .text(board.folder + "/ssh_config")
        ], location: here)
    case .adb:
      return DriverChoice(
        "adb", options: ["tcp": .text("127.0.0.1:\(try port ?? board.port("adb_port"))")],
        location: here)
    case .console:
      return DriverChoice("socket", options: ["path": .text(board.console)], location: here)
    }
  }

  private func connection(_ way: Way, _ choice: DriverChoice) throws -> any Connection {
    guard way == .console else { return try Connections.make(choice) }
    return ConsoleConnection(
      OwnedLine(board: "board", choice, places: owner.places), bitsPerSecond: 115_200
    ) { () throws(ConnectionFailure) in
      ConsoleLogin(user: "root", password: Array("kelvin".utf8))
    }
  }

  private func watch(
    _ pulse: (any Pulse)?, _ choice: DriverChoice?, console: Bool = true
  ) throws -> BoardWatch {
    var options = BoardWatch.Options()
    options.heartbeat = period
    return try BoardWatch(
      board: board.name, consoleLog: console ? log : nil, pulse: pulse, connection: choice,
      options: options)
  }

  private func wait(_ watch: BoardWatch, seconds: Double = 90) -> WaitResult {
    Deadline.after(seconds: seconds, interrupt: watch.alarm).wait()
  }

  private func wait(forBeats count: Int, _ watch: BoardWatch) throws {
    try VirtualGuest.wait("the board answers") { watch.beats >= count }
  }

  @Test func aPanicOnTheConsoleCutsAWaitShort() async throws {
    let choice = try choice(.ssh)
    let connection = try connection(.ssh, choice)
    let pulse = try await connection.pulse(until: .after(seconds: 60))
    let watch = try watch(pulse, choice)
    try wait(forBeats: 1, watch)
    try board.run(
      "(sleep 0.5; echo c >/proc/sysrq-trigger) >/dev/null 2>&1 </dev/null & sleep 0.1")
    #expect(wait(watch) == .interrupted)
    let raised = MonotonicTime.now
    watch.stop()
    await connection.close()
    let finding = try #require(watch.findings().first)
    #expect(finding.kind == .kernel(.panic), "\(watch.findings())")
    #expect(finding.sign?.line == "Kernel panic - not syncing: sysrq triggered crash")
    // When the owner got the line, by its index.
    let reader = ConsoleLogReader(directory: log)
    let all = owner.logged("board")
    let place = try #require(
      Data(all).range(of: Data("Kernel panic - not syncing".utf8), options: .backwards))
    let arrival = try #require(
      reader.entries.first { entry in
        guard case .chunk(let length) = entry.content else { return false }
        return entry.position + UInt64(length) > UInt64(place.lowerBound)
      })
    let known = Double(finding.time.nanoseconds - arrival.monotonic) / 1e6
    let told = Double(raised.nanoseconds - arrival.monotonic) / 1e6
    print("a panic was known \(known) ms, and a wait ended \(told) ms, after its line's arrival")
  }

  @Test(arguments: Way.allCases) func aFrozenBoardIsAHang(way: Way) async throws {
    if way == .adb {
      guard FourBoards.adbd != nil else {
        return print("not over adb: KELVIN_ADBD names none; run scripts/build-adbd")
      }
      if try board.run("pidof adbd ld.so || :").isEmpty { try FourBoards.startADBD(board) }
      try VirtualGuest.wait("adbd listens") {
        try board.run("netstat -ltn | grep -c :5555 || :") != "0"
      }
    }
    let choice = try choice(way)
    let connection = try connection(way, choice)
    let pulse = try #require(try await connection.pulse(until: .after(seconds: 90)))
    let watch = try watch(pulse, choice)
    try wait(forBeats: 3, watch)
    #expect(watch.findings().isEmpty)
    let monitor = try GuestMonitor(board)
    let begin = MonotonicTime.now
    try monitor.execute("stop")
    let ended = wait(watch)
    let seconds = Double(MonotonicTime.now - begin) / 1e9
    try monitor.execute("cont")
    #expect(ended == .interrupted)
    print("\(way): a frozen board was noticed after \(seconds) s, period \(period) s")
    let finding = try #require(watch.findings().first)
    #expect(finding.kind == .hang && finding.failure.kind == .target, "\(finding)")
    #expect(finding.evidence.contains { $0.hasPrefix("its console is silent") }, "\(finding)")
    watch.stop()
    pulse.close()
    await connection.close()
    #expect(try board.run("ps | grep -c '[c]at$' || :") == "0")
  }

  @Test func aCableThatIsOutIsTheLinkWhileTheConsoleSpeaks() async throws {
    let choice = try choice(.ssh)
    let connection = try connection(.ssh, choice)
    let pulse = try #require(try await connection.pulse(until: .after(seconds: 60)))
    try board.run(
      "(while [ ! -e /tmp/hush ]; do echo tick >/dev/console; sleep 0.3; done) >/dev/null 2>&1 </dev/null &"
    )
    let watch = try watch(pulse, choice)
    try wait(forBeats: 1, watch)
    let monitor = try GuestMonitor(board)
    try monitor.execute("set_link", ["name": "net", "up": false])
    let ended = wait(watch)
    try monitor.execute("set_link", ["name": "net", "up": true])
    #expect(ended == .interrupted)
    let finding = try #require(watch.findings().first)
    #expect(finding.kind == .linkAway && finding.failure.kind == .infrastructure, "\(finding)")
    #expect(finding.message.contains("its console speaks"), "\(finding)")
    watch.stop()
    await connection.close()
    try VirtualGuest.wait("the link is back") { board.answers("touch /tmp/hush") }
    try board.run("sleep 1; rm /tmp/hush")
  }

  @Test func aConnectionThatIsCutIsTheLink() async throws {
    let cord = try Cord(to: "TCP:127.0.0.1:\(board.port("ssh_port"))")
    defer { cord.pull() }
    let choice = try choice(.ssh, port: Int(cord.place))
    let connection = try connection(.ssh, choice)
    let pulse = try #require(try await connection.pulse(until: .after(seconds: 60)))
    let watch = try watch(pulse, choice)
    try wait(forBeats: 1, watch)
    let begin = MonotonicTime.now
    cord.pull()
    #expect(wait(watch) == .interrupted)
    print("a cut connection was noticed after \(Double(MonotonicTime.now - begin) / 1e9) s")
    #expect(watch.findings().map(\.kind) == [.linkAway], "\(watch.findings())")
    watch.stop()
    await connection.close()
  }

  @Test func aRebootIsTold() async throws {
    let choice = try choice(.ssh)
    let connection = try connection(.ssh, choice)
    let before = try await BootState.read(through: connection, until: .after(seconds: 60))
    let watch = try watch(nil, nil)
    try board.run("(sleep 0.5; reboot -f) >/dev/null 2>&1 </dev/null & sleep 0.1")
    #expect(wait(watch) == .interrupted)
    watch.stop()
    #expect(watch.findings().map(\.kind) == [.kernel(.reboot)], "\(watch.findings())")
    await connection.close()
    try VirtualGuest.wait("the board is back") { board.answers() }
    let after = try await BootState.read(through: connection, until: .after(seconds: 60))
    guard case .rebooted(let evidence) = BootChange(from: before, to: after) else {
      Issue.record("\(BootChange(from: before, to: after))")
      return
    }
    #expect(evidence.first?.hasPrefix("boot id ") == true, "\(evidence)")
    // Of all that a kernel says while it boots nothing is taken for trouble.
    let signs = KernelSigns(Array(try board.run("dmesg").utf8))
    #expect(signs.signs.map(\.kind) == [.kernelStarted], "\(signs.signs)")
    await connection.close()
  }

  /// What asking costs the board, by the time that its processes have used.
  @Test(arguments: [Way.ssh, .console]) func whatAHeartbeatCostsIsMeasured(way: Way) async throws {
    let choice = try choice(way)
    let connection = try connection(way, choice)
    let pulse = try #require(try await connection.pulse(until: .after(seconds: 60)))
    let ask = "cat /proc/stat | sed -n 's/^cpu  //p'; cat /proc/uptime"
    func used() throws -> (busy: Int, seconds: Double) {
      let words = try board.run(ask).split(whereSeparator: \.isWhitespace)
      let ticks = words.prefix(10).compactMap { Int($0) }
      // user, nice, system, irq, softirq; 100 a second.
      return (ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6], try #require(Double(words[10])))
    }
    let before = try used()
    let beats = way == .ssh ? 500 : 50
    let begin = MonotonicTime.now
    for _ in 0..<beats { try pulse.beat(until: .after(seconds: 20)) }
    let trip = Double(MonotonicTime.now - begin) / 1e6 / Double(beats)
    let after = try used()
    print(
      "\(way): a question takes \(trip) ms, and about \(Double(after.busy - before.busy) * 10 / Double(beats)) ms "
        + "of a guest's emulated CPUs")
    #expect(after.busy >= before.busy)
    pulse.close()
    await connection.close()
  }
}
