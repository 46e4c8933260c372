internal import KelvinModel

/// The USB devices that Kelvin knows: the one table behind scanning, udev rules and messages.
public enum KnownDevices {
  /// Every one, in the order of the rules.
  public static let all: [KnownDevice] =
    meters + relays + hubs + serialAdapters + debugProbes

  /// What a USB device is; nil when it is not in the table.
  public static func lookUp(_ device: HostDevice) -> KnownDevice? {
    guard let id = device.usbID else { return nil }
    return byID[id]?.first { $0.describes(device) }
  }

  private static let byID = Dictionary(grouping: all, by: \.id)

  private static let meters: [KnownDevice] = [
    KnownDevice(
      0x1915, 0xc00a, .meter, "Nordic Power Profiler Kit II", link: "ppk2", [.serial],
      driver: "ppk2", note: "of its ports, the one with the lowest interface measures",
      source: "NordicSemiconductor/pc-nrfconnect-ppk src/device/serialDevice.ts"),
    KnownDevice(
      0x2ab9, 0x0001, .meter, "Monsoon Power Monitor", link: "monsoon", [.usb], driver: "monsoon",
      source: "msoon/PyMonsoon Monsoon/pmapi.py"),
    KnownDevice(
      0x0d28, 0x0004, .meter, "Arm Energy Probe", link: "energy-probe", [.serial],
      driver: "arm-energy-probe", source: "ARM-software/caiman caiman/EnergyProbe.cpp"),
    KnownDevice(
      0x1fc9, 0x0003, .meter, "Arm Energy Probe (prototype)", link: "energy-probe", [.serial],
      driver: "arm-energy-probe", source: "ARM-software/caiman caiman/EnergyProbe.cpp"),
    KnownDevice(
      0x16d0, 0x0e88, .meter, "Joulescope JS110", link: "js110", [.usb], driver: "joulescope-js110",
      source: "jetperch/joulescope_driver src/devices/js110"),
    KnownDevice(
      0x16d0, 0x0e87, .meter, "Joulescope JS110 (boot loader)", link: "js110-boot", [.usb],
      note: "does not measure until its firmware runs",
      source: "jetperch/joulescope_driver src/devices/js110"),
    KnownDevice(
      0x16d0, 0x10ba, .meter, "Joulescope JS220", link: "js220", [.usb], driver: "joulescope-js220",
      source: "jetperch/joulescope_driver src/devices/js220"),
    KnownDevice(
      0x16d0, 0x10b9, .meter, "Joulescope JS220 (updater)", link: "js220-boot", [.usb],
      note: "does not measure until its firmware runs",
      source: "jetperch/joulescope_driver src/devices/js220"),
    KnownDevice(
      0x16d0, 0x135a, .meter, "Joulescope JS320", link: "js320", [.usb],
      source: "jetperch/joulescope_driver"),
    KnownDevice(
      0x5fc9, 0x0063, .meter, "ChargerLAB POWER-Z KM003C", link: "km003c", [.usb, .hid, .serial],
      driver: "km003c", note: "the kernel's powerz driver holds interface 0",
      source: "okhsunrog/km003c-protocol-research; Linux drivers/hwmon/powerz.c"),
    KnownDevice(
      0x5fc9, 0x0061, .meter, "ChargerLAB POWER-Z KM002C", link: "km002c", [.usb, .hid, .serial],
      driver: "km003c", source: "Linux drivers/hwmon/powerz.c"),
    KnownDevice(
      0x0483, 0x003a, .meter, "FNIRSI FNB48", link: "fnb48", [.hid, .usb], driver: "fnirsi",
      source: "baryluk/fnirsi-usb-power-data-logger"),
    KnownDevice(
      0x0483, 0x003b, .meter, "FNIRSI C1", link: "fnirsi-c1", [.hid, .usb], driver: "fnirsi",
      source: "baryluk/fnirsi-usb-power-data-logger"),
    KnownDevice(
      0x2e3c, 0x5558, .meter, "FNIRSI FNB58", link: "fnb58", [.hid, .usb], driver: "fnirsi",
      source: "baryluk/fnirsi-usb-power-data-logger"),
    KnownDevice(
      0x2e3c, 0x0049, .meter, "FNIRSI FNB48S", link: "fnb48s", [.hid, .usb], driver: "fnirsi",
      source: "baryluk/fnirsi-usb-power-data-logger"),
    KnownDevice(
      0x1ab1, 0x0e11, .meter, "Rigol DP800 supply", link: "rigol-dp800", [.testInstrument, .usb],
      driver: "scpi", source: "sigrokproject/libsigrok contrib/60-libsigrok.rules"),
    KnownDevice(
      0x0957, 0x0f07, .meter, "Keysight N6705 power analyzer", link: "n6705",
      [.testInstrument, .usb], driver: "scpi", source: "python-ivi/python-usbtmc"),
    KnownDevice(
      0x0957, 0x0607, .meter, "Keysight 34410A multimeter", link: "34410a",
      [.testInstrument, .usb], driver: "scpi",
      source: "sigrokproject/libsigrok contrib/60-libsigrok.rules"),
    KnownDevice(
      0x0957, 0x1b07, .meter, "Keysight 34460A multimeter", link: "34460a",
      [.testInstrument, .usb], driver: "scpi",
      source: "sigrokproject/libsigrok contrib/60-libsigrok.rules"),
    KnownDevice(
      0x2a8d, 0x0101, .meter, "Keysight 34465A multimeter", link: "34465a",
      [.testInstrument, .usb], driver: "scpi",
      source: "sigrokproject/libsigrok contrib/60-libsigrok.rules")
  ]

