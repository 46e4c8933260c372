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
}
