internal import KelvinModel
internal import KelvinSystem

/// Looks through what is attached, opening nothing but hubs.
///
/// Takes some ten milliseconds: sysfs and udev's database are read once.
public struct EquipmentScan {
  /// What hubs' answers may take in all.
  static let hubSeconds = 0.05

  private let usbDevices: [HostDevice]
  private let hubs: [HostDevice]
  private let serialPorts: [HostDevice]
  private let interfaces: [HostDevice]
  private let sensors: [HostDevice]
  private let chips: [HostDevice]
  /// Nodes besides its own that belong to a USB device, by its path.
  private let parts: [String: [HostDevice]]

  /// Scans what libudev sees now.
  ///
  /// - Throws: ``DeviceFailure`` when libudev cannot be used.
  public static func run() throws(DeviceFailure) -> Equipment {
    let roles: [DeviceRole] = [
      .usbDevice, .serialPort, .hidDevice, .usbTestInstrument, .sensor, .gpioChip
    ]
    let devices = try UDevContext().devices(subsystems: Set(roles.flatMap(\.subsystems)).sorted())
    return EquipmentScan(devices).equipment
  }

  init(_ devices: [HostDevice]) {
    usbDevices = devices.filter(DeviceRole.usbDevice.includes)
    hubs = usbDevices.filter(DeviceRole.usbHub.includes)
    serialPorts = devices.filter(DeviceRole.serialPort.includes)
    interfaces = devices.filter(DeviceRole.usbInterface.includes)
    sensors = devices.filter(DeviceRole.sensor.includes)
    chips = devices.filter(DeviceRole.gpioChip.includes)
    let nodes =
      serialPorts + devices.filter(DeviceRole.hidDevice.includes)
      + devices.filter(DeviceRole.usbTestInstrument.includes)
    parts = Dictionary(grouping: nodes) { $0.usbDevice?.syspath ?? "" }
  }

  var equipment: Equipment {
    let found =
      adapters + android + usbDevices.compactMap(knownDevice) + switchableHubs + sensorItems
      + chipItems
    let order = Equipment.Kind.allCases
    return Equipment(
      items: order.flatMap { kind in found.filter { $0.kind == kind } })
  }

  // MARK: consoles

  private var adapters: [Equipment.Item] {
    serialPorts.compactMap { port in
      let known = KnownDevices.lookUp(port)
      guard known?.kind != .meter, known?.kind != .relay else { return nil }
      var notes = notes(known)
      if let usb = port.usbDevice, let serial = port.serialNumber {
        let twins = usbDevices.filter { other in
          other.syspath != usb.syspath && other.serialNumber == serial
            && other.usbID == port.usbID
        }
        if !twins.isEmpty {
          notes.append(
            "serial number \(serial) is also that of \(twins.map(\.name).joined(separator: ", "))"
              + ": only the port tells them apart")
        }
      }
      return item(
        .serialAdapter, port, among: serialPorts, title: known?.name, nodes: [port], notes: notes)
    }
  }

  // MARK: Android

  /// Interfaces of class ff, subclass 42: protocol 01 is adb (packages/modules/adb/adb.h), 03 fastboot
  /// (system/core/fastboot/fastboot.cpp).
  private var android: [Equipment.Item] {
    interfaces.compactMap { interface in
      guard interface.attribute("bInterfaceClass") == "ff",
        interface.attribute("bInterfaceSubClass") == "42", let device = interface.usbDevice
      else { return nil }
      switch interface.attribute("bInterfaceProtocol") {
      case "01":
        return item(.adb, device, among: usbDevices, nodes: [device], driver: "adb")
      case "03":
        return item(.fastboot, device, among: usbDevices, nodes: [device], driver: "fastboot")
      default: return nil
      }
    }
  }

  // MARK: meters, relays, probes

  private func knownDevice(_ device: HostDevice) -> Equipment.Item? {
    let own = parts[device.syspath, default: []].sorted {
      ($0.usbInterfaceNumber ?? "", $0.syspath) < ($1.usbInterfaceNumber ?? "", $1.syspath)
    }
    guard let known = KnownDevices.lookUp(device) else {
      let instruments = own.filter(DeviceRole.usbTestInstrument.includes)
      guard !instruments.isEmpty else { return nil }
      return item(
        .meter, device, among: usbDevices, nodes: instruments, driver: "scpi",
        notes: ["speaks USBTMC; what it measures is not known"])
    }
    let kind: Equipment.Kind
    switch known.kind {
    case .meter: kind = .meter
    case .relay: kind = .relay
    case .debugProbe where !own.contains(where: DeviceRole.serialPort.includes): kind = .debugProbe
    // Listed by their ports.
    case .debugProbe, .serialAdapter, .hub: return nil
    }
    let nodes = own.filter { node in
      known.nodes.contains {
        switch $0 {
        case .serial: node.subsystem == "tty"
        case .hid: node.subsystem == "hidraw"
        case .testInstrument: node.subsystem == "usbmisc"
        case .usb: false
        }
      }
    }
    return item(
      kind, device, among: usbDevices, title: known.name, nodes: nodes.isEmpty ? [device] : nodes,
      driver: known.driver, notes: notes(known))
  }

