internal import ArgumentParser
internal import KelvinDevices
internal import KelvinExecution
internal import KelvinModel
internal import KelvinSystem

/// `kelvin bench watch`: hotplug, live.
struct BenchWatchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "watch",
    abstract: "Follows what is plugged in and pulled, until interrupted.",
    discussion: """
      EXAMPLES
        kelvin bench watch
        kelvin bench watch --for '30 s' --format json
      """)

  @Option(help: "Print as text, or json: one object a line.") var format = OutputFormat.text
  @Option(name: .customLong("for"), help: "End after this time, such as '30 s'.")
  var duration: TimeArgument?
  @Option(
    help: "Whose events: udev's or the kernel's. Default: udev's where udevd runs.")
  var source: SourceArgument?
  @Flag(help: "Tell changes of what stays plugged in as well.") var changes = false

  func run() async throws {
    let roles: [DeviceRole] = [
      .serialPort, .usbDevice, .hidDevice, .usbTestInstrument, .sensor, .gpioChip
    ]
    let monitor = try HotplugMonitor(
      subsystems: Set(roles.flatMap(\.subsystems)).sorted(), source: source?.source ?? .present)
    let count = monitor.initial.count { device in roles.contains { $0.includes(device) } }
    Terminal.standardError.line(
      "watching events of \(monitor.source == .udev ? "udev" : "the kernel"); "
        + "\(count) devices are there")
    let timer = try duration.map { duration in
      try NamedThread("watch") {
        _ = Deadline.after(seconds: duration.seconds).wait()
        monitor.stop()
      }
    }
    for await event in monitor.events {
      guard let role = roles.first(where: { $0.includes(event.device) }),
        changes || event.action != .changed
      else { continue }
      Terminal.standardOutput.line(
        format == .json ? WatchText.json(event, role) : WatchText.line(event, role))
    }
    timer?.join()
    if monitor.lostEvents > 0 {
      Terminal.standardError.line(
        "kelvin: \(monitor.lostEvents) events were lost; what they left was looked up")
    }
  }
}

/// Hotplug events as lines.
enum WatchText {
  /// `12:03:04 returned   serial port  /dev/ttyUSB1  FTDI FT232R USB UART (0403:6001)`
  static func line(_ event: HotplugEvent, _ role: DeviceRole) -> String {
    let device = event.device
    let time = WallTime.text(nanoseconds: MonotonicTime.wallNanoseconds)
    let action = event.action.rawValue
    var text = "\(time) \(action)" + String(repeating: " ", count: max(1, 10 - action.count))
    text += "\(role.noun)  \(device.node ?? device.name)"
    let title = KnownDevices.lookUp(device)?.name ?? device.usbTitle
    if let title { text += "  \(ScanText.printable(title))" }
    if let id = device.usbID { text += " (\(id))" }
    if let serial = device.serialNumber { text += "  \(ScanText.printable(serial))" }
    return text
  }

  /// An object on one line.
  static func json(_ event: HotplugEvent, _ role: DeviceRole) -> String {
    let device = event.device
    var values: [String: Value] = [
      "time": .text(WallTime.text(nanoseconds: MonotonicTime.wallNanoseconds)),
      "action": .text(event.action.rawValue), "role": .text(role.rawValue),
      "identity": .text(event.identity.description), "syspath": .text(device.syspath)
    ]
    if let node = device.node { values["node"] = .text(node) }
    if let id = device.usbID { values["usb-id"] = .text(id.description) }
    if let serial = device.serialNumber { values["serial-number"] = .text(serial) }
    if event.isFromRescan { values["rescan"] = true }
    return Value.map(values).json
  }
}

/// ``HotplugSource`` on the command line.
enum SourceArgument: String, ExpressibleByArgument, CaseIterable {
  case udev, kernel

  var source: HotplugSource { self == .udev ? .udev : .kernel }
}
