import KelvinAgenda
import KelvinModel
import Testing

/// What people get wrong in bench files, and what the answer is.
@Suite struct BenchMistakeTests {
  @Test func allMistakesAreReportedInOneGoInTheOrderOfTheFiles() {
    let read = BenchText(files: [
      "1.yaml": """
      boards:
        rock:
          profile: rock5b
          conection: {ssh: {host: h}}
          console: {serial: {match: {}, baud: fast}}
          power: {usb-hubb: {port: 3}}
          meters: [ppk2-b]
        rock two: {}
      """,
      "2.yaml": """
      boards:
        rock: {profile: rock-5b, connection: local}
      meters:
        ppk2-a: {driver: ppk2, mode: amper, volts: 3}
      """
    ])
    #expect(
      read.lines == [
        "1.yaml:3:14: error: board 'rock': unknown profile 'rock5b'; did you mean 'rock-5b'?",
        "1.yaml:4:5: error: board 'rock': unknown key 'conection'; did you mean 'connection'?",
        "1.yaml:5:31: error: board 'rock': console 'serial': match: no key is given, so that "
          + "anything matches; 'kelvin bench scan' prints the keys of what is attached",
        "1.yaml:5:41: error: board 'rock': console 'serial': baud: expected an integer, found "
          + "'fast'",
        "1.yaml:6:13: error: board 'rock': unknown power driver 'usb-hubb'; did you mean "
          + "'usb-hub'?",
        "1.yaml:7:14: error: board 'rock': meters: meter 'ppk2-b' is not declared; did you mean "
          + "'ppk2-a'?",
        "1.yaml:8:3: error: board 'rock two': the name contains '/', a space or a control "
          + "character; names stand on command lines and become names of directories",
        "2.yaml:2:3: error: board 'rock' is already declared at 1.yaml:2:3; give one of them "
          + "another name",
        "2.yaml:4:32: error: meter 'ppk2-a': mode: expected one of ampere, source, found 'amper'; "
          + "did you mean 'ampere'?",
        "2.yaml:4:39: error: meter 'ppk2-a': unknown key 'volts'; known: match, mode, voltage"
      ])
  }

  @Test(arguments: [
    ("board: {}", "1:1", "unknown top-level key 'board'; did you mean 'boards'?"),
    (
      "[a]", "1:1",
      "a bench file must be a map, not a list; write for example 'boards: {here: {profile: "
        + "generic-linux, connection: local}}'"
    ),
    ("boards: [a]", "1:9", "'boards': expected a map of boards by name, found a list"),
    ("meters: 5", "1:9", "'meters': expected a map of meters by name, found '5'"),
    (
      "boards: {a: rock-5b}", "1:13",
      "board 'a': expected a map, found 'rock-5b'; write for example '{profile: generic-linux, "
        + "connection: local}'"
    ),
    (
      "boards: {a: {connection: local}}", "1:10",
      "board 'a': 'profile' is missing; 'kelvin list boards' lists the profiles; "
        + "'generic-linux' fits any Linux"
    ),
    (
      "boards: {a: {profile: rock-5b}}", "1:10",
      "board 'a': nothing leads to it; give it a 'connection', such as '{ssh: {host: 10.0.0.7}}', "
        + "or a 'console'"
    ),
    (
      "boards: {a: {profile: rock-5b, connection: ~, power: {usb-hub: {port: 1}}}}", "1:10",
      "board 'a': nothing leads to it; give it a 'connection', such as '{ssh: {host: 10.0.0.7}}', "
        + "or a 'console'"
    ),
    (
      "boards: {a: {profile: toaster, connection: local}}", "1:23",
      "board 'a': unknown profile 'toaster'; 'kelvin list boards' lists them; 'generic-linux' "
        + "fits any Linux"
    ),
    (
      "boards: {a: {profile: [x], connection: local}}", "1:23",
      "board 'a': profile: expected text, found a list"
    ),
    (
      "boards: {'': {profile: rock-5b, connection: local}}", "1:10",
      "board '': the name is empty; names stand on command lines and become names of directories"
    ),
    (
      "boards: {-a: {profile: rock-5b, connection: local}}", "1:10",
      "board '-a': the name starts with '-'; names stand on command lines and become names of "
        + "directories"
    ),
    (
      "boards: {a: {profile: rock-5b, connection: local}, a: {}}", "1:52",
      "duplicate key 'a': already written at bench.yaml:1:10; remove one of them"
    ),
    (
      "meters: {m: {mode: ampere}}", "1:10",
      "meter 'm': 'driver' is missing; write for example "
        + "'{driver: ppk2}'; 'kelvin list meters' lists them"
    ),
    (
      "meters: {m: {driver: [ppk2]}}", "1:22", "meter 'm': driver: expected a name, found a list"
    ),
    (
      "meters: {m: ppk3}", "1:13", "meter 'm': unknown driver 'ppk3'; did you mean 'ppk2'?"
    ),
    (
      "meters: {m: {driver: ppk2, voltage: 9 V}}", "1:37",
      "meter 'm': voltage: expected between 0.8 and 5 V, found '9 V'"
    )
  ])
  func oneMistakeHasOneAnswer(text: String, place: String, message: String) {
    let read = BenchText(text)
    #expect(read.lines.first == "bench.yaml:\(place): error: \(message)")
    #expect(!read.isRead)
  }

  @Test(arguments: [
    (
      "connection: {}",
      "connection: expected one driver with its options, found an empty map; "
        + "write 'connection: {DRIVER: {OPTION: VALUE}}'"
    ),
    (
      "connection: [local]",
      "connection: expected one driver with its options, found a list; "
        + "write 'connection: {DRIVER: {OPTION: VALUE}}'"
    ),
    (
      "connection: {local: {}, ssh: {host: h}}",
      "connection: expected one driver, found 2: 'local', 'ssh'; options stand below the driver's "
        + "name: 'connection: {DRIVER: {OPTION: VALUE}}'"
    ),
    (
      "connection: {driver: ssh, host: h}",
      "connection: the driver's name stands before its options; write 'connection: {ssh: {...}}'"
    ),
    ("connection: {local: {x: 1}}", "connection 'local': unknown key 'x'; it takes no settings"),
    (
      "connection: {local: x}",
      "connection 'local': expected a map of options, found 'x'; it "
        + "takes no options"
    ),
    ("connection: {ssh: {}}", "connection 'ssh': 'host' is missing; it takes text"),
    (
      "connection: {ssh: {host: h, port: 0}}",
      "connection 'ssh': port: expected between 1 and 65535, found '0'"
    ),
    (
      "connection: {serial: {path: /a, match: {x: y}}}",
      "connection 'serial': 'match' and 'path' exclude each other; write one of 'path', 'match'"
    ),
    (
      "connection: {serial: {baud: 9600}}", "connection 'serial': one of 'path', 'match' is missing"
    ),
    (
      "connection: {socket: x}",
      "unknown connection driver 'socket'; this is a console; connection takes local, ssh, serial"
    ),
    (
      "connection: {usb-hub: {port: 1}}",
      "unknown connection driver 'usb-hub'; this is for power; connection takes local, ssh, serial"
    ),
    (
      "connection: local, power: {hub: {port: 1}, usb-hub: {port: 2}}",
      "power: 'usb-hub' names the same driver as 'hub' at bench.yaml:1:59; put the options together"
    ),
    (
      "connection: local, usb-hub: {port: 1}",
      "unknown key 'usb-hub'; write 'power: {usb-hub: {...}}'"
    ),
    (
      "connection: local, power: {http: {url: u, on: '(x'}}",
      "power 'http': on: '(x' is not a regular expression: missing )"
    ),
    (
      "connection: local, power: {meter: m}",
      "power: meter 'm' is not declared; no meters are declared"
    ),
    ("connection: local, labels: [x]", "labels: expected a map, each value text, found a list"),
    (
      "connection: local, lease: {acquire: book}",
      "lease: 'release' is missing; it takes a list of words or a command line"
    ),
    (
      "connection: local, lease: book",
      "lease: expected a map of acquire, release, found 'book'"
    )
  ])
  func aMistakeInABoardHasOneAnswer(keys: String, message: String) {
    let read = BenchText(board: keys)
    #expect(
      read.lines.first?.drop { $0 != " " } == " error: board 'a': \(message)", "\(read.lines)")
  }

  @Test func aMeterIsListedOnce() {
    let read = BenchText(
      "boards: {a: {profile: rock-5b, connection: local, meters: [m, m]}}\nmeters: {m: ppk2}")
    #expect(read.lines == ["bench.yaml:1:63: error: board 'a': meter 'm' is listed twice"])
  }

  @Test func aSyntaxErrorEndsItsFileOnly() {
    let read = BenchText(files: ["1.yaml": "boards: {a: [", "2.yaml": "bords: {}"])
    #expect(read.lines.count == 2)
    #expect(read.lines[0].hasPrefix("1.yaml:2:1: error: not valid YAML"))
    #expect(read.lines[1].hasPrefix("2.yaml:1:1: error: unknown top-level key"))
  }

  @Test func aChosenFileMustExist() {
    let read = BenchText(files: [:], paths: ["none.yaml"])
    #expect(read.lines == ["none.yaml: error: no such file"])
  }

  @Test func anUnknownDriverIsSaidEvenWhereNoneExist() {
    let folder = Folder(["b.yaml": "boards: {a: {profile: p, connection: local}}"])
    let failure = #expect(throws: ConfigurationFailure.self) {
      try BenchReader.read(
        BenchRequest(paths: [folder["b.yaml"]], profileNames: ["p"]),
        declarations: BenchDeclarations([]))
    }
    #expect(failure?.message.contains("no driver for this is built in yet") == true)
  }
}
