internal import KelvinDevices
internal import KelvinModel
internal import KelvinSystem

/// The serial port of an Energy Probe while it is open. Used by one thread at a time.
struct EnergyProbePort: Sendable {
  let name: String
  let line: SerialPort

  /// Where Energy Probes are plugged in.
  static let places = MeterPlaces(driver: "arm-energy-probe", title: "Arm Energy Probe")

  /// How long an answer may take, in seconds: a full-speed device answers within milliseconds.
  private static let patience = 1.0
  /// How long nothing comes when nothing will, in seconds: a thousand frames would have come.
  private static let silence = 0.1
  /// How often it is asked to begin anew, and how long each time, in seconds.
  private static let attempts = 2
  private static let attempt = 0.5

  /// Finds the port and opens it: the one at a path; that of a match; else of the only probe there is.
  init(
    name: String, path: String?, match: DeviceMatch?, until deadline: Deadline
  ) throws(MeterFailure) {
    self.name = name
    do throws(DeviceFailure) {
      let place = try Self.places.serialPort(path: path, match: match)
      line = try SerialPort(path: place, baud: 115_200, patience: 1, until: deadline)
    } catch { throw MeterFailure(error, of: name) }
  }

  private func send(_ bytes: [UInt8], until deadline: Deadline) throws(MeterFailure) {
    do throws(DeviceFailure) {
      try line.write(bytes, until: deadline)
    } catch { throw MeterFailure(error, of: name) }
  }

  /// What comes within a time; nil when nothing does.
  private func receive(until deadline: Deadline) throws(MeterFailure) -> [UInt8]? {
    do throws(DeviceFailure) {
      return try line.read(until: deadline)
    } catch { throw MeterFailure(error, of: name) }
  }

  /// Ends whatever it was told and did before, and throws away what was on its way: a predecessor that was
  /// killed has left it measuring.
  ///
  /// Saturated values are 0xff as its answer is: so all is read until nothing more comes, and the answer must
  /// stand at the end.
  ///
  /// - Throws: `timedOut` when nothing answers; `malfunction` when something else does, or it goes on
  ///   sending.
  func sync(until deadline: Deadline) throws(MeterFailure) {
    var last: [UInt8] = []
    for _ in 0..<Self.attempts {
      try send(EnergyProbeCommand.sync, until: deadline)
      let heard = try quiet(until: deadline)
      if EnergyProbeAnswer.isSynced(heard) { return }
      if !heard.isEmpty { last = heard }
    }
    guard !last.isEmpty else {
      throw MeterFailure(
        .timedOut, "\(name): \(line.path) does not answer", hint: "is it an Energy Probe?")
    }
    throw MeterFailure(
      .malfunction, "\(name): \(line.path) answers, but not as an Energy Probe does",
      evidence: Excerpt.of(last.suffix(80)), hint: "another device may have this port")
  }

  /// The end of what comes until nothing more does: as much as an answer can have.
  private func quiet(until deadline: Deadline) throws(MeterFailure) -> [UInt8] {
    let limit = deadline.limited(toSeconds: Self.patience)
    var heard = try receive(until: limit.limited(toSeconds: Self.attempt)) ?? []
    while let more = try receive(until: limit.limited(toSeconds: Self.silence)) {
      heard = (heard + more).suffix(512)
      guard !limit.hasPassed else {
        throw MeterFailure(
          .malfunction, "\(name): \(line.path): it goes on sending after it was told to begin anew",
          hint: "is it an Energy Probe?")
      }
    }
    return heard
  }

  /// Sends a command, and gives what follows its acknowledgment.
  ///
  /// - Throws: `timedOut`, or `malfunction` for another answer.
  @discardableResult
  func ask(
    _ command: EnergyProbeCommand, _ content: EnergyProbeAnswer.Content = .nothing,
    until deadline: Deadline
  ) throws(MeterFailure) -> [UInt8] {
    try send(command.bytes, until: deadline)
    let limit = deadline.limited(toSeconds: Self.patience)
    var heard: [UInt8] = []
    while let more = try receive(until: limit) {
      heard += more
      switch EnergyProbeAnswer(heard, content) {
      case .incomplete: continue
      case .whole(let bytes): return bytes
      case .wrong:
        throw MeterFailure(
          .malfunction,
          "\(name): \(line.path): asked for \(command.name), it answers something else",
          evidence: Excerpt.hex(heard),
          hint: "another device, or another program, may have this port")
      }
    }
    let what = heard.isEmpty ? "does not answer" : "stops in its answer"
    throw MeterFailure(
      .timedOut, "\(name): \(line.path): asked for \(command.name), it \(what)",
      evidence: Excerpt.hex(heard), hint: "unplug it and plug it in again")
  }

  /// What it is; it must be in sync.
  ///
  /// - Throws: `unsupported` for another firmware than caiman takes.
  func identify(until deadline: Deadline) throws(MeterFailure) -> (vendor: String, version: UInt32)
  {
    let version = EnergyProbeAnswer.number(try ask(.version, .number, until: deadline))
    guard version == EnergyProbeLimits.version else {
      throw MeterFailure(
        .unsupported,
        "\(name): its firmware speaks version \(version), not \(EnergyProbeLimits.version)",
        hint: "Arm's caiman repository has the firmware, energy_probe/emeter_firmware.bin")
    }
    let vendor = try ask(.vendor, .text, until: deadline)
    let rate = EnergyProbeAnswer.number(try ask(.rate, .number, until: deadline))
    guard rate == EnergyProbeLimits.rate else {
      throw MeterFailure(
        .unsupported, "\(name): it takes \(rate) samples a second, not \(EnergyProbeLimits.rate)",
        hint: "no other is known of any firmware")
    }
    return (Excerpt.of(vendor), version)
  }

  /// Says which fields of which channels it is to send; it is silent behind it.
  func choose(_ ports: [EnergyProbeOptions.Port], until deadline: Deadline) throws(MeterFailure) {
    try sync(until: deadline)
    for channel in 0..<EnergyProbeLimits.channels {
      let mask = ports.first { $0.number == channel }?.mask ?? 0
      try ask(.fields(channel: channel, mask: mask), until: deadline)
    }
  }

  /// Makes it send frames: what comes next is the first byte of the first one.
  func start(until deadline: Deadline) throws(MeterFailure) {
    try send(EnergyProbeCommand.start.bytes, until: deadline)
    let limit = deadline.limited(toSeconds: Self.patience)
    var byte: [UInt8] = [0]
    // Byte by byte: frames may stand right behind the acknowledgment.
    repeat {
      guard limit.wait(for: line.descriptor) == .ready else {
        throw MeterFailure(
          limit.isInterrupted ? .interrupted : .timedOut,
          "\(name): \(line.path): told to start, it does not acknowledge it",
          hint: "unplug it and plug it in again")
      }
      do throws(DeviceFailure) {
        _ = try line.read(into: &byte)
      } catch { throw MeterFailure(error, of: name) }
    } while byte[0] == 0
    guard byte[0] == EnergyProbeCommand.acknowledgment else {
      throw MeterFailure(
        .malfunction, "\(name): \(line.path): told to start, it answers something else",
        evidence: Excerpt.hex(byte), hint: "another device, or another program, may have this port")
    }
  }

  /// Makes it stop; the acknowledgment comes among the frames.
  func stop() throws(MeterFailure) {
    try send(EnergyProbeCommand.stop.bytes, until: .after(seconds: 2))
  }
}
