internal import CLibUDev
internal import Glibc
internal import KelvinModel
internal import Synchronization

/// The one wrapper of libudev: enumerates devices, and receives events when it was made to.
///
/// Opens no device. A few hundred devices take milliseconds.
public final class UDevContext: @unchecked Sendable {
  // @unchecked: libudev's objects may be used by any thread, but by one at a time (libudev(3)). They
  // are used under `lock` only, and none of them leaves this file.
  private let lock = Mutex(())
  private let udev: OpaquePointer
  private let monitor: OpaquePointer?
  /// Becomes readable with an event; -1 without a monitor.
  public let descriptor: Int32

  /// Opens libudev for enumerations.
  ///
  /// - Throws: ``DeviceFailure`` when libudev cannot be used.
  public convenience init() throws(DeviceFailure) { try self.init(source: nil, subsystems: []) }

  /// Opens libudev with a monitor, which receives from now on.
  ///
  /// - Parameter subsystems: of the devices whose events are wanted; empty: all.
  public convenience init(
    monitoring source: HotplugSource, subsystems: [String]
  ) throws(DeviceFailure) {
    try self.init(source: source, subsystems: subsystems)
  }

  private init(source: HotplugSource?, subsystems: [String]) throws(DeviceFailure) {
    guard let udev = udev_new() else { throw .unavailable("libudev gives no context", .current) }
    guard let source else {
      self.udev = udev
      monitor = nil
      descriptor = -1
      return
    }
    guard let monitor = udev_monitor_new_from_netlink(udev, source.rawValue) else {
      let error = Errno.current
      udev_unref(udev)
      throw .unavailable("libudev gives no monitor of source '\(source.rawValue)'", error)
    }
    for subsystem in subsystems {
      udev_monitor_filter_add_match_subsystem_devtype(monitor, subsystem, nil)
    }
    // A burst (a hub with ten adapters) must fit until the thread runs; root may go beyond the
    // system's limit, others get what that allows.
    udev_monitor_set_receive_buffer_size(monitor, 16 << 20)
    let status = udev_monitor_enable_receiving(monitor)
    guard status >= 0 else {
      udev_monitor_unref(monitor)
      udev_unref(udev)
      throw .unavailable(
        "libudev's monitor of source '\(source.rawValue)' does not start", Errno(-status))
    }
    self.udev = udev
    self.monitor = monitor
    descriptor = udev_monitor_get_fd(monitor)
  }

  deinit {
    if let monitor { udev_monitor_unref(monitor) }
    udev_unref(udev)
  }

  /// The devices of these subsystems, by path; one that goes meanwhile is left out.
  public func devices(subsystems: [String]) -> [HostDevice] {
    guard !subsystems.isEmpty else { return [] }
    return lock.withLock { _ in
      guard let enumeration = udev_enumerate_new(udev) else { return [] }
      defer { udev_enumerate_unref(enumeration) }
      for subsystem in subsystems { udev_enumerate_add_match_subsystem(enumeration, subsystem) }
      udev_enumerate_scan_devices(enumeration)
      var known: [String: HostDevice] = [:]
      var devices: [HostDevice] = []
      UDevContext.forEach(udev_enumerate_get_list_entry(enumeration)) { path, _ in
        guard let pointer = udev_device_new_from_syspath(udev, path) else { return }
        defer { udev_device_unref(pointer) }
        if let device = UDevContext.device(pointer, known: &known) { devices.append(device) }
      }
      return devices.sorted { $0.syspath < $1.syspath }
    }
  }

  /// The devices of a role.
  public func devices(_ role: DeviceRole) -> [HostDevice] {
    devices(subsystems: role.subsystems).filter(role.includes)
  }

  /// The device at a path below /sys; nil when there is none.
  public func device(syspath: String) -> HostDevice? {
    lock.withLock { _ in
      guard let pointer = udev_device_new_from_syspath(udev, syspath) else { return nil }
      defer { udev_device_unref(pointer) }
      var known: [String: HostDevice] = [:]
      return UDevContext.device(pointer, known: &known)
    }
  }

  /// What waits at the descriptor.
  enum Received {
    case event(action: String, HostDevice)
    /// Nothing, or nothing that is wanted.
    case nothing
    /// The kernel's buffer was full: events are lost.
    case overflow
  }

  /// Takes one event; does not wait.
  func receive() -> Received {
    lock.withLock { _ in
      guard let monitor else { return .nothing }
      errno = 0
      guard let pointer = udev_monitor_receive_device(monitor) else {
        return errno == ENOBUFS ? .overflow : .nothing
      }
      defer { udev_device_unref(pointer) }
      let action = udev_device_get_action(pointer).map { String(cString: $0) } ?? ""
      var known: [String: HostDevice] = [:]
      guard let device = UDevContext.device(pointer, known: &known) else { return .nothing }
      return .event(action: action, device)
    }
  }
}

extension UDevContext {
  /// Deepest line of ancestors that is followed; real ones have about 15.
  private static let depthLimit = 64

  /// The value of a device; `known` shares ancestors among those of one enumeration.
  private static func device(
    _ pointer: OpaquePointer, known: inout [String: HostDevice], depth: Int = 0
  ) -> HostDevice? {
    guard depth < depthLimit, let path = udev_device_get_syspath(pointer) else { return nil }
    let syspath = String(cString: path)
    if let device = known[syspath] { return device }
    // The parent belongs to its child: nothing to release.
    let parent = udev_device_get_parent(pointer).flatMap {
      device($0, known: &known, depth: depth + 1)
    }
    var properties: [String: String] = [:]
    forEach(udev_device_get_properties_list_entry(pointer)) { name, value in
      properties[String(cString: name)] = value.map { String(cString: $0) } ?? ""
    }
    var links: [String] = []
    forEach(udev_device_get_devlinks_list_entry(pointer)) { name, _ in
      links.append(String(cString: name))
    }
    // Where only an event told them, they are in a property alone.
    if links.isEmpty, let property = properties["DEVLINKS"] {
      links = property.split(separator: " ").map(String.init)
    }
    let subsystem = udev_device_get_subsystem(pointer).map { String(cString: $0) } ?? ""
    let type = udev_device_get_devtype(pointer).map { String(cString: $0) }
    let result = HostDevice(
      syspath: syspath, subsystem: subsystem, type: type,
      node: udev_device_get_devnode(pointer).map { String(cString: $0) },
      links: links.sorted(), properties: properties,
      attributes: HostDevice.identifyingAttributes(of: syspath, subsystem: subsystem, type: type),
      ancestors: parent.map { [$0] + $0.ancestors } ?? [],
      isInitialized: udev_device_get_is_initialized(pointer) > 0)
    known[syspath] = result
    return result
  }

  private static func forEach(
    _ list: OpaquePointer?, _ body: (UnsafePointer<CChar>, UnsafePointer<CChar>?) -> Void
  ) {
    var entry = list
    while let current = entry {
      if let name = udev_list_entry_get_name(current) {
        body(name, udev_list_entry_get_value(current))
      }
      entry = udev_list_entry_get_next(current)
    }
  }
}
