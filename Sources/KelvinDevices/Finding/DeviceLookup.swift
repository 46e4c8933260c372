public import KelvinModel
internal import KelvinSystem

/// Tells which devices the matches of a bench file mean now. Reads what is attached when it is first
/// asked, and once for each role: whoever has no match to look for pays nothing.
///
/// Used by one thread.
public final class DeviceLookup {
  private var context: UDevContext?
  private var found: [DeviceRole: [HostDevice]] = [:]

  /// Looks for nothing yet.
  public init() {}

  /// What the serial port is known by that a match means: the port itself, or the only one of the
  /// USB device that it means. Empty unless exactly one is meant.
  public func identities(ofSerialPort match: DeviceMatch) -> [DeviceIdentity] {
    let ports = devices(.serialPort)
    if let port = only(match, .serialPort) { return DeviceIdentity.all(of: port, among: ports) }
    guard let device = only(match, .usbDevice) else { return [] }
    let own = ports.filter { $0.usbDevice?.syspath == device.syspath }
    return own.count == 1 ? DeviceIdentity.all(of: own[0], among: ports) : []
  }

  /// What the serial port is known by whose device file, or a link to it, this path is; empty when it
  /// is none that udev knows.
  public func identities(ofSerialPortAt path: String) -> [DeviceIdentity] {
    let ports = devices(.serialPort)
    guard let port = at(path, among: ports) else { return [] }
    return DeviceIdentity.all(of: port, among: ports)
  }

  /// What the whole device is known by, one of whose files, or a link to it, this path is; empty when
  /// it is none that udev knows.
  public func identities(ofDeviceAt path: String) -> [DeviceIdentity] {
    for role in DeviceLookup.roles {
      guard let device = at(path, among: devices(role)) else { continue }
      guard let usb = device.usbDevice else {
        return DeviceIdentity.all(of: device, among: devices(role))
      }
      return DeviceIdentity.all(of: usb, among: devices(.usbDevice))
    }
    return []
  }

  private func at(_ path: String, among devices: [HostDevice]) -> HostDevice? {
    if let device = devices.first(where: { $0.node == path || $0.links.contains(path) }) {
      return device
    }
    guard let file = SmallFile.target(of: path) else { return nil }
    return devices.first { $0.node == file }
  }

  /// What the whole device is known by that a match means, whichever part of it the match names.
  /// Empty unless exactly one is meant.
  public func identities(ofDevice match: DeviceMatch) -> [DeviceIdentity] {
    for role in DeviceLookup.roles {
      let matching = devices(role).filter(DeviceMatcher(match, role: role).matches)
      guard let first = matching.first else { continue }
      guard let usb = first.usbDevice else {
        return matching.count == 1 ? DeviceIdentity.all(of: first, among: devices(role)) : []
      }
      // Several ports of one device are one device.
      guard matching.allSatisfy({ $0.usbDevice?.syspath == usb.syspath }) else { return [] }
      return DeviceIdentity.all(of: usb, among: devices(.usbDevice))
    }
    return []
  }

  /// Whether two matches mean one device now, for those who use a serial port and for those who use
  /// the whole device alike.
  public func meanTheSame(_ a: DeviceMatch, _ b: DeviceMatch) -> Bool {
    let ports = identities(ofSerialPort: a)
    if !ports.isEmpty { return ports == identities(ofSerialPort: b) }
    let devices = identities(ofDevice: a)
    return !devices.isEmpty && devices == identities(ofDevice: b)
  }

  /// What a meter may be.
  private static let roles: [DeviceRole] = [
    .usbDevice, .serialPort, .hidDevice, .usbTestInstrument, .sensor, .iioDevice
  ]

  private func only(_ match: DeviceMatch, _ role: DeviceRole) -> HostDevice? {
    let matching = devices(role).filter(DeviceMatcher(match, role: role).matches)
    return matching.count == 1 ? matching[0] : nil
  }

  private func devices(_ role: DeviceRole) -> [HostDevice] {
    if let devices = found[role] { return devices }
    // Without libudev nothing is found; whoever uses the device says so.
    if context == nil { context = try? UDevContext() }
    let devices = context?.devices(role) ?? []
    found[role] = devices
    return devices
  }
}
