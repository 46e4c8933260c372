internal import Glibc
public import KelvinModel

/// Whether this user may use a device.
public enum DeviceAccess: String, Sendable {
  case granted
  case denied
  /// There is no node to open: hwmon, or a device whose driver has not come up.
  case noNode

  /// Asks the kernel, opening nothing.
  public init(_ device: HostDevice) {
    guard let node = device.node else {
      self = .noNode
      return
    }
    self = access(node, R_OK | W_OK) == 0 ? .granted : errno == ENOENT ? .noNode : .denied
  }
}

extension HostDevice {
  /// Asks whether this user may read and write the device's node.
  ///
  /// - Throws: ``DeviceFailure``: not permitted, with the rule to install and the group to join; or
  ///   vanished.
  public func requireAccess() throws(DeviceFailure) {
    guard let node else { return }
    guard access(node, R_OK | W_OK) != 0 else { return }
    let error = Errno.current
    if error == .notFound {
      throw DeviceFailure(
        .vanished, "\(node): has gone", hint: "plug it in; 'kelvin bench watch' shows what arrives")
    }
    throw DeviceFailure.notPermitted(self, error)
  }
}

extension DeviceFailure {
  /// Says what to do about a node that is not for this user: `/dev/ttyUSB0: permission denied; run
  /// 'kelvin bench udev --install' as root and plug it in again, or join group dialout`.
  public static func notPermitted(_ device: HostDevice, _ error: Errno) -> DeviceFailure {
    let group = device.subsystem == "tty" ? UDevRules.serialGroup : UDevRules.group
    let hasRules = UDevRulesFile().state == .installed
    // The table has no rule for what nobody knows; a serial port's group is udev's own.
    let isCovered = KnownDevices.lookUp(device) != nil
    let rules =
      hasRules
      ? isCovered ? "plug it in again, " : ""
      : "run 'kelvin bench udev --install' as root and plug it in again, "
    return DeviceFailure(
      .notPermitted, "\(DeviceMatcher.title(device)): permission denied",
      evidence: error == .permissionDenied ? "" : "\(error)",
      hint: rules + (rules.isEmpty ? "" : "or ") + "join group \(group)")
  }
}
