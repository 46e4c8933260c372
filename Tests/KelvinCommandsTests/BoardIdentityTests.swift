import Glibc
import KelvinModel
import Testing

/// Two bench files that describe one device in two ways, among devices that are not there (umockdev).
@Suite(.timeLimit(.minutes(2)))
struct BoardIdentityTests {
  let scratch: Scratch

  init() throws {
    scratch = try Scratch()
    try write("serial.yaml", "one", "{ID_SERIAL_SHORT: A50285BI}")
    try write("port.yaml", "two", "{'@idVendor': '0403', '@idProduct': '6001'}")
  }

  private func write(_ file: String, _ board: String, _ match: String) throws {
    try scratch.write(
      file,
      """
      boards:
        \(board):
          profile: generic-linux
          console: {serial: {match: \(match)}}
          power: {command: {on: ['true'], off: ['true']}}
      """)
  }

  /// Runs kelvin in a tree of devices; among none with nil.
  private func run(
    in tree: String?, as user: String, _ arguments: [String], bench: String
  ) async throws -> Ran {
    let environment = [
      "KELVIN_STATE=\(scratch.path)/.state", "KELVIN_USER=\(user)", "HOME=\(scratch.path)"
    ]
    let words = arguments + ["--bench", "\(scratch.path)/\(bench)"]
    guard let tree else {
      return try await KelvinBinary.run(
        words, in: scratch.path, environment: ["KELVIN_USER": user])
    }
    return try await FakeDevices.run(
      tree, program: ["env"] + environment + [KelvinBinary.path] + words)
  }

  private let reserve = ["bench", "reserve", "one", "--for", "1h"]

  @Test func twoMatchesOfOneDeviceAreOneBoard() async throws {
    let done = try await run(in: "bench", as: "anna", reserve, bench: "serial.yaml")
    #expect(done.code == 0, "\(done.both)")
    for arguments in [["bench", "reserve", "two", "--for", "1h"], ["power", "off", "two"]] {
      let other = try await run(in: "bench", as: "ben", arguments, bench: "port.yaml")
      #expect(other.code == 3, "\(other.both)")
      #expect(other.errors.contains("board 'two': reserved by anna"), "\(other.errors)")
    }
    let health = try await run(
      in: "bench", as: "ben", ["bench", "health", "two"], bench: "port.yaml")
    #expect(health.output.contains("usb:0403:6001:A50285BI"), "\(health.both)")
    #expect(health.output.contains("reserve as one by anna@"))
  }

  /// Pulled or switched off, it is what was found last time; and so it is for who finds it again.
  @Test func aBoardThatIsNotThereIsTheOneThatWas() async throws {
    // Seen once under each name.
    for (command, bench) in [("one", "serial.yaml"), ("two", "port.yaml")] {
      let ran = try await run(in: "bench", as: "anna", ["power", "off", command], bench: bench)
      #expect(ran.code == 0, "\(ran.both)")
    }
    #expect(try await run(in: nil, as: "anna", reserve, bench: "serial.yaml").code == 0)
    for tree in [nil, "bench"] {
      let other = try await run(in: tree, as: "ben", ["power", "off", "two"], bench: "port.yaml")
      #expect(other.code == 3, "\(other.both)")
      #expect(other.errors.contains("board 'two': reserved by anna"), "\(other.errors)")
    }
  }

  /// Leased while it was off and nobody had ever seen it: another match that finds it finds that, too.
  @Test func aBoardThatWasNeverSeenIsFoundUnderAnotherMatch() async throws {
    #expect(try await run(in: nil, as: "anna", reserve, bench: "serial.yaml").code == 0)
    let unseen = try await run(in: nil, as: "ben", ["power", "off", "two"], bench: "port.yaml")
    #expect(unseen.code == 0, "\(unseen.both)")
    let seen = try await run(in: "bench", as: "ben", ["power", "off", "two"], bench: "port.yaml")
    #expect(seen.code == 3, "\(seen.both)")
    #expect(seen.errors.contains("board 'two': reserved by anna"), "\(seen.errors)")
    try write("other.yaml", "three", "{ID_SERIAL_SHORT: somebody-elses}")
    let other = try await run(
      in: "bench", as: "ben", ["power", "off", "three"], bench: "other.yaml")
    #expect(other.code == 0, "\(other.both)")
  }

  @Test func twoMatchesOfOneMeterAreOneMeter() async throws {
    for (file, board, match) in [
      ("serial.yaml", "one", "{ID_SERIAL_SHORT: E1A2}"),
      ("port.yaml", "two", "{'@ID_PATH': 'pci-0000:00:14.0-usb-0:5'}")
    ] {
      try scratch.write(
        file,
        """
        boards: {\(board): {profile: generic-linux, connection: {local: {root: /}}, meters: [m]}}
        meters: {m: {driver: ppk2, match: \(match)}}
        """)
    }
    for (file, name) in [("serial.yaml", "one"), ("port.yaml", "two")] {
      let health = try await run(
        in: "ppk2-at-5", as: "anna", ["bench", "health", "m"], bench: file)
      #expect(health.output.contains("usb:1915:c00a:E1A2"), "\(name): \(health.both)")
    }
  }

