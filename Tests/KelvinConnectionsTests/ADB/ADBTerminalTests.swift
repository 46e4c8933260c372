import Foundation
import Glibc
import KelvinDevices
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Testing

@testable import KelvinConnections

/// Which device gives the terminal, and by which way.
enum TerminalDevice: String, CaseIterable, Sendable {
  case simulated, simulatedByServer, real, realByServer

  func with(_ body: (any ADBDevice) async throws -> Void) async throws {
    let keys = try Scratch()
    let (simulated, real) = (
      self == .simulated || self == .simulatedByServer ? try SimulatedADBD() : nil,
      self == .real || self == .realByServer ? try RealADBD() : nil
    )
    let port = simulated?.port ?? real?.port ?? 0
    let adb = self == .simulatedByServer || self == .realByServer ? try RealADB() : nil
    let device: any ADBDevice =
      if let adb {
        ADBServerDevice(adb.server, .serial(try adb.connect(port)))
      } else {
        ADBDirectDevice(
          host: "127.0.0.1", port: port, keys: ADBKeyStore(directory: keys.path))
      }
    let result: Result<Void, any Error>
    do { result = .success(try await body(device)) } catch { result = .failure(error) }
    device.close()
    simulated?.stop()
    real?.stop()
    adb?.stop()
    try result.get()
  }
}

/// A shell on a terminal of a device, for somebody who sits at a real pseudo terminal.
@Suite(.timeLimit(.minutes(2)))
struct ADBTerminalTests {
  private static let devices = TerminalDevice.allCases.filter {
    switch $0 {
    case .simulated: true
    case .simulatedByServer: hasADB
    case .real: RealADBD.isThere
    case .realByServer: hasADB && RealADBD.isThere
    }
  }

  @Test(arguments: devices) func followsTheSizeAndPassesTheExitCode(
    kind: TerminalDevice
  ) async throws {
    try await kind.with { device in
      let user = try TypingUser(rows: 31, columns: 97)
      let end = try user.use(ADBTerminal(device, command: [])) { user in
        user.type("PS1=; stty size; tty; echo term $TERM\n")
        try user.expect("31 97")
        try user.expect("/dev/pts/")
        try user.expect("term vt220")
        user.resize(rows: 12, columns: 40)
        // The size travels apart from what is typed, and before it.
        user.type("stty size; echo done-$((1 + 1))\n")
        try user.expect("12 40")
        try user.expect("done-2")
        user.type("exit 43\n")
      }
      #expect(end == .exited(43))
    }
  }

  @Test(arguments: devices) func keysReachTheProgramAsBytes(kind: TerminalDevice) async throws {
    try await kind.with { device in
      let user = try TypingUser(rows: 24, columns: 80)
      let end = try user.use(ADBTerminal(device, command: [])) { user in
        // A raw program sees them; the begin of a line does not make the escape of a lone tilde.
        user.type("PS1=; stty raw -echo; echo raw-$((1 + 1)); head -c 6 | od -An -tx1; stty sane\n")
        try user.expect("raw-2")
        user.type([0x03, 0x1C, 0x1A, 0x00, 0x7E, 0xFF])
        try user.expect("03 1c 1a 00 7e ff")
        // On a terminal in its usual mode Ctrl-C ends what runs there.
        user.type("\nstty echo; sh -c 'echo sleep-$((1 + 1)); exec sleep 100'\n")
        try user.expect("sleep-2")
        user.type([0x03])
        user.type("echo code-$?\n")
        try user.expect("code-130")
        user.type("exit 0\n")
      }
      #expect(end == .exited(0))
    }
  }

  @Test func aCommandHasTheTerminalToo() async throws {
    try await TerminalDevice.simulated.with { device in
      let user = try TypingUser(rows: 24, columns: 80)
      let end = try user.use(
        ADBTerminal(device, command: ["sh", "-c", "test -t 0 && echo \"a  b\"; exit 9"])
      ) { try $0.expect("a  b") }
      #expect(end == .exited(9))
    }
  }

  @Test func theEscapeLeavesAShellThatDoesNotAnswer() async throws {
    try await TerminalDevice.simulated.with { device in
      let user = try TypingUser(rows: 24, columns: 80)
      let end = try user.use(ADBTerminal(device, command: [])) { user in
        user.type("PS1=; stty -echo; echo a~.b; trap '' INT HUP; echo ready-$((1 + 1)); cat\n")
        try user.expect("a~.b")
        try user.expect("ready-2")
        user.type("~~x\n")
        try user.expect("~x")
        user.type("~.")
      }
      #expect(end == .left)
    }
  }

  @Test func aLostLinkIsNoExitCode() async throws {
    let daemon = try SimulatedADBD()
    let keys = try Scratch()
    let device = ADBDirectDevice(
      host: "127.0.0.1", port: daemon.port, keys: ADBKeyStore(directory: keys.path))
    let user = try TypingUser(rows: 24, columns: 80)
    let failure = #expect(throws: ConnectionFailure.self) {
      try user.use(ADBTerminal(device, command: [])) { user in
        user.type("echo ready-$((1 + 1))\n")
        try user.expect("ready-2")
        daemon.stop()
      }
    }
    #expect(failure?.code == .connectionLost)
    device.close()
  }

  @Test func oldDevicesTellTheirExitCodeToo() async throws {
    let daemon = try SimulatedADBD(.old)
    let keys = try Scratch()
    let device = ADBDirectDevice(
      host: "127.0.0.1", port: daemon.port, keys: ADBKeyStore(directory: keys.path))
    let user = try TypingUser(rows: 31, columns: 97)
    let end = try user.use(ADBTerminal(device, command: [])) { user in
      user.type("stty size\nexit 43\n")
      try user.expect("31 97")
    }
    #expect(end == .exited(43))
    #expect(!user.shown.contains("kelvin-"))
    device.close()
    daemon.stop()
  }

  @Test(arguments: [
    ("ls\r", "ls\r", false), ("~.", "", true), ("a~.", "a~.", false), ("a\r~.b", "a\r", true),
    ("~~.", "~.", false), ("~a", "~a", false), ("\n~", "\n", false)
  ]) func findsTheEscape(typed: String, sent: String, leaves: Bool) {
    var escape = TerminalEscape(UInt8(ascii: "~"))
    var bytes: [UInt8] = []
    var left = false
    // One by one, as keys come.
    for byte in typed.utf8 where !left {
      let step = escape.take([byte])
      bytes += step.bytes
      left = step.leaves
    }
    #expect(String(decoding: bytes, as: UTF8.self) == sent)
    #expect(left == leaves)
    var none = TerminalEscape(nil)
    #expect(none.take(Array(typed.utf8)).bytes == Array(typed.utf8))
  }
}
