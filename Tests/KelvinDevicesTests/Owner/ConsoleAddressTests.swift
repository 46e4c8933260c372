import Glibc
import KelvinModel
import Testing

@testable import KelvinDevices

/// Addresses of consoles, as people and bench files write them.
struct ConsoleAddressTests {
  static let good: [(String, ConsoleAddress)] = [
    ("serial:/dev/ttyUSB0", .serial(path: "/dev/ttyUSB0", baud: 115_200)),
    ("serial:/dev/a@b@1500000", .serial(path: "/dev/a@b", baud: 1_500_000)),
    ("serial:/dev/a@b", .serial(path: "/dev/a@b", baud: 115_200)),
    ("socket:/run/a:b.sock", .socket(path: "/run/a:b.sock")),
    ("pty:/dev/pts/3", .pty(path: "/dev/pts/3")),
    ("tcp:10.0.0.1:23", .tcp(host: "10.0.0.1", port: 23)),
    ("telnet:[::1]:4000", .telnet(host: "::1", port: 4000)),
    ("telnet:host.example:65535", .telnet(host: "host.example", port: 65_535)),
    ("rfc2217:h:1@9600", .rfc2217(host: "h", port: 1, baud: 9600)),
    ("rfc2217:[fe80::1]:2000", .rfc2217(host: "fe80::1", port: 2000, baud: 115_200))
  ]

  @Test(arguments: good)
  func addressesReadBackWhatTheyWrite(text: String, address: ConsoleAddress) throws {
    #expect(try ConsoleAddress(text) == address)
    #expect(try ConsoleAddress(address.description) == address)
  }

  @Test(arguments: [
    "", ":", "serial", "serial:", "serial:ttyUSB0", "serial:/dev/x@0", "serial:/dev/x@4000001",
    "socket:", "socket:x", "tcp:", "tcp:host", "tcp:host:0", "tcp::1", "tcp:host:65536",
    "telnet:h:x", "rfc2217:", "rfc2217:h", "rfc2217:h:1@0", "rfc2217:h@9600", "rfc2217:h:1@x",
    "usb:/dev/x", "pty:/a\u{0}b"
  ])
  func whatIsNoAddressIsRefusedWithAHint(text: String) {
    #expect {
      _ = try ConsoleAddress(text)
    } throws: { ($0 as? OwnerFailure).map { $0.code == .invalid && !$0.hint.isEmpty } ?? false }
  }

  private func choice(_ driver: String, _ options: [String: Value]) -> DriverChoice {
    DriverChoice(driver, options: options, location: SourceLocation(file: "bench.yaml", line: 3))
  }

  @Test(arguments: [
    ("gpio:pinctrl-bcm2711:17", PortAddress.gpio(chip: "pinctrl-bcm2711", line: 17)),
    ("gpio:INT34C6:00:3", .gpio(chip: "INT34C6:00", line: 3)),
    ("gpio:/dev/gpiochip1:0", .gpio(chip: "/dev/gpiochip1", line: 0)),
    ("pty:/dev/pts/3", .console(.pty(path: "/dev/pts/3")))
  ])
  func linesHaveAddressesToo(text: String, address: PortAddress) throws {
    #expect(try PortAddress(text) == address)
    #expect(address.description == text)
  }

  @Test(arguments: ["gpio:", "gpio::1", "gpio:chip", "gpio:chip:", "gpio:chip:x", "gpio:chip:-1"])
  func whatIsNoLineIsRefused(text: String) {
    #expect {
      _ = try PortAddress(text)
    } throws: { ($0 as? OwnerFailure)?.code == .invalid }
  }

  @Test func benchFilesNameConsolesByTheirDrivers() throws {
    #expect(
      try ConsoleAddress(choice("serial", ["path": "/dev/x", "baud": 9600]))
        == .serial(path: "/dev/x", baud: 9600))
    #expect(
      try ConsoleAddress(choice("serial", ["path": "/dev/x"]), baud: 1_500_000)
        == .serial(path: "/dev/x", baud: 1_500_000))
    #expect(try ConsoleAddress(choice("socket", ["path": "/x"])) == .socket(path: "/x"))
    #expect(
      try ConsoleAddress(choice("telnet", ["host": "h"])) == .telnet(host: "h", port: 23))
    #expect(
      try ConsoleAddress(choice("tcp", ["host": "h", "port": 9])) == .tcp(host: "h", port: 9))
    #expect(
      try ConsoleAddress(choice("rfc2217", ["host": "h", "port": 9]), baud: 1_500_000)
        == .rfc2217(host: "h", port: 9, baud: 1_500_000))
    #expect(
      try ConsoleAddress(choice("rfc2217", ["host": "h", "port": 9, "baud": 9600]), baud: 1)
        == .rfc2217(host: "h", port: 9, baud: 9600))
    let matched = try ConsoleAddress(choice("serial", ["match": ["ID_SERIAL": "x"]])) { match in
      #expect(match.keys.first?.value == "x")
      return "/dev/null"
    }
    #expect(matched == .serial(path: "/dev/null", baud: 115_200))
  }

  @Test func whatTheOwnerCannotHoldIsRefusedWithItsPlace() {
    for choice in [
      choice("rfc2217", ["host": "h"]), choice("ssh", ["host": "h"]), choice("serial", [:]),
      choice("tcp", ["host": "h"]),
      choice("socket", ["path": ""]), choice("telnet", ["host": "h", "port": 70_000])
    ] {
      #expect {
        _ = try ConsoleAddress(choice)
      } throws: { "\($0)".contains("bench.yaml:3") }
    }
  }

  @Test func aDevicesNodeIsReplacedByTheLinkThatStays() throws {
    let scratch = try OwnerScratch()
    #expect(symlink("/dev/null", scratch.path + "/usb-0:2") == 0)
    #expect(symlink("/dev/zero", scratch.path + "/usb-0:1") == 0)
    #expect(
      ConsoleAddress.stablePath(of: "/dev/null", links: scratch.path) == scratch.path + "/usb-0:2")
    #expect(ConsoleAddress.stablePath(of: "/dev/full", links: scratch.path) == "/dev/full")
  }

  @Test(arguments: [
    ("rock", true), ("rock-5b.1", true), ("ä", true), ("", false), (".", false), ("..", false),
    ("-x", false), ("a/b", false), ("a b", false), ("a\n", false)
  ])
  func namesBecomeDirectories(name: String, isValid: Bool) {
    #expect(Owner.isValidName(name) == isValid)
  }
}
