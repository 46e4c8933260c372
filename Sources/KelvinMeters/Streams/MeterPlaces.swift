internal import KelvinConnections
internal import KelvinDevices
internal import KelvinModel

/// Where the meters of one driver are plugged in, as far as ``KnownDevices`` tells.
struct MeterPlaces: Sendable {
  /// Of the driver, as bench files have it.
  let driver: String
  /// What people call the meter.
  let title: String

  /// The serial port at a path; that of a match; else of the only such meter there is.
  ///
  /// - Parameter match: of the USB device, of which the port with the lowest interface is meant, or of one
  ///   of its ports.
  func serialPort(path: String?, match: DeviceMatch?) throws(DeviceFailure) -> String {
    if let path { return path }
    let context = try UDevContext()
    let match = if let match { match } else { try only(in: context, isPort: true) }
    let port: HostDevice
    do throws(DeviceFailure) {
      port = try DeviceMatcher.find(.serialPort, of: match, in: context).parts[0]
    } catch {
      guard error.problem == .absent,
        let found = try? DeviceMatcher(match, role: .serialPort).find(in: context)
      else { throw error }
      port = found
    }
    try port.requireAccess()
    return port.node ?? ""
  }

  /// The USB device of a match, else the only such meter there is.
  func usbDevice(match: DeviceMatch?) throws(DeviceFailure) -> HostDevice {
    let context = try UDevContext()
    let match = if let match { match } else { try only(in: context) }
    let device = try DeviceMatcher(match, role: .usbDevice).find(in: context)
    try device.requireAccess()
    return device
  }

  /// What means the only one that is plugged in.
  private func only(
    in context: UDevContext, isPort: Bool = false
  ) throws(DeviceFailure) -> DeviceMatch {
    let devices = context.devices(.usbDevice)
    let meters = devices.filter(isOne)
    guard meters.count == 1 else {
      throw meters.isEmpty
        ? DeviceFailure(
          .absent, "no \(title) is plugged in",
          hint: "'kelvin bench scan' lists what there is"
            + (isPort ? "; 'path' names a port that udev does not know" : ""))
        : DeviceFailure(
          .ambiguous, "several \(title)s are plugged in: \(meters.count)",
          hint: "say which by 'match'; 'kelvin bench scan' suggests it")
    }
    return MatchSuggestion.match(for: meters[0], among: devices)
  }

  private func isOne(_ device: HostDevice) -> Bool {
    KnownDevices.lookUp(device)?.driver == driver
  }

  /// Those that are plugged into this machine, for ``MeterDriver/find(through:until:)``; none elsewhere.
  ///
  /// - Parameters:
  ///   - part: what of a meter is opened.
  ///   - channels: that one has without configuration.
  func all(
    through connection: any Connection, opening part: DeviceRole, channels: [Channel]
  ) -> [FoundMeter] {
    guard connection is LocalConnection, let context = try? UDevContext() else { return [] }
    let devices = context.devices(.usbDevice)
    return devices.filter(isOne).map { device in
      let match = MatchSuggestion.match(for: device, among: devices)
      return FoundMeter(
        name: "\(driver)/\(device.serialNumber ?? device.name)", driver: driver,
        options: ["match": Self.value(match)], summary: KnownDevices.lookUp(device)?.name ?? title,
        channels: channels, obstacle: obstacle(to: device, match, part, context))
    }
  }

  private func obstacle(
    to device: HostDevice, _ match: DeviceMatch, _ part: DeviceRole, _ context: UDevContext
  ) -> MeterFailure? {
    do throws(DeviceFailure) {
      let opened =
        part == .usbDevice ? device : try DeviceMatcher.find(part, of: match, in: context).parts[0]
      try opened.requireAccess()
      return nil
    } catch { return MeterFailure(error, of: driver) }
  }

  private static func value(_ match: DeviceMatch) -> Value {
    .map(
      Dictionary(
        uniqueKeysWithValues: match.keys.map {
          (($0.inAncestors ? "@" : "") + $0.name, .text($0.value))
        }))
  }
}
