import Glibc
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Testing

@Suite(.timeLimit(.minutes(3)))
struct ConsoleSimulatorTests {
  /// Opens a terminal as a host does.
  private func open(_ path: String) throws -> ConsoleWire {
    let descriptor = Glibc.open(path, O_RDWR | O_NOCTTY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Errno.current }
    return ConsoleWire(descriptor, name: path)
  }

  /// Opens it, and waits for the shell: what is typed before is lost, as at a getty.
  private func openAtPrompt(_ console: SimulatedConsole) throws -> ConsoleWire {
    let wire = try open(console.simulator.address)
    _ = try wire.read(through: Array("# ".utf8), until: soon())
    return wire
  }

  private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

  private func soon(_ seconds: Double = 20) -> Deadline { .after(seconds: seconds) }

  @Test func aBoardBootsAndAsksForALoginAndAPassword() throws {
    let console = try SimulatedConsole {
      $0.login = .init(user: "root", password: "kelvin")
      $0.bootSeconds = 0.5
      $0.faults.asksTwice = true
    }
    let wire = try open(console.simulator.address)
    for isRight in [false, true, true] {
      let said = text(try wire.read(through: Array("login: ".utf8), until: soon()))
      #expect(said.hasSuffix("\r\nboard login: "))
      try wire.write(Array("root\r".utf8))
      _ = try wire.read(through: Array("Password: ".utf8), until: soon())
      try wire.write(Array((isRight ? "kelvin\r" : "wrong\r").utf8))
    }
    #expect(text(try wire.read(through: Array("# ".utf8), until: soon())).contains("Last login"))
    try wire.write(Array("echo $USER; exit\r".utf8))
    // Never echoed: the password.
    let said = text(try wire.read(through: Array("login: ".utf8), until: soon()))
    #expect(said.contains("\r\nroot\r\n") && !said.contains("kelvin\r"))
  }

