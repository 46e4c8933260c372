import KelvinConnections
import KelvinModel
import Testing

/// Finding equipment, with the real binary in trees of devices.
@Suite struct BenchScanTests {
  @Test(.timeLimit(.minutes(1)))
  func listsEachThingOnceWithAStableMatch() async throws {
    let scan = try await FakeDevices.run("bench", ["bench", "scan"])
    #expect(scan.code == 0, "\(scan.errors)")
    #expect(scan.errors.isEmpty)
    #expect(
      scan.output == """
        serial adapters:
          FTDI FT232 (0403:6001)
              /dev/ttyUSB0  /dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0
              match: {ID_SERIAL_SHORT: 'A50285BI'}
        adb devices:
          Google Pixel 6 (18d1:4ee7)
              /dev/bus/usb/001/005
              match: {ID_SERIAL_SHORT: '0A021FDD4000F1'}  driver: adb
        fastboot devices:
          Google Pixel 6 (18d1:4ee0)
              /dev/bus/usb/001/006
              match: {ID_SERIAL_SHORT: '19281FDD4000A7'}  driver: fastboot
        meters:
          Nordic Power Profiler Kit II (1915:c00a)
              /dev/ttyACM0  /dev/ttyACM1  /dev/serial/by-id/\
        usb-Nordic_Semiconductor_PPK2_E1A2B3C4D5E6-if00
              match: {ID_SERIAL_SHORT: 'E1A2B3C4D5E6'}  driver: ppk2
              of its ports, the one with the lowest interface measures
        relays:
          dcttech USB relay (16c0:05df)
              /dev/hidraw0
              match: {'@ID_PATH': 'pci-0000:00:14.0-usb-0:3'}  driver: hid-relay
              its serial number is inside its reports; udev knows only the port
        hubs with switchable ports:
          AmazonBasics HU3641V1, HU3770V1 (2109:2811)
              /dev/bus/usb/001/003
              match: {'@ID_PATH': 'pci-0000:00:14.0-usb-0:2'}  driver: usb-hub
              ports: 1, 2, 3, 4 (off); power switching: not known
              some hubs with this id do not switch: try with 'kelvin bench check'
        hwmon sensors:
          ina226
              match: {name: 'ina226'}  driver: hwmon
              1 power, 1 current, 2 voltage
        GPIO chips:
          gpio-sim.0-node0
              /dev/gpiochip0
              match: {'@sys_name': 'gpio-sim.0'}
              8 lines

        """)
  }

  @Test(.timeLimit(.minutes(1)))
  func jsonNamesPortsAndIdentities() async throws {
    let scan = try await FakeDevices.run("bench", ["bench", "scan", "--format", "json"])
    #expect(scan.output.contains(#""identity":"usb:1915:c00a:E1A2B3C4D5E6""#))
    #expect(
      scan.output.contains(
        #""device":"1-2.4","disable":"/sys/devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0/1-2-port4/"#
          + #"disable","disabled":true,"number":4"#))
  }

  @Test(.timeLimit(.minutes(1)))
  func tellsAdaptersWithOneSerialNumberApart() async throws {
    let scan = try await FakeDevices.run("twins", ["bench", "scan"])
    for port in ["1", "2"] {
      #expect(scan.output.contains("match: {'@ID_PATH': 'pci-0000:00:14.0-usb-0:\(port)'}"))
    }
    #expect(scan.output.contains("serial number 0001 is also that of 1-2"))
    let match = try await FakeDevices.run("twins", ["bench", "match", "ID_SERIAL_SHORT=0001"])
    #expect(match.code == 2)
    #expect(match.output.isEmpty)
    #expect(match.errors.contains("{ID_SERIAL_SHORT: 0001} matches 2 serial ports"))
    #expect(match.errors.contains("add @ID_PATH of the one that is meant"))
    let one = try await FakeDevices.run(
      "twins",
      ["bench", "match", "ID_SERIAL_SHORT=0001", "@ID_PATH=pci-0000:00:14.0-usb-0:2"])
    #expect(one.code == 0)
    #expect(one.output.hasPrefix("/dev/ttyUSB1  "))
    #expect(one.output.contains("identity: usb:10c4:ea60:@pci-0000:00:14.0-usb-0:2:00:port0"))
  }

  @Test(
    .timeLimit(.minutes(1)),
    arguments: [
      (["@idVendor=1915", "ID_USB_INTERFACE_NUM=02"], "/dev/ttyACM1"),
      (["@idVendor=2109", "@bInterfaceNumber=00"], "/dev/ttyACM0"),
      (["@driver=hub", "ID_USB_INTERFACE_NUM=00"], nil),
      (["--as", "hid-device", "@product=USBRelay2"], "/dev/hidraw0"),
      (["--as", "usb-hub", "idVendor=2109"], "/dev/bus/usb/001/003"),
      (["--as", "gpio-chip", "sys_name=gpiochip0"], "/dev/gpiochip0"),
      (["--as", "sensor", "@name=ina226"], "hwmon3")
    ])
  func matchesPropertiesAttributesAndAncestors(keys: [String], node: String?) async throws {
    let match = try await FakeDevices.run("bench", ["bench", "match"] + keys)
    if let node {
      #expect(match.code == 0, "\(match.errors)")
      #expect(match.output.hasPrefix(node))
    } else {
      #expect(match.code == 3)
      #expect(match.errors.contains("nearest is"))
    }
  }

  @Test(.timeLimit(.minutes(1)))
  func anAbsentDeviceIsExplained() async throws {
    let match = try await FakeDevices.run(
      "bench", ["bench", "match", "ID_SERIAL_SHORT=E1A2B3C4D5E6", "ID_USB_INTERFACE_NUM=01"])
    #expect(match.code == 3)
    #expect(match.errors.contains("ID_USB_INTERFACE_NUM is '00', not '01'"))
    #expect(match.errors.contains("'kelvin bench scan'"))
  }

  @Test(.timeLimit(.minutes(1)))
  func aMissingPermissionNamesTheRuleToInstall() async throws {
    let scan = try await FakeDevices.run("bench", ["bench", "scan"], denying: ["/dev/ttyUSB0"])
    #expect(scan.code == 0, "\(scan.errors)")
    #expect(scan.output.contains("FTDI FT232 (0403:6001), not permitted"))
    #expect(!scan.output.contains("(1915:c00a), not permitted"))
    #expect(scan.errors.contains("not permitted to open /dev/ttyUSB0; run 'kelvin bench udev"))
    let match = try await FakeDevices.run(
      "bench", ["bench", "match", "ID_SERIAL_SHORT=A50285BI"], denying: ["/dev/ttyUSB0"])
    #expect(match.code == 2)
    #expect(
      match.errors.contains(
        "/dev/ttyUSB0 (FTDI FT232R USB UART): permission denied; run 'kelvin bench udev --install'")
    )
  }

  @Test(.timeLimit(.minutes(1)), arguments: ["text", "json", "yaml"])
  func whatDevicesSayOfThemselvesIsHarmless(format: String) async throws {
    let scan = try await FakeDevices.run("hostile", ["bench", "scan", "--format", format])
    #expect(scan.code == 0, "\(scan.errors)")
    #expect(scan.output.contains("1a86:7523") || format == "yaml")
    let hasControls = scan.output.unicodeScalars.contains {
      $0 != "\n" && ($0.properties.generalCategory == .control || $0 == "\u{202e}")
    }
    #expect(!hasControls || format == "json")
    #expect(!scan.output.utf8.contains(0x1b))
  }

  @Test(.timeLimit(.minutes(1)), arguments: ["scan", "match", "watch", "udev"])
  func helpHasExamples(command: String) async throws {
    let help = try await KelvinBinary.run(["bench", command, "--help"], in: "/")
    #expect(help.output.contains("EXAMPLES"))
    #expect(help.output.contains("kelvin bench \(command)"))
  }
}