  // MARK: hubs

  private var switchableHubs: [Equipment.Item] {
    HubSurvey.ports(of: hubs, until: .after(seconds: EquipmentScan.hubSeconds)).compactMap {
      ports in
      let known = KnownDevices.lookUp(ports.hub)
      // A computer's own ports are listed when they are known to switch: few do.
      let isLikely = ports.isRoot ? ports.switching == .perPort : ports.isSwitchable
      guard isLikely || known?.kind == .hub else { return nil }
      var notes = notes(known)
      if known == nil {
        notes.append(
          ports.switching == .perPort
            ? "says that it switches each port; not every hub that says so does"
            : "could not be asked whether it switches power")
      }
      return item(
        .hub, ports.hub, among: hubs, title: known?.name, nodes: [ports.hub], driver: "usb-hub",
        ports: ports, notes: notes)
    }
  }

  // MARK: sensors and lines

  private var sensorItems: [Equipment.Item] {
    sensors.compactMap { sensor in
      let quantities = [
        ("power", "power"), ("curr", "current"), ("in", "voltage"), ("energy", "energy"),
        ("temp", "temperature")
      ]
      let files = SmallFile.names(in: sensor.syspath).filter { $0.hasSuffix("_input") }
      let counts = quantities.compactMap { prefix, word -> String? in
        let count = files.count { file in
          file.hasPrefix(prefix) && file.dropFirst(prefix.count).first?.isNumber == true
        }
        return count == 0 ? nil : "\(count) \(word)"
      }
      guard !counts.isEmpty else { return nil }
      return item(
        .sensor, sensor, among: sensors, title: sensor.attribute("name") ?? sensor.name, nodes: [],
        driver: "hwmon", notes: [counts.joined(separator: ", ")])
    }
  }

  private var chipItems: [Equipment.Item] {
    chips.map { chip in
      // The character device tells its label only to who opens it; the older interface stands
      // beside it in sysfs (Documentation/ABI/obsolete/sysfs-gpio), one chip for each parent.
      let parent = chip.syspath.dropLast(chip.name.count + 1)
      let older = SmallFile.names(in: "\(parent)/gpio").filter { $0.hasPrefix("gpiochip") }
      let text = { (name: String) -> String? in
        older.count == 1 ? SmallFile.text("\(parent)/gpio/\(older[0])/\(name)", limit: 256) : nil
      }
      return item(
        .gpioChip, chip, among: chips, title: text("label") ?? chip.name, nodes: [chip],
        notes: text("ngpio").map { ["\($0) lines"] } ?? [])
    }
  }

  // MARK: the item

  private func notes(_ known: KnownDevice?) -> [String] {
    known.map { $0.note.isEmpty ? [] : [$0.note] } ?? []
  }

  private func item(
    _ kind: Equipment.Kind, _ device: HostDevice, among others: [HostDevice],
    title: String? = nil, nodes: [HostDevice], driver: String? = nil, ports: HubPorts? = nil,
    notes: [String] = []
  ) -> Equipment.Item {
    let access = nodes.map(DeviceAccess.init)
    return Equipment.Item(
      kind: kind, title: title ?? device.usbTitle ?? device.name, usbID: device.usbID,
      identity: DeviceIdentity(device, among: others),
      match: MatchSuggestion.match(for: device, among: others), nodes: nodes.compactMap(\.node),
      link: (nodes.first ?? device).stableLink,
      access: access.contains(.denied) ? .denied : access.first { $0 != .noNode } ?? .noNode,
      driver: driver, serialNumber: device.serialNumber, ports: ports, notes: notes)
  }
}

extension HostDevice {
  /// The link to its node that lives longest: by port or by serial number, Kelvin's own first.
  var stableLink: String? {
    let order = ["/dev/kelvin/", "/dev/serial/by-id/", "/dev/serial/by-path/"]
    for prefix in order {
      if let link = links.first(where: { $0.hasPrefix(prefix) }) { return link }
    }
    return nil
  }
}