  /// Both adapters say 0001: the ports tell the boards apart.
  @Test func twinsAreTwoBoards() async throws {
    try write("serial.yaml", "one", "{'@ID_PATH': 'pci-0000:00:14.0-usb-0:1'}")
    try write("port.yaml", "two", "{'@ID_PATH': 'pci-0000:00:14.0-usb-0:2'}")
    try write("same.yaml", "three", "{ID_PATH: 'pci-0000:00:14.0-usb-0:1:1.0'}")
    #expect(try await run(in: "twins", as: "anna", reserve, bench: "serial.yaml").code == 0)
    let other = try await run(in: "twins", as: "ben", ["power", "off", "two"], bench: "port.yaml")
    #expect(other.code == 0, "\(other.both)")
    let same = try await run(in: "twins", as: "ben", ["power", "off", "three"], bench: "same.yaml")
    #expect(same.code == 3, "\(same.both)")
    #expect(same.errors.contains("reserved by anna"), "\(same.errors)")
  }

  /// One that more than one device matches is known as it is written; nothing fails.
  @Test func anAmbiguousMatchIsKnownAsItIsWritten() async throws {
    try write("serial.yaml", "one", "{ID_SERIAL_SHORT: '0001'}")
    try write("port.yaml", "two", "{ID_SERIAL_SHORT: '0001'}")
    #expect(try await run(in: "twins", as: "anna", reserve, bench: "serial.yaml").code == 0)
    let other = try await run(in: "twins", as: "ben", ["power", "off", "two"], bench: "port.yaml")
    #expect(other.code == 3, "\(other.both)")
  }

  /// By its device file, by a link of udev's, or by a match: one adapter.
  @Test(arguments: [
    "/dev/ttyUSB0", "/dev/serial/by-path/pci-0000:00:14.0-usb-0:1:1.0-port0"
  ])
  func aPathAndAMatchOfOneDeviceAreOneBoard(path: String) async throws {
    try scratch.write(
      "path.yaml",
      """
      boards:
        three:
          profile: generic-linux
          console: {serial: {path: '\(path)'}}
          power: {command: {on: ['true'], off: ['true']}}
      """)
    #expect(try await run(in: "bench", as: "anna", reserve, bench: "serial.yaml").code == 0)
    let other = try await run(
      in: "bench", as: "ben", ["power", "off", "three"], bench: "path.yaml")
    #expect(other.code == 3, "\(other.both)")
    #expect(other.errors.contains("board 'three': reserved by anna"), "\(other.errors)")
    let health = try await run(
      in: "bench", as: "ben", ["bench", "health", "three"], bench: "path.yaml")
    #expect(health.output.contains("usb:0403:6001:A50285BI"), "\(health.both)")
  }

  /// What udev does not know: a socket by its path, by a relative one, and by a link.
  @Test(arguments: ["real.sock", "./real.sock", "link.sock"])
  func onePathWrittenOtherwiseIsOneBoard(written: String) async throws {
    let listener = try Listener(scratch.path + "/real.sock")
    defer { listener.close() }
    try #require(symlink("real.sock", scratch.path + "/link.sock") == 0)
    for (file, board, path) in [
      ("serial.yaml", "one", "\(scratch.path)/real.sock"), ("port.yaml", "two", written)
    ] {
      try scratch.write(
        file,
        """
        boards:
          \(board):
            profile: generic-linux
            console: {socket: {path: '\(path)'}}
            power: {command: {on: ['true'], off: ['true']}}
        """)
    }
    #expect(try await run(in: nil, as: "anna", reserve, bench: "serial.yaml").code == 0)
    let other = try await run(in: nil, as: "ben", ["power", "off", "two"], bench: "port.yaml")
    #expect(other.code == 3, "\(other.both)")
    #expect(other.errors.contains("board 'two': reserved by anna"), "\(other.errors)")
  }

  /// The way to a board that two bench files share is enough, whatever else they say of it.
  @Test func twoNamesOfOneConsoleAreOneBoard() async throws {
    try scratch.write(
      "serial.yaml",
      """
      boards:
        one:
          profile: generic-linux
          connection: {ssh: {host: 10.0.0.7}}
          console: {telnet: {host: 10.0.0.9, port: 4001}}
      """)
    try scratch.write(
      "port.yaml",
      """
      boards:
        two:
          profile: generic-linux
          console: {telnet: {host: 10.0.0.9, port: 4001}}
          power: {command: {on: ['true'], off: ['true']}}
      """)
    #expect(try await run(in: nil, as: "anna", reserve, bench: "serial.yaml").code == 0)
    let other = try await run(in: nil, as: "ben", ["power", "off", "two"], bench: "port.yaml")
    #expect(other.code == 3, "\(other.both)")
    #expect(other.errors.contains("board 'two': reserved by anna"), "\(other.errors)")
  }
}
