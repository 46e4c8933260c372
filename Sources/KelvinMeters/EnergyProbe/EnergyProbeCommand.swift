/// What an Energy Probe is told: single bytes, each acknowledged by ``acknowledgment``, which zeros may
/// precede.
///
/// Source: ARM-software/caiman, caiman/EnergyProbe.cpp.
enum EnergyProbeCommand: Sendable, Hashable {
  /// Is answered with ``EnergyProbeLimits/version``, 32 bits, the lowest byte first.
  case version
  /// Is answered with text that a zero ends.
  case vendor
  /// Is answered with samples a second, 32 bits.
  case rate
  /// Which fields of a channel are sent: see ``EnergyProbeField/mask``.
  case fields(channel: Int, mask: UInt8)
  /// Frames come from now on.
  case start
  /// Its acknowledgment comes among the frames, and nobody waits for it.
  case stop

  var bytes: [UInt8] {
    switch self {
    case .version: [0x01]
    case .vendor: [0x03]
    case .rate: [0x05]
    case .fields(let channel, let mask): [0x07, UInt8(truncatingIfNeeded: channel), mask]
    case .start: [0x09]
    case .stop: [0x0b]
    }
  }

  /// For messages.
  var name: String {
    switch self {
    case .version: "its version"
    case .vendor: "its vendor"
    case .rate: "its rate"
    case .fields(let channel, _): "the fields of channel \(channel)"
    case .start: "to start"
    case .stop: "to stop"
    }
  }

  static let acknowledgment: UInt8 = 0xac
  /// Nine zeros end whatever command was begun, and 0xff resets it.
  static let sync: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff]
  /// What it answers to ``sync``, behind whatever was on its way.
  static let synced = [UInt8](repeating: 0xff, count: 8)
}

/// What an Energy Probe measures of a channel, in the order in which a frame has it.
///
/// The order is that of ARM-software/caiman, caiman/SessionData.cpp (compileData), the masks those of
/// caiman/EnergyProbe.cpp.
enum EnergyProbeField: String, Sendable, Hashable, CaseIterable {
  case power, voltage, current

  var mask: UInt8 {
    switch self {
    case .power: 1
    case .voltage: 2
    case .current: 4
    }
  }
}

/// What an Energy Probe can do.
enum EnergyProbeLimits {
  /// Of its firmware's protocol, the only one that caiman speaks.
  static let version: UInt32 = 20_110_803
  /// Frames a second, the only rate that caiman takes.
  static let rate: UInt32 = 10_000
  /// From frame to frame, in nanoseconds.
  static let period: Int64 = 100_000
  static let channels = 3
  /// Of a shunt, in ohms (ARM-software/devlib, doc/instrumentation.rst).
  static let shunt = 0.005...0.5
  /// That may drop over a shunt at most, in volts (ARM-software/devlib, doc/instrumentation.rst).
  static let drop = 0.165
}
