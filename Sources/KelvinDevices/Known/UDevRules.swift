internal import Glibc
internal import KelvinModel

/// The udev rules that let users of a bench use its equipment: written from ``KnownDevices``, and kept
/// in udev-rules/ for those who install by hand.
public enum UDevRules {
  /// Runs after 60-serial.rules, whose properties it uses, and before 73-seat-late.rules, which grants
  /// what is tagged `uaccess`.
  public static let fileName = "70-kelvin.rules"
  /// Of nodes that nobody but root has otherwise (Debian's group for removable devices).
  public static let group = "plugdev"
  /// Of serial ports: the group that systemd's rules give them; members keep their access.
  public static let serialGroup = "dialout"
  public static let directory = "/etc/udev/rules.d"
  public static let installedPath = "\(directory)/\(fileName)"

  /// Whether udevd runs here: it listens at a socket (systemd-udevd.service(8)).
  public static var isDaemonRunning: Bool { access("/run/udev/control", F_OK) == 0 }

  /// The file's text.
  public static func text(for table: [KnownDevice] = KnownDevices.all) -> String {
    var lines = header
    for node in [KnownDevice.Node.serial, .hid, .testInstrument, .usb] {
      let devices = table.filter { $0.nodes.contains(node) }
      lines += ["", "# " + heading(node)]
      lines.append("\(condition(node)), GOTO=\"kelvin_end_\(node.rawValue)\"")
      lines += devices.flatMap { rules(for: $0, node) }
      if node == .usb { lines += classes }
      lines.append("LABEL=\"kelvin_end_\(node.rawValue)\"")
    }
    lines += hubPorts + gpio + iio + ["", "LABEL=\"kelvin_end\""]
    return lines.joined(separator: "\n") + "\n"
  }

  private static let header = [
    "# Equipment that Kelvin knows: for the seat's user (uaccess) and a group, never for everybody.",
    "# Generated from Sources/KelvinDevices/Known by 'kelvin bench udev --print': do not edit.",
    "# Install with 'kelvin bench udev --install'.",
    "",
    "ACTION==\"remove\", GOTO=\"kelvin_end\""
  ]

  private static func heading(_ node: KnownDevice.Node) -> String {
    switch node {
    case .serial: "Serial ports of meters, relays, adapters and probes."
    case .hid: "HID nodes. udev gives them no ID_*: the USB device's attributes are used."
    case .testInstrument: "USB test and measurement nodes."
    case .usb: "USB devices that are driven through libusb."
    }
  }

  /// Holds for nodes of another kind.
  private static func condition(_ node: KnownDevice.Node) -> String {
    switch node {
    case .serial: "SUBSYSTEM!=\"tty\""
    case .hid: "SUBSYSTEM!=\"hidraw\""
    case .testInstrument: "SUBSYSTEM!=\"usbmisc\""
    case .usb: "SUBSYSTEM!=\"usb\""
    }
  }

  /// A line that grants and names by the port, and one more for devices with a serial number.
  private static func rules(for device: KnownDevice, _ node: KnownDevice.Node) -> [String] {
    let key = node == .usb ? "ATTR" : "ATTRS"
    var match = [
      "\(key){idVendor}==\"\(USBDeviceID.hex(device.id.vendor))\"",
      "\(key){idProduct}==\"\(USBDeviceID.hex(device.id.product))\""
    ]
    if let prefix = device.productPrefix { match.append("\(key){product}==\"\(prefix)*\"") }
    if node == .usb { match.insert("ENV{DEVTYPE}==\"usb_device\"", at: 0) }
    let what = match.joined(separator: ", ")
    let suffix = suffix(node)
    return [
      "# \(device.name) (\(device.source))",
      "\(what), \(grant(node))",
      // Other rules give this property to serial ports only.
      "\(what), IMPORT{builtin}=\"path_id\", "
        + "SYMLINK+=\"kelvin/by-path/\(device.link)-$env{ID_PATH}\(node == .serial ? "" : suffix)\"",
      // A device may call itself ../../x.
      "\(what), \(key){serial}==\"?*\", \(key){serial}!=\"*/*\", "
        + "SYMLINK+=\"kelvin/\(device.link)-$attr{serial}\(suffix)\""
    ]
  }

  /// Tells a device's nodes apart.
  private static func suffix(_ node: KnownDevice.Node) -> String {
    switch node {
    case .serial: "-if$env{ID_USB_INTERFACE_NUM}"
    case .hid: "-hid"
    case .testInstrument: "-tmc"
    case .usb: ""
    }
  }

  private static func grant(_ node: KnownDevice.Node?) -> String {
    "MODE=\"0660\", GROUP=\"\(node == .serial ? serialGroup : group)\", TAG+=\"uaccess\""
  }

  /// By what a device offers, whoever made it: ID_USB_INTERFACES lists class, subclass and protocol of
  /// its interfaces (systemd's usb_id).
  private static let classes = [
    "# Android's adb and fastboot (packages/modules/adb/client/usb_linux.cpp; fastboot/usb_linux.cpp)",
    "ENV{DEVTYPE}==\"usb_device\", ENV{ID_USB_INTERFACES}==\"*:ff4201:*\", \(grant(.usb))",
    "ENV{DEVTYPE}==\"usb_device\", ENV{ID_USB_INTERFACES}==\"*:ff4203:*\", \(grant(.usb))"
  ]

  /// Kernels from 6.0 have the attribute (Documentation/ABI/testing/sysfs-bus-usb).
  private static let hubPorts = [
    "",
    "# Power of hubs' ports, which the kernel (6.0 and later) switches by an attribute.",
    "SUBSYSTEM==\"usb\", ENV{DEVTYPE}==\"usb_interface\", DRIVER==\"hub\", "
      + "RUN+=\"/bin/sh -c 'for f in $sys$devpath/*-port*/disable; do "
      + "[ -e $$f ] && chgrp \(group) $$f && chmod 0664 $$f; done; exit 0'\""
  ]

  /// A board's own GPIO chips stay root's: their lines may hold regulators.
  private static let gpio = [
    "",
    "# GPIO lines of USB adapters.",
    "SUBSYSTEM==\"gpio\", KERNEL==\"gpiochip*\", SUBSYSTEMS==\"usb\", \(grant(nil))"
  ]

  /// Captures from their buffers, and what has to be set for them; what they put out (converters that
  /// may hold a supply) stays root's.
  private static let iio = [
    "",
    "# IIO devices: their buffers, and what a capture sets.",
    "SUBSYSTEM==\"iio\", KERNEL==\"iio:device*\", \(grant(nil)), "
      + "RUN+=\"/bin/sh -c 'cd $sys$devpath && for f in buffer/* scan_elements/in_*_en "
      + "trigger/current_trigger current_timestamp_clock sampling_frequency in_*; do "
      + "[ -f $$f ] && chgrp \(group) $$f && chmod g=u $$f; done; exit 0'\"",
    "SUBSYSTEM==\"iio\", KERNEL==\"trigger*\", "
      + "RUN+=\"/bin/sh -c 'f=$sys$devpath/sampling_frequency; "
      + "[ -f $$f ] && chgrp \(group) $$f && chmod g=u $$f; exit 0'\""
  ]
}
