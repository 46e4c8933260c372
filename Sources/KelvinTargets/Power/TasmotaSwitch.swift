internal import KelvinConnections
internal import KelvinDevices
public import KelvinModel

/// A plug or relay with the Tasmota firmware, over HTTP.
///
/// Protocol (tasmota.github.io/docs/Commands): `GET /cm?cmnd=Power2%20On` answers `{"POWER2":"ON"}`,
/// a device with one output `{"POWER":"ON"}`; without a value it tells the state. Wrong credentials
/// answer `{"WARNING": ...}`, an unknown command `{"Command":"Unknown"}`, both with status 200 on
/// older firmware.
public struct TasmotaSwitch: PowerSwitch {
  public static let declaration = Declaration(
    .power, "tasmota", summary: "An output of a plug or relay with the Tasmota firmware.",
    description: """
      The device answers with the state that it drives the relay to; an answer for another output, \
      or with the other state, is an error. The state is commanded.

      Tasmota takes its password in the URL of a plain HTTP request: keep such plugs in a network of \
      their own.
      """,
    options: HTTPDevice.options(port: 80) + HTTPDevice.credentials + [
      .output("output", of: 1...32)
    ], verified: "emulated device only")

  private let device: HTTPDevice
  private let output: Int

  public init(_ choice: DriverChoice, host: PowerHost) throws(PowerFailure) {
    let options = DriverOptions(choice, Self.declaration)
    device = try HTTPDevice(options, port: 80)
    output = options.integer("output") ?? 1
  }

  public func set(_ state: PowerState, until deadline: Deadline) async throws(PowerFailure) {
    let answer = try await send(state == .on ? "On" : "Off", deadline)
    guard answer == state else {
      throw PowerFailure(
        .infrastructure,
        "\(device.base): output \(output) was switched \(state.rawValue) and answers "
          + answer.rawValue, hint: "does a rule, timer or interlock of the plug switch it back?")
    }
    // The answer to a command may be given before the relay's state is.
    let seen = try await send(nil, deadline)
    guard seen == state else {
      throw PowerFailure(
        .infrastructure,
        "\(device.base): output \(output) acknowledged \(state.rawValue) and is \(seen.rawValue)",
        hint: "does a rule, timer or interlock of the plug switch it back?")
    }
  }

  public func state(until deadline: Deadline) async throws(PowerFailure) -> PowerReading {
    PowerReading(try await send(nil, deadline), .commanded)
  }

  private func send(
    _ value: String?, _ deadline: Deadline
  ) async throws(PowerFailure) -> PowerState {
    var target = "/cm?"
    if let password = device.password {
      target += "user=\(HTTPURL.encode(device.user))"
      target += "&password=\(HTTPURL.encode(try password.read()))&"
    }
    target += "cmnd=" + HTTPURL.encode("Power\(output)" + (value.map { " " + $0 } ?? ""))
    let answer = try await device.object(target, sendsBasic: true, until: deadline)
    if answer["WARNING"] != nil {
      throw PowerFailure(
        .configuration, "\(device.base): it wants another user or password",
        hint: "set 'user' and 'password-from'")
    }
    let text = answer["POWER\(output)"] ?? (output == 1 ? answer["POWER"] : nil)
    switch text?.text?.uppercased() {
    case "ON": return .on
    case "OFF": return .off
    default:
      throw PowerFailure(
        .infrastructure, "\(device.base): its answer does not tell output \(output)",
        evidence: Excerpt.of(Array(Value.map(answer).json.utf8)),
        hint: "is it a Tasmota device, with that many outputs?")
    }
  }
}