  @Test func anyKeyStopsTheBootLoaderAndNoneBoots() throws {
    let console = try SimulatedConsole {
      $0.countdown = 1
      $0.bootSeconds = 0.2
    }
    let wire = try open(console.simulator.address)
    let first = text(try wire.read(through: Array("# ".utf8), until: soon()))
    #expect(
      first.contains("Hit any key to stop autoboot:  1 ") && first.contains("Starting kernel"))
    try wire.write(Array("reboot\r".utf8))
    _ = try wire.read(through: Array("autoboot:  1 ".utf8), until: soon())
    try wire.write([32])
    _ = try wire.read(through: Array("=> ".utf8), until: soon())
    try wire.write(Array("help\r".utf8))
    let said = text(try wire.read(through: Array("=> ".utf8), until: soon()))
    #expect(said.contains("Unknown command 'help'"))
    try wire.write(Array("boot\r".utf8))
    #expect(text(try wire.read(through: Array("# ".utf8), until: soon())).contains("Linux version"))
  }

  @Test func panicsAreAsManyAsWished() throws {
    let console = try SimulatedConsole {
      $0.bootSeconds = 0.1
      $0.faults.panics = 1
    }
    let wire = try open(console.simulator.address)
    let said = text(try wire.read(through: Array("# ".utf8), until: soon()))
    #expect(said.split(separator: "Linux version").count == 3)
    #expect(said.contains("---[ end Kernel panic - not syncing"))
  }

  @Test func aBoardThatNeverBootsSaysNothingWhateverIsTyped() throws {
    let console = try SimulatedConsole { $0.faults.neverBoots = true }
    let wire = try open(console.simulator.address)
    try wire.write(Array("hello\r\u{3}\u{4}".utf8))
    #expect(try wire.read(count: 1, until: soon(0.7)).isEmpty)
  }

  /// Also what has left the shell's session and ignores signals.
  @Test func nothingIsLeftAtTheEnd() throws {
    let console = try SimulatedConsole()
    let wire = try openAtPrompt(console)
    // Seconds that nobody else on this machine sleeps for.
    let (first, second) = (4_000_000 + Int(getpid()), 8_000_000 + Int(getpid()))
    try wire.write(
      Array("trap '' HUP TERM; setsid sh -c 'echo go; sleep \(first)' & sleep \(second)\r".utf8))
    _ = try wire.read(through: Array("go\r\n".utf8), until: soon())
    let shell = try #require(console.simulator.processID)
    func sleepers() -> [String] {
      ProcessEntry.all().compactMap { SmallFile.text("/proc/\($0.processID)/cmdline") }
        .filter { $0.contains("sleep") && ($0.contains("\(first)") || $0.contains("\(second)")) }
    }
    #expect(SimulatedConsole.eventually { sleepers().count >= 2 })
    console.simulator.end()
    #expect(sleepers().isEmpty)
    #expect(ProcessIdentity(processID: shell) == nil)
    #expect(access(console.simulator.address, F_OK) != 0)
    // The host sees a hang-up.
    #expect(try wire.read(count: 100_000, until: soon()).count < 100_000)
  }

  /// A terminal that was unplugged comes back under its link; ports and sockets under their names.
  @Test(arguments: SimulatedConsole.Place.allCases)
  func whatVanishesComesBackAtItsPlace(place: SimulatedConsole.Place) throws {
    let console = try SimulatedConsole(place)
    let before = console.simulator.address
    #expect(try exists(place, before))
    console.simulator.vanish(seconds: 1)
    #expect(try SimulatedConsole.eventually { try !exists(place, before) })
    #expect(try SimulatedConsole.eventually { try exists(place, before) })
    guard place == .terminal else { return }
    let wire = try open(before)
    try wire.write(Array("echo b''ack\r".utf8))
    #expect(
      text(try wire.read(through: Array("back\r\n".utf8), until: soon())).hasSuffix("back\r\n"))
  }

  private func exists(_ place: SimulatedConsole.Place, _ address: String) throws -> Bool {
    guard place == .tcp || place == .telnet else { return access(address, F_OK) == 0 }
    let port = UInt16(address.split(separator: ":").last ?? "") ?? 0
    // Whether somebody listens there: TCP state 0A (proc(5)), without becoming its host.
    let hex = String(port, radix: 16, uppercase: true)
    let line = String(repeating: "0", count: 4 - hex.count) + hex
    return (SmallFile.text("/proc/net/tcp") ?? "").contains("0100007F:\(line) 00000000:0000 0A")
  }

  @Test func whatTheBoardAsksForHappens() throws {
    let console = try SimulatedConsole()
    let wire = try openAtPrompt(console)
    // The board's request goes by a FIFO of its own, beside what it prints.
    try wire.write(Array("fault cut 2; sleep 0.5; echo l''ost; sleep 2.5; echo f''ound\r".utf8))
    let said = text(try wire.read(through: Array("found\r\n".utf8), until: soon()))
    #expect(said.hasSuffix("found\r\n") && !said.contains("\r\nlost"))
  }

  /// At 9,600 bits a second, 960 bytes take a second.
  @Test func bytesTakeTheirTime() throws {
    let console = try SimulatedConsole { $0.bitsPerSecond = 9600 }
    let wire = try openAtPrompt(console)
    try wire.write(Array("head -c 1900 /dev/zero | tr '\\000' x; echo; echo e''nd\r".utf8))
    _ = try wire.read(through: Array("\r\n".utf8), until: soon())
    let began = MonotonicTime.now
    _ = try wire.read(through: Array("end\r\n".utf8), until: soon())
    #expect(MonotonicTime.now - began > 1_500_000_000)
  }

  @Test(arguments: [
    "noise", "noise=-1", "lost=2", "cut=5", "cut=5:x", "cut=:1", "vanish=1:2:3", "panic=x",
    "no-boot=1",
    "nothing", "", "=", "seed=", "stall=-1", "delay=nan"
  ])
  func whatIsNoFaultIsRefused(text: String) {
    var faults = ConsoleFaults()
    let isTaken = faults.add(text)
    #expect(!isTaken)
  }

  @Test func aProgramThatIsNotThereIsNamed() throws {
    var setup = ConsoleSimulator.Setup(.terminal(link: nil))
    setup.shell = nil
    setup.arguments = ["no-such-program"]
    let failure = #expect(throws: PlainFailure.self) { _ = try ConsoleSimulator(setup) }
    #expect(failure?.kind == .configuration)
    #expect(failure?.message.contains("no-such-program") == true)
  }

  /// What somebody else has put there.
  @Test func aFileInThePlaceOfALinkIsLeftAlone() throws {
    for place in [ConsolePlace.terminal(link: "/dev/null"), .socket(path: "/dev/null")] {
      let failure = #expect(throws: PlainFailure.self) {
        _ = try ConsoleSimulator(ConsoleSimulator.Setup(place))
      }
      #expect(failure?.kind == .configuration)
    }
  }
}
