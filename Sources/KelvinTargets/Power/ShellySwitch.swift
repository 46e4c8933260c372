internal import KelvinDevices
public import KelvinModel
internal import Synchronization

/// A Shelly plug or relay, over HTTP, of either kind of interface.
///
/// Protocol (shelly-api-docs.shelly.cloud): `GET /shelly` tells the generation without a password.
/// Generation 1: `/relay/N?turn=on` answers `{"ison":true,...}`, basic authentication. Generation 2
/// and later: `/rpc/Switch.Set?id=N&on=true` answers `{"was_on":...}`, `/rpc/Switch.GetStatus?id=N`
/// answers `{"id":N,"output":...,"apower":...}`, digest authentication with SHA-256 (RFC 7616).
public final class ShellySwitch: PowerSwitch {
  public static let declaration = Declaration(
    .power, "shelly", summary: "An output of a Shelly plug or relay, generation 1, 2 and later.",
    description: """
      The generation is asked for. After switching, the state is read back, and an output that did \
      not follow is an error. What a device with a power meter draws is read as well: from half a \
      watt on the state is measured, and an output that is off while power flows reads on; else the \
      state is commanded, since a sleeping board draws less than these meters see.
      """,
    options: HTTPDevice.options(port: 80) + HTTPDevice.credentials + [
      OptionDeclaration(
        "output", .integer, default: 0, range: 0...15,
        "Which of its outputs, from 0 as in its own interface.")
    ], verified: "emulated device only")

  private enum Generation { case first, later }

  private let device: HTTPDevice
  private let output: Int
  private let generation = Mutex<Generation?>(nil)
  /// Watts; these meters' own offset is a few tenths.
  private static let flows = 0.5

  public init(_ choice: DriverChoice, host: PowerHost) throws(PowerFailure) {
    let options = DriverOptions(choice, Self.declaration)
    device = try HTTPDevice(options, port: 80)
    output = options.integer("output") ?? 0
  }

  public func set(_ state: PowerState, until deadline: Deadline) async throws(PowerFailure) {
    let generation = try await findGeneration(deadline)
    let target =
      generation == .first
      ? "/relay/\(output)?turn=\(state.rawValue)"
      : "/rpc/Switch.Set?id=\(output)&on=\(state == .on)"
    _ = try await device.object(target, sendsBasic: generation == .first, until: deadline)
    let seen = try await status(generation, deadline).output
    guard seen == (state == .on) else {
      throw PowerFailure(
        .infrastructure,
        "\(device.base): output \(output) was switched \(state.rawValue) and did not follow",
        hint: "does a script, timer or overload protection of the plug switch it back?")
    }
  }

  public func state(until deadline: Deadline) async throws(PowerFailure) -> PowerReading {
    let status = try await status(try await findGeneration(deadline), deadline)
    if let watts = status.watts, watts >= Self.flows { return PowerReading(.on, .measured) }
    return PowerReading(status.output ? .on : .off, .commanded)
  }

  private func status(
    _ generation: Generation, _ deadline: Deadline
  ) async throws(PowerFailure) -> (output: Bool, watts: Double?) {
    let isFirst = generation == .first
    let answer = try await device.object(
      isFirst ? "/relay/\(output)" : "/rpc/Switch.GetStatus?id=\(output)", sendsBasic: isFirst,
      until: deadline)
    guard let isOn = answer[isFirst ? "ison" : "output"]?.boolean,
      isFirst || answer["id"]?.integer == Int64(output)
    else {
      throw PowerFailure(
        .infrastructure, "\(device.base): its answer does not tell output \(output)",
        evidence: Excerpt.of(Array(Value.map(answer).json.utf8)),
        hint: "has it that many outputs?")
    }
    return (isOn, answer["apower"]?.number)
  }

  private func findGeneration(_ deadline: Deadline) async throws(PowerFailure) -> Generation {
    if let known = generation.withLock({ $0 }) { return known }
    let answer = try await device.object("/shelly", until: deadline)
    let found: Generation
    if let number = answer["gen"]?.integer, number >= 2 {
      found = .later
    } else if answer["type"]?.text != nil, answer["gen"] == nil {
      found = .first
    } else {
      throw PowerFailure(
        .infrastructure, "\(device.base): this is no Shelly device",
        evidence: Excerpt.of(Array(Value.map(answer).json.utf8)))
    }
    generation.withLock { $0 = found }
    return found
  }
}
