internal import Glibc
internal import KelvinDevices
internal import KelvinModel

/// How a bench file names a USB device: by a match, or by where it is plugged in.
struct USBDeviceChoice: Sendable {
  /// `1-2.3`; nil: by ``match``.
  let place: String?
  let match: DeviceMatch?

  static func options(_ what: String) -> [OptionDeclaration] {
    [
      DeviceMatch.option(of: what),
      OptionDeclaration(
        "at", .text,
        "Where it is plugged in, as the kernel names it, when there is no 'match': bus and ports, "
          + "as in 1-2.3, or usb1 for the ports of the host itself.")
    ]
  }

  /// - Throws: of kind configuration unless exactly one of the two is there.
  init(_ options: DriverOptions) throws(PowerFailure) {
    place = options.text("at")
    match = DeviceMatch(options.values["match"])
    guard (place == nil) != (match == nil) else {
      throw PowerFailure(
        .configuration, place == nil ? "'match' or 'at' is missing" : "both 'match' and 'at'",
        hint: "name the device in one way")
    }
    let isPlace = place?.utf8.allSatisfy {
      (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || "-.usb".utf8.contains($0)
    }
    guard isPlace != false, place?.contains("..") != true, place?.isEmpty != true else {
      throw PowerFailure(
        .configuration, "'at: \(place ?? "")' is no place of a USB device",
        hint: "write it as in /sys/bus/usb/devices: 1-2.3")
    }
  }

  /// The device as it is plugged in now.
  func find(_ host: PowerHost) throws(PowerFailure) -> USBDeviceInfo {
    if let place {
      guard let info = USBDeviceInfo(syspath: "\(host.sysfs)/bus/usb/devices/\(place)") else {
        throw PowerFailure(
          .infrastructure, "nothing is plugged in at \(place)",
          hint: "look at its cable and its power; 'kelvin bench scan' lists what is there")
      }
      return info
    }
    let node = try host.resolveUSB(match ?? DeviceMatch([]))
    guard let info = Self.device(of: node, host) else {
      throw PowerFailure(.infrastructure, "\(node): not the node of a USB device")
    }
    return info
  }

  /// The USB device that a node belongs to: `/dev/bus/usb/003/004`, or one of its drivers' nodes.
  static func device(of node: String, _ host: PowerHost) -> USBDeviceInfo? {
    let parts = node.split(separator: "/")
    if parts.suffix(4).starts(with: ["bus", "usb"]), let number = parts.last.flatMap({ Int($0) }),
      let bus = Int(parts[parts.count - 2])
    {
      return USBDeviceInfo.all(sysfs: host.sysfs).first {
        $0.busNumber == bus && $0.deviceNumber == number
      }
    }
    var status = stat()
    guard stat(node, &status) == 0 else { return nil }
    // glibc's makedev, which Swift does not see.
    let device = UInt64(status.st_rdev)
    let major = device >> 8 & 0xfff | device >> 32 & ~0xfff
    let minor = device & 0xff | device >> 12 & ~0xff & 0xffff_ffff
    return USBDeviceInfo.owner(of: "\(host.sysfs)/dev/char/\(major):\(minor)")
  }
}

extension PowerFailure {
  /// What went wrong on the bus.
  init(_ failure: USBFailure) {
    self.init(
      failure.kind, failure.message, evidence: failure.evidence, hint: failure.hint)
  }
}

/// A call of the USB layer, with its failure as a switch's.
func powered<Result>(
  _ body: () async throws(USBFailure) -> Result
) async throws(PowerFailure) -> Result {
  do { return try await body() } catch { throw PowerFailure(error) }
}
