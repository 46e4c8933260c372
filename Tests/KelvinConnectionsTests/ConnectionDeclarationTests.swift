import KelvinConnections
import KelvinModel
import Testing

/// What bench files may say of connections and consoles.
@Suite struct ConnectionDeclarationTests {
  @Test func theDesignsNamesAreThere() {
    #expect(
      Set(ConnectionDeclarations.connections.map(\.name)) == [
        "local", "ssh", "adb", "serial", "telnet", "rfc2217", "tcp", "socket", "fastboot"
      ])
    #expect(
      Set(ConnectionDeclarations.consoles.map(\.name)) == [
        "serial", "telnet", "rfc2217", "tcp", "socket"
      ])
    #expect(ConnectionDeclarations.connections.allSatisfy { $0.kind == .connection })
    #expect(ConnectionDeclarations.consoles.allSatisfy { $0.kind == .console })
  }

  /// A line of a bench file that is a console carries commands as well.
  @Test func everyConsoleIsAConnection() {
    for declaration in ConnectionDeclarations.consoles {
      #expect(ConnectionDeclarations.isLine(declaration.name))
      #expect(ConnectionDeclarations.connections.contains { $0.name == declaration.name })
    }
    #expect(!ConnectionDeclarations.isLine("ssh"))
  }

  @Test func alternativesNameOptionsOfTheirOwn() {
    for declaration in ConnectionDeclarations.all {
      let names = declaration.options.map(\.name)
      #expect(Set(names).count == names.count, "\(declaration.name)")
      for group in declaration.alternatives {
        #expect(Set(group.names).isSubset(of: names), "\(declaration.name)")
      }
    }
  }

  @Test(
    arguments: [
      ("serial", "path"), ("socket", "path"), ("ssh", "host"), ("fastboot", "usb"),
      ("rfc2217", nil),
      ("local", nil), ("adb", nil)
    ] as [(String, String?)])
  func aSingleValueStandsForTheOnlyRequiredOption(driver: String, option: String?) throws {
    let declaration = try #require(
      ConnectionDeclarations.connections.first { $0.name == driver })
    #expect(declaration.shorthand?.name == option)
  }

  @Test func howALineIsUsedDoesNotTellItApart() throws {
    let serial = try #require(ConnectionDeclarations.consoles.first { $0.name == "serial" })
    let choice = DriverChoice(
      "serial",
      options: ["path": "/dev/ttyS0", "baud": 9600, "login": "root", "password-from": "env:P"],
      location: SourceLocation(file: "bench.yaml"))
    #expect(serial.identity(of: choice) == ["path": "/dev/ttyS0"])
  }

  /// ssh's own configuration decides what is not written, and mostly names no port.
  @Test func sshsPortIsLeftToItAndTellsBoardsApart() throws {
    let ssh = try #require(ConnectionDeclarations.connections.first { $0.name == "ssh" })
    let written: [[String: Value]] = [
      ["host": "h"], ["host": "h", "port": 22, "user": "root"], ["host": "h", "port": 23]
    ]
    let identities = written.map {
      ssh.identity(
        of: DriverChoice("ssh", options: $0, location: SourceLocation(file: "bench.yaml")))
    }
    #expect(identities[0] == identities[1] && identities[0] != identities[2])
    #expect(ssh.options.allSatisfy { $0.defaultValue == nil })
    let connection = try Connections.make(
      DriverChoice("ssh", options: written[0], location: SourceLocation(file: "bench.yaml")))
    #expect(connection.name == "ssh h")
  }
}
