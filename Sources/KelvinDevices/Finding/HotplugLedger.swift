/// What is plugged in, as far as those who listen have been told: a value that turns what udev says
/// into events, so that it can be tested without any device.
struct HotplugLedger {
  /// Most vanished devices that are remembered, the latest.
  static let memory = 256

  private(set) var present: [String: (device: HostDevice, identity: DeviceIdentity)] = [:]
  private var gone: [DeviceIdentity] = []

  /// Starts with what is plugged in.
  init(_ devices: [HostDevice]) {
    for device in devices {
      present[device.syspath] = (device, DeviceIdentity(device, among: devices))
    }
  }

  /// What udev's event means; nil when it tells nothing new.
  func event(for action: String, _ device: HostDevice) -> HotplugEvent? {
    let known = present[device.syspath]
    switch action {
    case "remove": return known.map { HotplugEvent(.vanished, $0.device, identity: $0.identity) }
    case "unbind", "offline":
      // The USB device's properties are missing from this event, not from the device: what was
      // known stays.
      return known.map { HotplugEvent(.changed, $0.device, identity: $0.identity) }
    default:
      // add, change, bind, move, online; and an "add" of what is known: udevadm trigger, or it came
      // while the first look was taken.
      let identity = DeviceIdentity(device, among: present.values.map(\.device))
      if let known, known.identity == identity || action != "add" {
        return known.device == device ? nil : HotplugEvent(.changed, device, identity: identity)
      }
      return HotplugEvent(
        gone.contains(identity) ? .returned : .appeared, device, identity: identity)
    }
  }

  /// Takes an event that was told into account.
  mutating func apply(_ event: HotplugEvent) {
    switch event.action {
    case .vanished:
      present[event.device.syspath] = nil
      gone.removeAll { $0 == event.identity }
      gone.append(event.identity)
      if gone.count > HotplugLedger.memory { gone.removeFirst() }
    case .appeared, .returned, .changed:
      present[event.device.syspath] = (event.device, event.identity)
      gone.removeAll { $0 == event.identity }
    }
  }

  /// The events that lead from what is known to what is there: those of lost events, as far as they
  /// still matter.
  func events(leadingTo devices: [HostDevice]) -> [HotplugEvent] {
    let here = Dictionary(devices.map { ($0.syspath, $0) }) { _, last in last }
    var ledger = self
    var events: [HotplugEvent] = []
    func tell(_ action: String, _ device: HostDevice) {
      guard let event = ledger.event(for: action, device) else { return }
      ledger.apply(event)
      events.append(
        HotplugEvent(event.action, event.device, identity: event.identity, isFromRescan: true))
    }
    for (syspath, known) in present.sorted(by: { $0.key < $1.key }) {
      // Gone, or another device came to the same path meanwhile.
      let isSame = here[syspath].map { DeviceIdentity($0, among: devices) == known.identity }
      if isSame != true { tell("remove", known.device) }
    }
    for device in devices { tell("add", device) }
    return events
  }
}
