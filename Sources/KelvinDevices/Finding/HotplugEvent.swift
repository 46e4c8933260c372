/// Where events come from (udev_monitor_new_from_netlink(3)).
public enum HotplugSource: String, Sendable, CaseIterable {
  /// After udevd's rules: with its properties, links and permissions. Silent where no udevd runs.
  case udev
  /// As the kernel sends them: earlier, and with the kernel's properties only.
  case kernel

  /// `udev` when udevd runs here, else `kernel`.
  public static var present: HotplugSource {
    UDevRules.isDaemonRunning ? .udev : .kernel
  }
}

/// Something was plugged in or pulled, or changed.
public struct HotplugEvent: Sendable, Hashable {
  public enum Action: String, Sendable, CaseIterable {
    /// Seen for the first time.
    case appeared
    /// A device that had vanished is back, by its ``DeviceIdentity``, wherever it is plugged in now.
    case returned
    case vanished
    /// Its properties changed, or its driver came or went.
    case changed
  }

  public let action: Action
  /// Of a vanished device: as it was when it was last seen whole. The kernel's own event of it has
  /// lost its serial number.
  public let device: HostDevice
  public let identity: DeviceIdentity
  /// Found by looking again after events were lost, not by an event of its own.
  public let isFromRescan: Bool

  /// Creates an event.
  public init(
    _ action: Action, _ device: HostDevice, identity: DeviceIdentity, isFromRescan: Bool = false
  ) {
    self.action = action
    self.device = device
    self.identity = identity
    self.isFromRescan = isFromRescan
  }
}
