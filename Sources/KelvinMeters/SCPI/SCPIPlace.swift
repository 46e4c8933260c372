internal import KelvinDevices
internal import KelvinModel

/// Where an instrument is: on the network, or plugged in.
enum SCPIPlace: Sendable {
  case network(host: String, port: UInt16)
  /// By its match; nil: the only instrument there is.
  case usb(DeviceMatch)

  /// For people; the same from one time to the next.
  var text: String {
    switch self {
    case .network(let host, let port): "\(host):\(port)"
    case .usb(let match):
      "USB " + match.keys.map { "\($0.name)=\($0.value)" }.joined(separator: " ")
    }
  }

  /// Connects.
  ///
  /// - Parameter meter: its name, for messages.
  func session(of meter: String, until deadline: Deadline) async throws(MeterFailure) -> SCPISession
  {
    let name = "\(meter): \(text)"
    switch self {
    case .network(let host, let port):
      return SCPISession(
        name, try MeterSocket(host: host, port: port, name: name, until: deadline))
    case .usb(let match):
      let device: HostDevice
      do throws(DeviceFailure) {
        device = try MeterPlaces(driver: "scpi", title: "SCPI instrument").usbDevice(match: match)
      } catch { throw MeterFailure(error, of: meter) }
      return SCPISession(name, try await USBTMCLink(name: name, device, until: deadline))
    }
  }
}
