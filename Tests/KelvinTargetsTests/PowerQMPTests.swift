import Glibc
import KelvinConnections
import KelvinModel
import KelvinSimulators
import KelvinSystem
import KelvinTargets
import Synchronization
import Testing

/// A QEMU process without a machine to speak of: only its monitor.
final class Machine: Sendable {
  let directory: Directory
  let process: any RemoteProcess
  var socket: String { directory.path + "/qmp" }

  static let isInstalled =
    ["/usr/bin", "/usr/local/bin", "/bin"].contains {
      access($0 + "/qemu-system-x86_64", X_OK) == 0
    }

  /// Starts one and returns when its monitor listens.
  init(_ options: [String] = ["-S"]) async throws {
    directory = try Directory()
    process = try await LocalConnection().start(
      Command(
        ["qemu-system-x86_64", "-M", "none", "-display", "none", "-nodefaults"] + options
          + ["-qmp", "unix:\(directory.path)/qmp,server=on,wait=off"]), until: soon)
    let deadline = soon
    // The file is there before anybody listens.
    while (try? DeviceClient(unix: directory.path + "/qmp").close()) == nil {
      guard !deadline.hasPassed else { throw PlainFailure(.timeout, "QEMU did not start") }
      _ = deadline.limited(toSeconds: 0.01).wait()
    }
  }

  var power: any PowerSwitch {
    get throws { try makeSwitch(QMPSwitch.self, ["socket": .text(socket)]) }
  }

  /// Ends it as power loss ends a board.
  func kill() async throws {
    try await process.signal(SIGKILL)
    _ = try await process.wait(until: soon)
  }
}

@Suite(.timeLimit(.minutes(2)))
struct PowerQMPTests {
  @Test(.enabled(if: Machine.isInstalled, "needs qemu-system-x86_64"))
  func switchesARealMachine() async throws {
    let machine = try await Machine()
    let power = try machine.power
    #expect(try await power.state(until: soon) == PowerReading(.off, .measured))
    try await power.set(.on, until: soon)
    #expect(try await power.state(until: soon) == PowerReading(.on, .measured))
    try await power.set(.on, until: soon)
    try await power.set(.off, until: soon)
    #expect(try await power.state(until: soon).state == .off)
    try await power.set(.off, until: soon)
    // Every client sees it: QEMU keeps the state, not Kelvin.
    #expect(try await machine.power.state(until: soon).state == .off)
    try await power.cycle(offSeconds: 0, until: soon)
    #expect(try await power.state(until: soon).state == .on)
    try await power.cycle(offSeconds: 0, until: soon)
    #expect(try await power.state(until: soon).state == .on)
    try await machine.kill()
  }

  @Test(.enabled(if: Machine.isInstalled, "needs qemu-system-x86_64"))
  func aPathLongerThanASocketAddressIsNoProblem() async throws {
    let machine = try await Machine()
    var path = machine.directory.path
    for letter in ["x", "y"] {
      path += "/" + String(repeating: letter, count: 100)
      try #require(mkdir(path, 0o755) == 0)
    }
    try #require(symlink(machine.socket, path + "/qmp") == 0)
    let power = try makeSwitch(QMPSwitch.self, ["socket": .text(path + "/qmp")])
    #expect(try await power.state(until: soon) == PowerReading(.off, .measured))
    try await machine.kill()
  }

  @Test(.enabled(if: Machine.isInstalled, "needs qemu-system-x86_64"))
  func tellsAMachineThatHangsFromOneThatIsOff() async throws {
    let machine = try await Machine([])
    let power = try machine.power
    // It leaves without taking all of its answers, which QEMU then gives to whoever comes next.
    let other = try DeviceClient(unix: machine.socket)
    try other.send("{\"execute\":\"qmp_capabilities\"}\n{\"execute\":\"stop\"}\n", until: "STOP")
    other.close()
    #expect(try await power.state(until: soon).state == .on)
    try await power.cycle(offSeconds: 0, until: soon)
    #expect(try await power.state(until: soon).state == .on)
    try await machine.kill()
  }

  @Test(.enabled(if: Machine.isInstalled, "needs qemu-system-x86_64"))
  func readsAMachineThatWasKilledAsOff() async throws {
    let machine = try await Machine([])
    let power = try machine.power
    try await power.set(.on, until: soon)
    try await machine.kill()
    #expect(try await power.state(until: soon) == PowerReading(.off, .measured))
    try await power.set(.off, until: soon)
    for call in 0...1 {
      let failure = await failure {
        call == 0
          ? try await power.set(.on, until: soon)
          : try await power.cycle(offSeconds: 0, until: soon)
      }
      #expect(failure?.description.contains("its QEMU has ended; start the machine again") == true)
    }
  }

