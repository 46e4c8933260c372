public import KelvinModel

/// Finds the one device that a bench file means.
///
/// The rule is labgrid's (labgrid/resource/udev.py): every key must hold; a key is compared with the
/// device's property of that name, then with its sysfs attribute; with a leading `@`, an ancestor's
/// will do as well. White space at the ends of an attribute does not count.
public struct DeviceMatcher: Sendable {
  public let match: DeviceMatch
  public let role: DeviceRole

  /// Creates a matcher.
  public init(_ match: DeviceMatch, role: DeviceRole) {
    self.match = match
    self.role = role
  }

  /// Whether a device is meant. A match without keys means none.
  public func matches(_ device: HostDevice) -> Bool {
    !match.keys.isEmpty && match.keys.allSatisfy { DeviceMatcher.holds($0, for: device) }
  }

  /// Looks through what is plugged in now.
  ///
  /// - Throws: ``DeviceFailure``: absent or ambiguous.
  public func find(in context: UDevContext) throws(DeviceFailure) -> HostDevice {
    try find(among: context.devices(role))
  }

  /// Looks through these devices, all of the matcher's role.
  public func find(among devices: [HostDevice]) throws(DeviceFailure) -> HostDevice {
    let found = devices.filter(matches)
    if found.count == 1 { return found[0] }
    throw found.isEmpty ? absent(among: devices) : ambiguous(found)
  }

  /// Finds a USB device and what of it is opened: the ports of a meter, the HID node of a relay. What
  /// `kelvin bench scan` suggests for all that is no console means the USB device.
  ///
  /// - Parameter part: what is opened; those are sorted by interface.
  /// - Throws: ``DeviceFailure``: absent or ambiguous; or the device has nothing of that role.
  public static func find(
    _ part: DeviceRole, of match: DeviceMatch, in context: UDevContext
  ) throws(DeviceFailure) -> (device: HostDevice, parts: [HostDevice]) {
    let device = try DeviceMatcher(match, role: .usbDevice).find(in: context)
    let parts = context.devices(part).filter { $0.usbDevice?.syspath == device.syspath }
      .sorted {
        ($0.usbInterfaceNumber ?? "", $0.syspath) < ($1.usbInterfaceNumber ?? "", $1.syspath)
      }
    guard parts.isEmpty else { return (device, parts) }
    throw DeviceFailure(
      .absent, "\(title(device)) has no \(part.noun)",
      hint: "its driver is missing or has not come up; see 'dmesg'")
  }

  static func holds(_ key: DeviceMatch.Key, for device: HostDevice) -> Bool {
    let wanted = DeviceMatcher.trimmed(key.value)
    return (key.inAncestors ? device.line : [device]).contains {
      $0.value(of: key.name).map(DeviceMatcher.trimmed) == wanted
    }
  }

  static func trimmed(_ text: String) -> String {
    guard let first = text.firstIndex(where: { !$0.isWhitespace }),
      let last = text.lastIndex(where: { !$0.isWhitespace })
    else { return "" }
    return String(text[first...last])
  }
}

extension DeviceMatcher {
  /// Most candidates that a message lists.
  static let listedCandidates = 8

  private func absent(among devices: [HostDevice]) -> DeviceFailure {
    let message =
      match.keys.isEmpty
      ? "an empty match means no \(role.noun)" : "no \(role.noun) matches \(match)"
    guard !devices.isEmpty else {
      return DeviceFailure(
        .absent, message, evidence: "there is no \(role.noun) at all",
        hint: "plug it in; 'kelvin bench watch' shows what arrives")
    }
    var evidence: [String] = []
    if let (nearest, failing) = nearest(among: devices) {
      let keys = failing.map { key in
        "\(key.text) is \(DeviceMatcher.shown(key, of: nearest)), not '\(key.value)'"
      }
      evidence.append(
        "nearest is \(DeviceMatcher.title(nearest)), whose " + keys.joined(separator: " and "))
    }
    evidence.append(
      "there " + (devices.count == 1 ? "is " : "are ")
        + DeviceMatcher.list(devices) { device in
          "\(DeviceMatcher.title(device)) \(MatchSuggestion.match(for: device, among: devices))"
        })
    return DeviceFailure(
      .absent, message, evidence: evidence.joined(separator: "; "),
      hint: "plug it in, or take its match from 'kelvin bench scan'")
  }

  /// The device that the most keys hold for, and the keys that do not; nil when none holds for any.
  func nearest(among devices: [HostDevice]) -> (HostDevice, failing: [DeviceMatch.Key])? {
    let failing = devices.map { device in
      (device, failing: match.keys.filter { !DeviceMatcher.holds($0, for: device) })
    }
    return failing.min { $0.failing.count < $1.failing.count }
      .flatMap { $0.failing.count < match.keys.count || devices.count == 1 ? $0 : nil }
  }

  private func ambiguous(_ found: [HostDevice]) -> DeviceFailure {
    let keys = MatchSuggestion.distinguishing(found)
    let candidates = DeviceMatcher.list(found) { device in
      let own = keys.compactMap { MatchSuggestion.key($0, of: device) }
      return DeviceMatcher.title(device) + (own.isEmpty ? "" : " with \(DeviceMatch(own))")
    }
    return DeviceFailure(
      .ambiguous, "\(match) matches \(found.count) \(role.noun)s", evidence: candidates,
      hint: keys.isEmpty
        ? "nothing that udev knows tells them apart: unplug one"
        : "add " + keys.map(\.text).joined(separator: " and ") + " of the one that is meant")
  }

  private static func list(_ devices: [HostDevice], _ text: (HostDevice) -> String) -> String {
    let shown = devices.prefix(listedCandidates).map(text).joined(separator: ", ")
    let rest = devices.count - listedCandidates
    return rest > 0 ? "\(shown), and \(rest) more" : shown
  }

  /// `/dev/ttyUSB0 (FTDI FT232R USB UART)`.
  package static func title(_ device: HostDevice) -> String {
    let name = device.node ?? device.name
    guard let title = device.usbTitle else { return name }
    return "\(name) (\(title))"
  }

  /// The value that the device itself has, or its nearest ancestor, in quotes, or `missing`.
  private static func shown(_ key: DeviceMatch.Key, of device: HostDevice) -> String {
    for candidate in key.inAncestors ? device.line : [device] {
      if let value = candidate.value(of: key.name) { return "'\(value)'" }
    }
    return "missing"
  }
}

extension DeviceMatch.Key {
  /// As a bench file spells it: `@ID_PATH`.
  var text: String { (inAncestors ? "@" : "") + name }
}
