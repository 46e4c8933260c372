internal import KelvinConnections
public import KelvinModel

/// A port of any PDU that pdudaemon drives, over its HTTP interface.
///
/// Protocol (pdudaemon/httplistener.py, version 0.0.8): `GET /power/control/on?hostname=PDU&port=N`,
/// `off` likewise, or `?alias=NAME`; answered with 200 after the PDU was driven, or given up on: a job
/// that failed five times is answered with 200 as well. 500 means that it does not know the PDU. There
/// is no question for the state.
public struct PDUDaemonSwitch: PowerSwitch {
  public static let declaration = Declaration(
    .power, "pdudaemon", summary: "A port of a PDU, through a pdudaemon service.",
    description: """
      pdudaemon knows many PDUs, and answers 'OK' also when the PDU did not obey; nothing tells the \
      state. It is commanded, and only Kelvin remembers it while it runs: let a meter watch the board.
      """,
    options: [
      OptionDeclaration("host", .text, default: "127.0.0.1", "Where pdudaemon listens."),
      OptionDeclaration("port", .integer, default: 16_421, range: 1...65_535, "Its TCP port."),
      OptionDeclaration("pdu", .text, "The PDU's name in pdudaemon's configuration."),
      OptionDeclaration("outlet", .text, "The PDU's port that feeds the board."),
      OptionDeclaration("alias", .text, "An alias of pdudaemon's, instead of 'pdu' and 'outlet'.")
    ], verified: "pdudaemon 0.0.8 of Debian 12 with its localcmdline driver")

  private let device: HTTPDevice
  private let query: String
  private let memory = CommandedState()

  public init(_ choice: DriverChoice, host: PowerHost) throws(PowerFailure) {
    let options = DriverOptions(choice, Self.declaration)
    device = try HTTPDevice(options, port: 16_421)
    switch (options.text("alias"), options.text("pdu"), options.text("outlet")) {
    case (let alias?, nil, nil): query = "alias=\(HTTPURL.encode(alias))"
    case (nil, let pdu?, let outlet?):
      query = "hostname=\(HTTPURL.encode(pdu))&port=\(HTTPURL.encode(outlet))"
    default:
      throw PowerFailure(.configuration, "either 'alias', or 'pdu' and 'outlet' must be there")
    }
  }

  public func set(_ state: PowerState, until deadline: Deadline) async throws(PowerFailure) {
    let response: HTTPResponse
    do {
      response = try await device.get(
        "/power/control/\(state.rawValue)?\(query)", until: deadline)
    } catch {
      guard error.message.hasSuffix("answered 500") else { throw error }
      throw PowerFailure(
        .configuration, "\(device.base): pdudaemon refuses '\(query)'", evidence: error.evidence,
        hint: "is it under 'pdus' or 'aliases' in pdudaemon.conf?")
    }
    guard response.text.hasPrefix("OK") else {
      throw PowerFailure(
        .infrastructure, "\(device.base): this is no pdudaemon", evidence: response.excerpt)
    }
    memory.value = state
  }

  public func state(until deadline: Deadline) async throws(PowerFailure) -> PowerReading {
    PowerReading(memory.value, .commanded)
  }
}
