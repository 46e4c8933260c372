public import KelvinModel

/// A QEMU machine, switched through its monitor (QMP).
///
/// A machine that is off is one that waits for its first instruction with nothing left of its life
/// before: QEMU's run state `prelaunch`, which a reset leaves a stopped machine in. QEMU itself keeps
/// that state, so every program sees it. A machine that is merely `paused` is on, and hangs.
public struct QMPSwitch: PowerSwitch {
  public static let declaration = Declaration(
    .power, "qmp", aliases: ["qemu"], summary: "A QEMU machine, through its monitor (QMP).",
    description: """
      'off' stops the machine and resets it, so that nothing of its state is left; 'on' lets it run \
      from its first instruction; 'cycle' resets it. A machine that QEMU has paused is on: it hangs. \
      A machine whose QEMU has ended, leaving its socket, is off, and cannot be switched on from here.

      The monitor takes one client at a time, so give Kelvin its own: \
      -qmp unix:PATH,server=on,wait=off. The machine must not be started with -no-reboot.
      """,
    options: [
      OptionDeclaration("socket", .path, required: true, "The monitor's unix socket.")
    ], verified: "QEMU 7.2")

  private let socket: String
  private let host: PowerHost

  public init(_ choice: DriverChoice, host: PowerHost) throws(PowerFailure) {
    socket = try DriverOptions(choice, Self.declaration).required("socket")
    self.host = host
  }

  public func set(_ state: PowerState, until deadline: Deadline) async throws(PowerFailure) {
    guard let monitor = try connect(deadline) else {
      if state == .off { return }
      throw PowerFailure(
        .infrastructure, "\(socket): its QEMU has ended",
        hint: "start the machine again; its monitor cannot do that")
    }
    switch state {
    case .off:
      if try monitor.state(until: deadline).power == .off { return }
      try monitor.execute("stop", until: deadline)
      try monitor.reset(until: deadline)
    case .on:
      let run = try monitor.state(until: deadline)
      if run.power == .on { return }
      // A machine that shut itself down must begin anew.
      if run.name == "shutdown" { try monitor.reset(until: deadline) }
      try monitor.execute("cont", until: deadline)
    }
    let seen = try monitor.state(until: deadline)
    guard seen.power == state else {
      throw PowerFailure(
        .infrastructure, "\(socket): switched \(state.rawValue), but QEMU says '\(seen.name)'")
    }
  }

  public func cycle(offSeconds: Double, until deadline: Deadline) async throws(PowerFailure) {
    guard let monitor = try connect(deadline) else {
      throw PowerFailure(
        .infrastructure, "\(socket): its QEMU has ended",
        hint: "start the machine again; its monitor cannot do that")
    }
    try monitor.reset(until: deadline)
    // A machine that was stopped or had crashed waits after its reset.
    if try monitor.state(until: deadline).name != "running" {
      try monitor.execute("cont", until: deadline)
    }
    let seen = try monitor.state(until: deadline)
    guard seen.power == .on else {
      throw PowerFailure(.infrastructure, "\(socket): reset, but QEMU says '\(seen.name)'")
    }
  }

  public func state(until deadline: Deadline) async throws(PowerFailure) -> PowerReading {
    guard let monitor = try connect(deadline) else { return PowerReading(.off, .measured) }
    return PowerReading(try monitor.state(until: deadline).power, .measured)
  }

  /// Nil when the socket is there and no QEMU listens on it any more.
  private func connect(_ deadline: Deadline) throws(PowerFailure) -> QMPMonitor? {
    try QMPMonitor.connect(to: socket, warn: host.warn, until: deadline)
  }
}
