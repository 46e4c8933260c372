internal import Glibc
internal import KelvinDevices
internal import KelvinModel
internal import KelvinSystem

/// A port of a hub, or of one half of a USB 3 hub.
struct USBHubPort: CustomStringConvertible {
  let hub: USBDeviceInfo
  let number: Int
  /// Where the kernel shows it: `.../1-2:1.0/1-2-port3`.
  let directory: String
  private let context: USBContext
  private let host: PowerHost

  init(
    _ hub: USBDeviceInfo, _ number: Int, context: USBContext, host: PowerHost
  ) throws(PowerFailure) {
    self.hub = hub
    self.number = number
    self.context = context
    self.host = host
    let interface = hub.portPath.isEmpty ? "\(hub.busNumber)-0:1.0" : "\(hub.name):1.0"
    directory = "\(hub.syspath)/\(interface)/\(hub.name)-port\(number)"
    guard access(directory, F_OK) == 0 else {
      let count = SmallFile.text("\(hub.syspath)/maxchild") ?? "no"
      throw PowerFailure(
        .configuration, "\(hub): it has no port \(number)", evidence: "it has \(count) ports",
        hint: "count from 1; 'kelvin bench scan' lists hubs and their ports")
    }
  }

  var description: String { "port \(number) of \(hub)" }

  // MARK: what the hub says of itself

  /// - Throws: of kind configuration when the hub has no switch for each port.
  func requireSwitch(until deadline: Deadline) async throws(PowerFailure) {
    let type: UInt16 = hub.isSuperSpeed ? 0x2a : 0x29
    let descriptor = try await powered { () async throws(USBFailure) in
      try await context.open(hub, dev: host.dev).controlRead(
        USBControlSetup(0xa0, 0x06, value: type << 8), count: 64, until: deadline)
    }
    let way = HubPorts.switching(descriptor: descriptor)
    guard way != .notKnown else {
      throw PowerFailure(
        .infrastructure, "\(hub): its hub descriptor makes no sense",
        evidence: "\(descriptor.count) bytes")
    }
    guard way == .perPort else {
      throw PowerFailure(
        .configuration,
        way == .none
          ? "\(hub): it cannot switch its ports"
          : "\(hub): it switches all ports together, not each by itself",
        hint: "use a hub that switches each port (uhubctl's documentation lists some), or another "
          + "switch")
    }
  }

  /// The port of the hub's other half that leads to the same socket; nil when there is none.
  func peer(until deadline: Deadline) async throws(PowerFailure) -> USBHubPort? {
    if let path = SmallFile.realPath("\(directory)/peer"),
      let info = USBDeviceInfo.owner(of: path),
      let digits = path.split(separator: "/").last?.split(separator: "t").last,
      let number = Int(digits)
    {
      return try USBHubPort(info, number, context: context, host: host)
    }
    guard !hub.portPath.isEmpty else { return nil }
    guard let container = await container(of: hub, until: deadline) else { return nil }
    for other in USBDeviceInfo.all(sysfs: host.sysfs)
    where other.isHub && other.isSuperSpeed != hub.isSuperSpeed
      && other.vendorID == hub.vendorID && other.busNumber != hub.busNumber
    {
      if await self.container(of: other, until: deadline) == container {
        return try USBHubPort(other, number, context: context, host: host)
      }
    }
    return nil
  }

  /// What two halves of one hub share; nil when the hub has none, as those of USB 2 alone.
  private func container(
    of hub: USBDeviceInfo, until deadline: Deadline
  ) async -> [UInt8]? {
    let bytes = try? await context.open(hub, dev: host.dev).controlRead(
      USBControlSetup(0x80, 0x06, value: 0x0f00), count: 255, until: deadline)
    return bytes.flatMap(ContainerID.find)
  }

  // MARK: the switch

  func set(_ state: PowerState, until deadline: Deadline) async throws(PowerFailure) {
    do {
      try SmallFile.write(state == .on ? "0" : "1", to: "\(directory)/disable")
    } catch  where error == .notFound || error == .permissionDenied || error == .notPermitted {
      // An older kernel, or rules that grant the hub but not the attribute.
      try await powered { () async throws(USBFailure) in
        try await context.open(hub, dev: host.dev).controlWrite(
          // SET_FEATURE or CLEAR_FEATURE, PORT_POWER.
          USBControlSetup(0x23, state == .on ? 3 : 1, value: 8, index: UInt16(number)),
          until: deadline)
      }
    } catch {
      throw PowerFailure(.infrastructure, "\(self): \(directory)/disable: \(error)")
    }
  }

  func state(until deadline: Deadline) async throws(PowerFailure) -> PowerState {
    switch SmallFile.text("\(directory)/disable") {
    case "0": return .on
    case "1": return .off
    default: break
    }
    // GET_STATUS of the port: wPortStatus, little-endian.
    let bytes = try await powered { () async throws(USBFailure) in
      try await context.open(hub, dev: host.dev).controlRead(
        USBControlSetup(0xa3, 0x00, index: UInt16(number)), count: 4, until: deadline)
    }
    guard bytes.count == 4 else {
      throw PowerFailure(
        .infrastructure, "\(self): its status has \(bytes.count) bytes instead of 4")
    }
    // PORT_POWER is bit 8 of USB 2 hubs, bit 9 of USB 3 hubs.
    return bytes[1] & (hub.isSuperSpeed ? 2 : 1) != 0 ? .on : .off
  }
}

/// The capability CONTAINER_ID in a binary object store (USB 3.2, 9.6.2.3).
enum ContainerID {
  /// Its 16 bytes; nil when there is none, or only zeros.
  static func find(_ bytes: [UInt8]) -> [UInt8]? {
    guard bytes.count >= 5, bytes[0] >= 5, bytes[1] == 0x0f else { return nil }
    var position = Int(bytes[0])
    while position + 2 < bytes.count {
      let length = Int(bytes[position])
      guard length >= 3, position + length <= bytes.count else { return nil }
      if bytes[position + 1] == 0x10, bytes[position + 2] == 4, length >= 20 {
        let id = Array(bytes[position + 4..<position + 20])
        return id.allSatisfy { $0 == 0 } ? nil : id
      }
      position += length
    }
    return nil
  }
}