  @Test(.enabled(if: Machine.isInstalled, "needs qemu-system-x86_64"))
  func saysThatAMachineEndsInsteadOfResetting() async throws {
    let machine = try await Machine(["-no-reboot"])
    let power = try machine.power
    let failure = await failure { try await power.cycle(offSeconds: 0, until: soon) }
    #expect(failure?.kind == .infrastructure)
    #expect(failure?.description.contains("-no-reboot") == true, "\(String(describing: failure))")
    _ = try await machine.process.wait(until: soon)
  }

  @Test(.enabled(if: Machine.isInstalled, "needs qemu-system-x86_64"))
  func saysThatAnotherProgramHoldsTheMonitor() async throws {
    let machine = try await Machine()
    let other = try DeviceClient(unix: machine.socket)
    try other.send("", until: "QMP")
    let power = try machine.power
    let failure = await failure { _ = try await power.state(until: .after(seconds: 0.3)) }
    #expect(failure?.kind == .timeout)
    #expect(failure?.hint.contains("another program") == true)
    other.close()
    try await machine.kill()
  }

  /// A simulated monitor on a socket of its own.
  struct Simulated {
    let monitor: SimulatedMonitor
    let directory: Directory
    let server: DeviceServer
    let power: any PowerSwitch

    init(
      _ monitor: SimulatedMonitor, warn: @escaping @Sendable (String) -> Void = { _ in }
    ) throws {
      self.monitor = monitor
      directory = try Directory()
      server = try DeviceServer(unix: directory.path + "/qmp", monitor)
      power = try makeSwitch(
        QMPSwitch.self, ["socket": .text(server.address)], host: PowerHost(warn: warn))
    }

    /// Both stay until here.
    func stop() {
      server.stop()
      withExtendedLifetime(directory) {}
    }
  }

  @Test func refusesAVersionThatLacksACommand() async throws {
    let machine = try Simulated(SimulatedMonitor(major: 99, lacking: ["system_reset"]))
    let failure = await failure { _ = try await machine.power.state(until: soon) }
    #expect(failure?.kind == .configuration)
    #expect(
      failure?.message.hasSuffix("QEMU 99.1 is not known, and its monitor lacks system_reset")
        == true)
    machine.stop()
  }

  @Test func warnsOfAVersionThatIsNotKnown() async throws {
    let warnings = Mutex<[String]>([])
    let machine = try Simulated(SimulatedMonitor(major: 99)) { text in
      warnings.withLock { $0.append(text) }
    }
    #expect(try await machine.power.state(until: soon).state == .on)
    #expect(warnings.withLock { $0.count } == 1)
    #expect(warnings.withLock { $0[0].hasSuffix("QEMU 99.1 is not known; tested with 7.2") })
    machine.stop()
  }

  @Test(arguments: [
    DeviceFault.garbage, .otherDevice, .half, .cut, .silent, .late(seconds: 10)
  ])
  func refusesWhatIsNoMonitor(fault: DeviceFault) async throws {
    let monitor = SimulatedMonitor()
    monitor.fault = fault
    let machine = try Simulated(monitor)
    let failure = await failure { try await machine.power.set(.off, until: .after(seconds: 0.5)) }
    #expect(
      failure?.message.hasPrefix(machine.server.address) == true, "\(String(describing: failure))")
    #expect(failure?.message.contains("No such file") == false)
    #expect(monitor.run == "running")
    machine.stop()
  }

  @Test func noticesAMonitorThatAcknowledgesAndDoesNothing() async throws {
    let monitor = SimulatedMonitor()
    monitor.fault = .acknowledgesOnly
    let machine = try Simulated(monitor)
    let failure = await failure { try await machine.power.set(.off, until: soon) }
    #expect(failure?.message.hasSuffix("switched off, but QEMU says 'running'") == true)
    machine.stop()
  }

  @Test func startsAMachineAgainThatShutItselfDown() async throws {
    let monitor = SimulatedMonitor()
    monitor.run = "shutdown"
    let machine = try Simulated(monitor)
    #expect(try await machine.power.state(until: soon).state == .off)
    try await machine.power.set(.on, until: soon)
    #expect(monitor.run == "running")
    machine.stop()
  }

  @Test func refusesAStateThatIsNotKnown() async throws {
    let monitor = SimulatedMonitor()
    monitor.run = "levitating"
    let machine = try Simulated(monitor)
    let failure = await failure { _ = try await machine.power.state(until: soon) }
    #expect(
      failure?.message.hasSuffix("QEMU 7.1 says 'levitating', which is not known here") == true)
    machine.stop()
  }

  @Test(arguments: ["/tmp/kelvin-no-such/qmp", "/tmp/" + String(repeating: "x", count: 120)])
  func refusesAPathWithoutASocket(path: String) async throws {
    let power = try makeSwitch(QMPSwitch.self, ["socket": .text(path)])
    for state in PowerState.allCases {
      let failure = await failure { try await power.set(state, until: soon) }
      #expect(failure?.message.hasPrefix(path) == true)
    }
  }
}
