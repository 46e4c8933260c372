internal import KelvinDevices
public import KelvinModel
internal import KelvinSystem

/// The power of one port of a USB hub, for boards that are fed through it.
///
/// Requests and descriptors: USB 2.0, 11.24, and USB 3.2, 10.16; the attribute `disable`:
/// Documentation/ABI/testing/sysfs-bus-usb, from Linux 6.0.
public final class USBHubSwitch: PowerSwitch {
  public static let declaration = Declaration(
    .power, "usb-hub",
    summary: "A port of a USB hub that switches the power of each port.",
    description: """
      Both halves of a USB 3 hub are switched, since the port is fed as long as one of them feeds it. \
      The kernel's own switch is used where there is one (Linux 6.0 and later), else requests to the \
      hub itself. A hub that says that it cannot switch its ports one by one is refused.

      The state is what the hub says of its port, which is what it was told: hubs are sold whose ports \
      say that they are off and feed on. Let a meter watch the board where it matters.
      """,
    options: USBDeviceChoice.options("hub") + [
      OptionDeclaration(
        "port", .integer, required: true, range: 1...255, "Which of the hub's ports, from 1.")
    ], verified: "emulated device only")

  private let choice: USBDeviceChoice
  private let port: Int
  private let host: PowerHost

  public init(_ choice: DriverChoice, host: PowerHost) throws(PowerFailure) {
    let options = DriverOptions(choice, Self.declaration)
    self.choice = try USBDeviceChoice(options)
    guard let port = options.integer("port"), (1...255).contains(port) else {
      throw PowerFailure(.configuration, "'port' is missing", hint: "count from 1, as the kernel")
    }
    self.port = port
    self.host = host
  }

  public func set(_ state: PowerState, until deadline: Deadline) async throws(PowerFailure) {
    let halves = try await halves(deadline)
    // A device that can do both speeds would move to the half that is still fed, or was fed first:
    // it is to leave with the faster one, and to come back there.
    let isFast = { (half: USBHubPort) in half.hub.isSuperSpeed }
    let ordered =
      halves.filter { isFast($0) == (state == .on) }
      + halves.filter { isFast($0) != (state == .on) }
    for half in ordered { try await half.set(state, until: deadline) }
    for half in ordered where try await half.state(until: deadline) != state {
      throw PowerFailure(
        .infrastructure, "\(half): switched \(state.rawValue), but the hub says otherwise",
        hint: "is another program switching this hub?")
    }
  }

  public func state(until deadline: Deadline) async throws(PowerFailure) -> PowerReading {
    for half in try await halves(deadline) where try await half.state(until: deadline) == .on {
      return PowerReading(.on, .commanded)
    }
    return PowerReading(.off, .commanded)
  }

  /// The port, and the same socket's port at the hub's other half, both known to switch.
  private func halves(_ deadline: Deadline) async throws(PowerFailure) -> [USBHubPort] {
    let info = try choice.find(host)
    guard info.isHub else {
      throw PowerFailure(
        .configuration, "\(info) is no hub", hint: "name the hub that the board is plugged into")
    }
    let context = try await powered { () throws(USBFailure) in try USBContext() }
    let port = try USBHubPort(info, port, context: context, host: host)
    try await port.requireSwitch(until: deadline)
    guard let other = try await port.peer(until: deadline) else { return [port] }
    try await other.requireSwitch(until: deadline)
    return [port, other]
  }
}
