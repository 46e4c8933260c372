import KelvinAgenda
import KelvinModel
import Testing

/// What a right bench file comes to.
@Suite struct BenchReaderTests {
  @Test func readsTheDesignsExample() throws {
    let read = BenchText(
      """
      boards:
        rock:
          profile: rock-5b
          connection: {ssh: {host: 10.0.0.7, user: admin}}
          console: {serial: {match: {'@ID_PATH': 'pci-0000:00:14.0-usb-0:2'}, baud: 1500000}}
          power: {usb-hub: {match: {ID_SERIAL_SHORT: '0001'}, port: 3}}
          reset: {dtr: /dev/ttyS9}
          meters: [ppk2-a]
          labels: {room: lab2, rack: 07}
          lease: {acquire: lab-book "my rock", release: [lab-book, --free, rock]}
      meters:
        ppk2-a: {driver: ppk2, match: {ID_SERIAL_SHORT: 'E1A2'}, mode: ampere, voltage: 3.7 V}
      """)
    #expect(read.lines == [])
    let board = try #require(read.bench.board(named: "rock"))
    #expect(board.profile == "rock-5b")
    #expect(board.location.line == 2 && board.location.column == 3)
    #expect(board.connection?.driver == "ssh")
    #expect(board.connection?.options == ["host": "10.0.0.7", "port": 22, "user": "admin"])
    #expect(
      DeviceMatch(board.console?.options["match"])
        == DeviceMatch([.init("ID_PATH", inAncestors: true, "pci-0000:00:14.0-usb-0:2")]))
    #expect(board.console?.options["baud"] == 1_500_000)
    // Quoted or not, a serial number keeps its zeros.
    #expect(
      board.power?.options
        == ["match": ["ID_SERIAL_SHORT": "0001"], "port": 3, "delay": .integer(0)])
    #expect(board.power?.location.line == 6)
    #expect(board.reset?.options == ["path": "/dev/ttyS9"])
    #expect(board.meters == ["ppk2-a"])
    #expect(board.labels == ["room": "lab2", "rack": "07"])
    #expect(
      board.lease
        == ExternalLease(
          acquire: ["lab-book", "my rock"], release: ["lab-book", "--free", "rock"]))
    let meter = try #require(read.bench.meter(named: "ppk2-a"))
    #expect(meter.driver.driver == "ppk2")
    #expect(meter.driver.options["voltage"] == 3.7)
    #expect(meter.driver.options["driver"] == nil)
  }

  @Test(
    arguments: [
      ("connection: local", "local", [:]), ("connection: {local: {}}", "local", [:]),
      ("connection: {local: }", "local", [:]),
      ("connection: {serial: /dev/ttyS0}", "serial", ["path": "/dev/ttyS0"]),
      ("connection: {LOCAL: {}}", "local", [:])
    ] as [(String, String, [String: Value])])
  func takesShortForms(keys: String, driver: String, options: [String: Value]) {
    let read = BenchText(board: keys)
    #expect(read.lines == [])
    #expect(read.bench.boards.first?.connection?.driver == driver)
    #expect(read.bench.boards.first?.connection?.options == options)
  }

  @Test(arguments: ["power: {hub: {port: 1}}", "power: {usb_hub: {port: 1}}"])
  func findsDriversByTheirOtherNames(keys: String) {
    let read = BenchText(board: "connection: local, \(keys)")
    #expect(read.bench.boards.first?.power?.driver == "usb-hub")
  }

  @Test func aPowerSwitchCanResetAndAMeterCanSupply() {
    let read = BenchText(
      """
      boards:
        a: {profile: rock-5b, connection: local, power: {meter: m}, reset: {usb-hub: {port: 1}}}
      meters: {m: ppk2}
      """)
    #expect(read.lines == [])
    #expect(read.bench.boards.first?.power?.options == ["meter": "m"])
    #expect(read.bench.boards.first?.reset?.driver == "usb-hub")
    #expect(read.bench.meters.first?.driver.options == ["mode": "ampere"])
  }

  @Test func filesAreReadTogetherInOrder() {
    let read = BenchText(files: [
      "1.yaml": "boards: {a: {profile: rock-5b, connection: local, meters: [m]}}",
      "2.yaml": "boards: {b: {profile: rock-5b, connection: {ssh: {host: h}}}}",
      "3.yaml": "meters: {m: ppk2}"
    ])
    #expect(read.lines == [])
    #expect(read.bench.boards.map(\.name) == ["a", "b"])
    #expect(read.bench.meters.map(\.name) == ["m"])
    #expect(read.sources.count == 3)
  }

  @Test func includesWorkAsInAgendas() {
    let read = BenchText(
      files: [
        "bench.yaml": "include#: more.yaml\nboards: {a: {profile: rock-5b, connection: local}}",
        "more.yaml": "boards: {b: {profile: rock-5b, console: {socket: b.sock}}}"
      ], paths: ["bench.yaml"])
    #expect(read.lines == [])
    #expect(read.bench.boards.map(\.name).sorted() == ["a", "b"])
    #expect(read.bench.board(named: "b")?.location.file.hasSuffix("more.yaml") == true)
  }

  @Test(arguments: ["", "# nothing yet", "~"])
  func anEmptyFileIsDoubtfulOnly(text: String) {
    let read = BenchText(text)
    #expect(read.isRead)
    #expect(read.lines.count == 1)
    #expect(read.lines[0].hasPrefix("bench.yaml: warning: the bench file is empty; write for"))
  }

  @Test func nothingIsDeclaredWithoutMistake() {
    let read = BenchText("boards:\nmeters: {}")
    #expect(read.isRead)
    #expect(read.bench == Bench())
  }
}
