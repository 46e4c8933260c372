extension KnownDevices {
  static let serialAdapters: [KnownDevice] = [
    adapter(0x0403, 0x6001, "FTDI FT232", link: "ftdi", ftdi),
    adapter(0x0403, 0x6010, "FTDI FT2232", link: "ftdi", ftdi),
    adapter(0x0403, 0x6011, "FTDI FT4232", link: "ftdi", ftdi),
    adapter(0x0403, 0x6014, "FTDI FT232H", link: "ftdi", ftdi),
    adapter(0x0403, 0x6015, "FTDI FT-X", link: "ftdi", ftdi),
    adapter(0x10c4, 0xea60, "Silicon Labs CP210x", link: "cp210x", cp210x, note: oneSerial),
    adapter(0x10c4, 0xea70, "Silicon Labs CP2105", link: "cp210x", cp210x),
    adapter(0x10c4, 0xea71, "Silicon Labs CP2108", link: "cp210x", cp210x),
    adapter(
      0x1a86, 0x7523, "WCH CH340", link: "ch340", "Linux drivers/usb/serial/ch341.c",
      note: "has no serial number; LCUS relays look like this too"),
    adapter(
      0x1a86, 0x5523, "WCH CH341", link: "ch341", "Linux drivers/usb/serial/ch341.c",
      note: "has no serial number"),
    adapter(0x1a86, 0x55d4, "WCH CH9102", link: "ch9102", "usb.ids"),
    adapter(
      0x067b, 0x2303, "Prolific PL2303", link: "pl2303", "Linux drivers/usb/serial/pl2303.h",
      note: "has no serial number"),
    adapter(
      0x067b, 0x23a3, "Prolific PL2303GC", link: "pl2303", "Linux drivers/usb/serial/pl2303.h"),
    KnownDevice(
      0x04d8, 0x00dd, .serialAdapter, "Microchip MCP2221", link: "mcp2221", [.serial, .hid],
      note: "has GPIO lines besides", source: "Linux drivers/hid/hid-ids.h")
  ]

  static let debugProbes: [KnownDevice] = [
    KnownDevice(
      0x2e8a, 0x000c, .debugProbe, "Raspberry Pi Debug Probe", link: "pi-probe",
      [.serial, .hid, .usb], source: "raspberrypi/usb-pid README"),
    KnownDevice(
      0x0d28, 0x0204, .debugProbe, "Arm DAPLink", link: "daplink", [.serial, .hid, .usb],
      source: "ARMmbed/DAPLink"),
    KnownDevice(
      0x0483, 0x374b, .debugProbe, "ST-Link/V2-1", link: "stlink", [.serial, .usb],
      source: "stlink-org/stlink config/udev"),
    KnownDevice(
      0x0483, 0x374e, .debugProbe, "STLINK-V3", link: "stlink", [.serial, .usb],
      source: "stlink-org/stlink config/udev"),
    KnownDevice(
      0x0483, 0x374f, .debugProbe, "STLINK-V3", link: "stlink", [.serial, .usb],
      source: "stlink-org/stlink config/udev"),
    KnownDevice(
      0x1366, 0x0101, .debugProbe, "SEGGER J-Link", link: "jlink", [.usb],
      source: "SEGGER 99-jlink.rules"),
    KnownDevice(
      0x1366, 0x0105, .debugProbe, "SEGGER J-Link", link: "jlink", [.serial, .usb],
      source: "SEGGER 99-jlink.rules"),
    KnownDevice(
      0x1d50, 0x6018, .debugProbe, "Black Magic Probe", link: "bmp", [.serial, .usb],
      note: "interface 00 is its GDB server, 02 the target's console",
      source: "blackmagic-debug/blackmagic driver/99-blackmagic.rules")
  ]

  private static let ftdi = "Linux drivers/usb/serial/ftdi_sio_ids.h"
  private static let cp210x = "Linux drivers/usb/serial/cp210x.c"
  private static let oneSerial = "often all with the serial number 0001"

  private static func adapter(
    _ vendor: UInt16, _ product: UInt16, _ name: String, link: String, _ source: String,
    note: String = ""
  ) -> KnownDevice {
    KnownDevice(
      vendor, product, .serialAdapter, name, link: link, [.serial], note: note, source: source)
  }
}
