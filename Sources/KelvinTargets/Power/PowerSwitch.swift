package import KelvinDevices
public import KelvinModel
internal import KelvinSystem

/// What can cut a board's power, or hold it in reset.
///
/// One small file for each kind. Calls block the calling thread until the device has answered, and
/// are made by one thread at a time.
public protocol PowerSwitch: Sendable {
  /// Of kind ``Declaration/Kind/power``: what stands in a bench file, and `kelvin show power NAME`.
  static var declaration: Declaration { get }

  /// Whether this process holds a line whose level is only certain meanwhile: when it ends, the board
  /// may lose power or leave reset. Not where the owner of ports holds it.
  var holdsLine: Bool { get }

  /// Prepares a switch; the device is looked for and opened by the first call, not here.
  ///
  /// - Throws: of kind configuration, when options contradict each other.
  init(_ choice: DriverChoice, host: PowerHost) throws(PowerFailure)

  /// Switches, and returns when the device has acknowledged it.
  func set(_ state: PowerState, until deadline: Deadline) async throws(PowerFailure)

  /// What the board's supply is now.
  func state(until deadline: Deadline) async throws(PowerFailure) -> PowerReading

  /// Off for this long, then on. Switches that can do so in one step override it.
  func cycle(offSeconds: Double, until deadline: Deadline) async throws(PowerFailure)
}

extension PowerSwitch {
  public var holdsLine: Bool { false }

  public func cycle(offSeconds: Double, until deadline: Deadline) async throws(PowerFailure) {
    try await setOffAndOn(offSeconds, until: deadline)
  }

  /// ``cycle(offSeconds:until:)`` in two steps.
  ///
  /// - Throws: when the board stays off, a failure that says so.
  func setOffAndOn(_ offSeconds: Double, until deadline: Deadline) async throws(PowerFailure) {
    try await set(.off, until: deadline)
    _ = deadline.limited(toSeconds: offSeconds).wait()
    try await setOnAgain(until: deadline)
  }

  /// Switches on what was switched off.
  ///
  /// - Throws: when the board stays off, a failure that says so.
  func setOnAgain(until deadline: Deadline) async throws(PowerFailure) {
    if deadline.isInterrupted {
      throw PowerFailure(
        .infrastructure, "stopped after it was switched off", leavesOff: true)
    }
    if deadline.hasPassed {
      throw PowerFailure(
        .timeout, "it was switched off, and there was no time left to switch it on again",
        leavesOff: true)
    }
    do {
      try await set(.on, until: deadline)
    } catch {
      throw PowerFailure(
        error.kind, "switched off, but not on again: \(error.message)", evidence: error.evidence,
        hint: error.hint, leavesOff: true)
    }
  }
}

/// What is asked of a switch.
public enum PowerState: String, Sendable, Hashable, CaseIterable { case on, off }

/// What a switch says of its output.
public struct PowerReading: Sendable, Hashable {
  public enum Source: String, Sendable {
    /// Read from a contact, a voltage or a current behind the switch.
    case measured
    /// What the device was last told; nothing shows that the board's supply followed.
    case commanded
  }

  /// Nil: the device cannot tell.
  public var state: PowerState?
  public var source: Source

  /// Creates a reading.
  public init(_ state: PowerState?, _ source: Source) {
    self.state = state
    self.source = source
  }
}

/// What switches need of this host, so that tests need no device.
public struct PowerHost: Sendable {
  /// Where sysfs is: `/sys`, or a recorded tree.
  public var sysfs: String
  /// Where device nodes are.
  public var dev: String
  /// The device node of the serial port that a match means.
  public var resolve: @Sendable (DeviceMatch) throws(PowerFailure) -> String
  /// The device node of the USB device that a match means, or of something that belongs to it.
  public var resolveUSB: @Sendable (DeviceMatch) throws(PowerFailure) -> String
  /// Holds lines on when this process is gone; nil: nobody does.
  package var keeper: LineKeeper?
  /// What a line that is held is called: `rock.power`.
  package var lineName = "line"
  /// Takes what a user should know although nothing failed: one sentence.
  public var warn: @Sendable (String) -> Void

  /// Creates a host.
  public init(
    sysfs: String = "/sys", dev: String = "/dev",
    resolve: @escaping @Sendable (DeviceMatch) throws(PowerFailure) -> String = PowerHost.byUDev,
    resolveUSB: @escaping @Sendable (DeviceMatch) throws(PowerFailure) -> String =
      PowerHost.usbByUDev,
    warn: @escaping @Sendable (String) -> Void = { _ in }
  ) {
    self.sysfs = sysfs
    self.dev = dev
    self.resolve = resolve
    self.resolveUSB = resolveUSB
    self.warn = warn
  }

  /// Refuses every match: where only paths name devices.
  public static let noMatcher: @Sendable (DeviceMatch) throws(PowerFailure) -> String = {
    (match) throws(PowerFailure) in
    throw PowerFailure(
      .configuration, "\(match): devices are not looked for here", hint: "name it by 'path'")
  }
}

/// A switch that could not be found, opened or switched.
public struct PowerFailure: Failure, Hashable {
  public let kind: FailureKind
  public let message: String
  public let evidence: String
  public let hint: String
  /// The board was switched off on the way, and is not known to be on again.
  public let leavesOff: Bool

  /// Creates a failure; the message starts with the switch: `power of 'rock' (usb-hub): ...`.
  public init(
    _ kind: FailureKind = .infrastructure, _ message: String, evidence: String = "",
    hint: String = "", leavesOff: Bool = false
  ) {
    self.kind = kind
    self.message = message
    self.evidence = evidence
    self.hint = hint
    self.leavesOff = leavesOff
  }

  /// What something below could not do.
  package init(_ failure: PlainFailure) {
    self.init(failure.kind, failure.message, evidence: failure.evidence, hint: failure.hint)
  }

  /// The same failure, said of what was being switched: `power of 'rock' (lcus): ...`.
  ///
  /// - Parameter remedy: what to do about a board that was left off.
  public func of(_ subject: String, remedy: String = "") -> PowerFailure {
    let hints = [hint, leavesOff ? remedy : ""].filter { !$0.isEmpty }
    return PowerFailure(
      kind, "\(subject): \(message)", evidence: evidence, hint: hints.joined(separator: "; "),
      leavesOff: leavesOff)
  }

  /// A deadline's end: a timeout, or the interrupt.
  package init(waitingFor what: String, _ deadline: Deadline, hint: String = "") {
    if deadline.isInterrupted {
      self.init(.infrastructure, "\(what): stopped while waiting")
    } else {
      self.init(.timeout, "\(what): no answer in time", hint: hint)
    }
  }
}