  private static let relays: [KnownDevice] = [
    KnownDevice(
      0x16c0, 0x05df, .relay, "dcttech USB relay", link: "usb-relay", [.hid, .usb],
      driver: "hid-relay", productPrefix: "USBRelay",
      note: "its serial number is inside its reports; udev knows only the port",
      source: "sigrokproject/libsigrok src/hardware/dcttech-usbrelay"),
    KnownDevice(
      0x04d8, 0xffee, .relay, "Devantech USB relay", link: "devantech", [.serial],
      driver: "devantech", note: "Devantech's other USB modules have this id too",
      source: "usb.ids; Devantech USB-RLY16 documentation"),
    KnownDevice(
      0x04d8, 0xf2f7, .relay, "Yepkit YKUSH", link: "ykush", [.usb], driver: "ykush",
      note: "on the kernel's HID ignore list: no hidraw node", source: "Yepkit/ykush"),
    KnownDevice(
      0x04d8, 0x0042, .relay, "Yepkit YKUSH (first edition)", link: "ykush", [.usb],
      driver: "ykush", productPrefix: "YKUSH",
      note: "on the kernel's HID ignore list: no hidraw node", source: "Yepkit/ykush"),
    KnownDevice(
      0x04d8, 0xf11b, .relay, "Yepkit YKUSH3", link: "ykush3", [.usb, .hid], driver: "ykush",
      source: "Yepkit/ykush"),
    KnownDevice(
      0x04d8, 0xf0cd, .relay, "Yepkit YKUSH XS", link: "ykushxs", [.usb, .hid], driver: "ykush",
      source: "Yepkit/ykush")
  ]

  /// Hubs whose ports are known to really lose their power; others say so in their descriptor, which
  /// is not always true.
  private static let hubs: [KnownDevice] = [
    hub(0x2001, 0xf103, "D-Link DUB-H7", link: "dub-h7"),
    hub(0x05e3, 0x0608, "D-Link DUB-H4 rev D1 and others", link: "hub-05e3", someOnly: true),
    hub(0x2109, 0x2811, "AmazonBasics HU3641V1, HU3770V1", link: "hub-2109", someOnly: true),
    hub(0x0409, 0x0059, "CyberPower CP-H420P, Maplin A08CQ", link: "hub-0409"),
    hub(0x0409, 0x005a, "Rosewill RHUB-210", link: "hub-0409"),
    hub(0x0409, 0x0058, "Sunix SHB4200MA", link: "hub-0409"),
    hub(0x0424, 0x9514, "Microchip LAN9514 (Raspberry Pi 2 and 3)", link: "lan9514"),
    hub(0x04b4, 0x6570, "Cypress CY4608", link: "cy4608"),
    hub(0x17ef, 0x100f, "Lenovo ThinkPad Ultra Dock", link: "hub-17ef"),
    hub(0x17ef, 0x1005, "Lenovo X200 Ultrabase", link: "hub-17ef")
  ]

  private static func hub(
    _ vendor: UInt16, _ product: UInt16, _ name: String, link: String, someOnly: Bool = false
  ) -> KnownDevice {
    KnownDevice(
      vendor, product, .hub, name, link: link, [.usb], driver: "usb-hub",
      note: someOnly ? "some hubs with this id do not switch: try with 'kelvin bench check'" : "",
      source: "mvp/uhubctl README.md, table of compatible hubs")
  }
}
