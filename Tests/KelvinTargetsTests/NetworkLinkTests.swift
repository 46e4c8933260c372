import KelvinConnections
import KelvinModel
import Testing

@testable import KelvinTargets

/// By which interfaces a board is reached: those that `network: false` leaves alone.
struct NetworkLinkTests {
  /// As a board says it that has adbd on two interfaces, an ssh session, and a browser.
  private static let said = """
      sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
       0: 00000000:15B3 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 15 1 0
       1: 0F02000A:15B3 0202000A:D2A4 01 00000000:00000000 00:00000000 00000000     0        0 16 1 0
       2: 0100007F:15B3 0100007F:8A2C 01 00000000:00000000 00:00000000 00000000     0        0 17 1 0
       3: 0501A8C0:0016 0901A8C0:D2A6 01 00000000:00000000 00:00000000 00000000     0        0 18 1 0
       4: 0501A8C0:B3B0 0901A8C0:01BB 01 00000000:00000000 00:00000000 00000000     0        0 19 1 0
      sl  local_address                         remote_address                        st
       0: 000080FE00000000FF00000001000000:15B3 000080FE000000000000000002000000:C000 01 00000000:00000000
       1: 0000000000000000FFFF00000F02000A:9C41 0000000000000000FFFF00000202000A:C001 01 00000000:00000000
    ---
    1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever
    2: eth0    inet 10.0.2.15/24 brd 10.0.2.255 scope global eth0
    3: wlan0    inet 192.168.1.5/24 brd 192.168.1.255 scope global wlan0
    3: wlan0@phy0    inet6 fe80::ff:0:1/64 scope link
    ---
    5555
    tcp:40001

    """

  @Test func connectionsOfAdbTellTheirInterfaces() {
    let sessions = ADBSessions(Self.said)
    #expect(sessions.addresses.count == 2)
    #expect(sessions.addresses.contains([10, 0, 2, 15]))
    #expect(sessions.interfaces == ["eth0", "wlan0"])
    // Its usual port, where no property names one.
    let usual = Self.said.replacing("5555\ntcp:40001", with: "")
    #expect(ADBSessions(usual).interfaces == ["eth0", "wlan0"])
    // An address that no interface has.
    #expect(
      ADBSessions(Self.said.replacing("10.0.2.15/24", with: "10.0.2.16/24")).interfaces == nil)
    #expect(ADBSessions("").interfaces == [])
  }

  @Test func survivesTruncationAndCorruptionAtEachByte() {
    let bytes = Array(Self.said.utf8)
    for index in bytes.indices {
      _ = ADBSessions(String(decoding: bytes[..<index], as: UTF8.self)).interfaces
      var damaged = bytes
      damaged[index] ^= 0x15
      _ = ADBSessions(String(decoding: damaged, as: UTF8.self)).interfaces
    }
    let hostile = ": FFFFFFFFF:FFFFFF FF 01\n\(String(repeating: "0", count: 1 << 20)):15B3 x 01\n"
    #expect(
      ADBSessions("x\(hostile)---\n2: eth0 inet 999.1.1.1/8\n---\n99999999999").addresses.isEmpty)
  }

  /// This machine's own shells stand for a board's.
  @Test(arguments: [
    ("192.0.2.1 50000 127.0.0.1 22", NetworkLink.by(["lo"])),
    ("fe80::2 50000 fe80::1%eth7 22", .by(["eth7"])),
    ("192.0.2.1 50000 192.0.2.77 22", .unknown), ("", .none)
  ])
  func sshSaysByWhichAddressItCame(variable: String, link: NetworkLink) async throws {
    let board = SettingsReader(
      connection: LocalConnection(environment: ["SSH_CONNECTION": variable]), machine: "x86_64")
    #expect(try await NetworkLink.read(board, until: .after(seconds: 20)) == link)
  }

  @Test(arguments: [
    ("R58M123ABC", Capabilities.Carrier.cable), ("usb:1-1", .cable), ("10.0.0.5:5555", .network),
    ("adb-R58M._adb-tls-connect._tcp", .network), ("emulator-5554", .unknown)
  ])
  func aSerialNumberTellsWhatTheLinkGoesOver(serial: String, carrier: Capabilities.Carrier) throws {
    let choice = choice("adb", ["serial": .text(serial)])
    #expect(try Connections.make(choice).capabilities.carrier == carrier)
    let direct = self.choice("adb", ["tcp": .text("10.0.0.5:5555")])
    #expect(try Connections.make(direct).capabilities.carrier == .network)
    #expect(
      try Connections.make(self.choice("ssh", ["host": "rock"])).capabilities.carrier == .network)
  }

  private func choice(_ driver: String, _ options: [String: Value]) -> DriverChoice {
    DriverChoice(driver, options: options, location: SourceLocation(file: "bench.yaml"))
  }
}
