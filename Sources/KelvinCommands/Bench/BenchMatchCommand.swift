internal import ArgumentParser
internal import KelvinDevices
internal import KelvinModel

/// `kelvin bench match`: tries a match before it goes into a bench file.
struct BenchMatchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "match",
    abstract: "Tries a match: which device it means, and whether this user may open it.",
    discussion: """
      All keys must hold: udev properties or sysfs attributes of the device; with a leading @, of \
      it or any of its ancestors.

      EXAMPLES
        kelvin bench match ID_SERIAL_SHORT=A50285BI
        kelvin bench match @ID_PATH=pci-0000:00:14.0-usb-0:2 ID_USB_INTERFACE_NUM=00
        kelvin bench match --as usb-hub idVendor=2109
      """)

  enum Role: String, ExpressibleByArgument, CaseIterable {
    case serialPort = "serial-port"
    case usbDevice = "usb-device"
    case usbHub = "usb-hub"
    case usbInterface = "usb-interface"
    case hidDevice = "hid-device"
    case usbTestInstrument = "usb-test-instrument"
    case sensor
    case iioDevice = "iio-device"
    case gpioChip = "gpio-chip"

    var role: DeviceRole {
      switch self {
      case .serialPort: .serialPort
      case .usbDevice: .usbDevice
      case .usbHub: .usbHub
      case .usbInterface: .usbInterface
      case .hidDevice: .hidDevice
      case .usbTestInstrument: .usbTestInstrument
      case .sensor: .sensor
      case .iioDevice: .iioDevice
      case .gpioChip: .gpioChip
      }
    }
  }

  @Option(help: "What is looked for.") var `as` = Role.serialPort
  @Option(help: "Print as text or json.") var format = OutputFormat.text
  @Argument(help: "KEY=VALUE, as many as needed.") var keys: [String]

  func validate() throws {
    for key in keys where (key.firstIndex(of: "=") ?? key.startIndex) == key.startIndex {
      throw ValidationError("'\(key)': a match has keys of the form KEY=VALUE")
    }
  }

  func run() async throws {
    let match = DeviceMatch(
      keys.map { text in
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let value = parts.count > 1 ? String(parts[1]) : ""
        return parts[0].hasPrefix("@")
          ? DeviceMatch.Key(String(parts[0].dropFirst()), inAncestors: true, value)
          : DeviceMatch.Key(String(parts[0]), value)
      })
    let context = try UDevContext()
    let devices = context.devices(self.as.role)
    let device = try DeviceMatcher(match, role: self.as.role).find(among: devices)
    show(device, DeviceIdentity(device, among: devices))
    try device.requireAccess()
  }

  private func show(_ device: HostDevice, _ identity: DeviceIdentity) {
    guard format == .text else {
      var values: [String: Value] = [
        "name": .text(device.name), "identity": .text(identity.description),
        "syspath": .text(device.syspath)
      ]
      if let node = device.node { values["node"] = .text(node) }
      if let title = device.usbTitle { values["title"] = .text(title) }
      if let id = device.usbID { values["usb-id"] = .text(id.description) }
      Terminal.standardOutput.line(Value.map(values).json)
      return
    }
    Terminal.standardOutput.line(
      ScanText.printable(
        [device.node ?? device.name, device.usbTitle, device.usbID?.description]
          .compactMap { $0 }.joined(separator: "  ")))
    Terminal.standardOutput.line("identity: \(ScanText.printable(identity.description))")
  }
}
