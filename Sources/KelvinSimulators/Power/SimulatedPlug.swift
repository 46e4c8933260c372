internal import KelvinModel
internal import Synchronization

/// A plug or PDU with an HTTP interface.
package final class SimulatedPlug: SimulatedDevice {
  package enum Model: Sendable, Hashable {
    case tasmota(password: String?)
    case shelly1
    case shelly2
    case pdudaemon
    /// Nobody's: `PUT /outlet/N` with `{"power":"on"}`, `GET /outlet/N`, a token in `X-Token`.
    case plain(token: String?)
  }

  private struct State {
    var outputs: [Bool]
    var watts = 0.0
    var fault = DeviceFault.none
    var requests: [String] = []
    var meter: PlugMeter?
  }
  private let model: Model
  private let changed: @Sendable (_ index: Int, _ isOn: Bool) -> Void
  private let state: Mutex<State>
  package let closesAfterAnswer = true

  /// - Parameters:
  ///   - outputs: how many, all off; on where it has a meter.
  ///   - meter: what it measures; nil: a second generation's Shelly tells ``watts``, and the rest nothing.
  ///   - changed: hears of each that was switched, by its place from 0, on the server's thread.
  package init(
    _ model: Model, outputs: Int = 2, meter: PlugMeter? = nil,
    changed: @escaping @Sendable (_ index: Int, _ isOn: Bool) -> Void = { _, _ in }
  ) {
    self.model = model
    self.changed = changed
    state = Mutex(
      State(outputs: [Bool](repeating: meter != nil, count: outputs), meter: meter))
  }

  package var outputs: [Bool] { state.withLock { $0.outputs } }
  /// The first lines of all requests so far.
  package var requests: [String] { state.withLock { $0.requests } }
  package var fault: DeviceFault {
    get { state.withLock { $0.fault } }
    set { state.withLock { $0.fault = newValue } }
  }
  /// What its power meter shows, where it has one.
  package var watts: Double {
    get { state.withLock { $0.watts } }
    set { state.withLock { $0.watts = newValue } }
  }

  package func answer(_ received: inout [UInt8]) -> [UInt8]? {
    guard let request = PlugRequest(&received) else { return nil }
    let before = outputs
    let answer = state.withLock { state in
      state.requests.append(request.line)
      let isOn = state.outputs.contains(true)
      state.meter?.go(isOn: isOn)
      let (status, body) =
        switch model {
        case .tasmota(let password): Self.tasmota(request, password, &state)
        case .shelly1: Self.shelly1(request, &state)
        case .shelly2: Self.shelly2(request, &state)
        case .pdudaemon: Self.pdudaemon(request, &state)
        case .plain(let token): Self.plain(request, token, &state)
        }
      var text = "HTTP/1.1 \(status) X\r\nContent-Type: application/json\r\n"
      text += "Content-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)"
      return Array(text.utf8)
    }
    for (index, (old, new)) in zip(before, outputs).enumerated() where old != new {
      changed(index, new)
    }
    return answer
  }

  private static func tasmota(
    _ request: PlugRequest, _ password: String?, _ state: inout State
  ) -> (Int, String) {
    guard request.path == "/cm" else { return (404, "") }
    if let password, request.query["password"] != password {
      return (401, #"{"WARNING":"Need user=<username>&password=<password>"}"#)
    }
    if let meter = state.meter, state.fault != .otherDevice,
      let answer = meter.tasmota(request.query["cmnd"] ?? "", outputs: state.outputs)
    {
      return (200, answer)
    }
    let words = (request.query["cmnd"] ?? "").split(separator: " ").map { $0.lowercased() }
    guard let command = words.first, command.hasPrefix("power"),
      let number = Int(command.dropFirst(5)), state.outputs.indices.contains(number - 1)
    else { return (200, #"{"Command":"Unknown"}"#) }
    let wanted = words.count > 1 ? words[1] == "on" : state.outputs[number - 1]
    // Only the answer to a command pretends; a question shows the truth.
    if state.fault != .acknowledgesOnly { state.outputs[number - 1] = wanted }
    let name = state.outputs.count == 1 ? "POWER" : "POWER\(number)"
    let shown = state.fault == .otherDevice ? "POWER\(number + 7)" : name
    return (200, "{\"\(shown)\":\"\(wanted ? "ON" : "OFF")\"}")
  }

  private static func shelly1(_ request: PlugRequest, _ state: inout State) -> (Int, String) {
    if state.fault == .otherDevice { return (200, #"{"name":"printer","ready":true}"#) }
    if request.path == "/shelly" {
      return (200, #"{"type":"SHPLG-S","mac":"AABBCCDDEEFF","auth":false,"fw":"1.14"}"#)
    }
    if let answer = state.meter?.shelly1(request.path, outputs: state.outputs) {
      return (200, answer)
    }
    guard request.path.hasPrefix("/relay/"), let output = Int(request.path.dropFirst(7)),
      state.outputs.indices.contains(output)
    else { return (404, "Not Found") }
    if let turn = request.query["turn"], state.fault != .acknowledgesOnly {
      state.outputs[output] = turn == "on"
    }
    return (200, "{\"ison\":\(state.outputs[output]),\"has_timer\":false,\"overpower\":false}")
  }

  private static func shelly2(_ request: PlugRequest, _ state: inout State) -> (Int, String) {
    if request.path == "/rpc", let inner = PlugRequest(rpc: request.body) {
      // As a frame of JSON-RPC: the same answer, in an envelope.
      let (status, body) = shelly2(inner, &state)
      return (
        200,
        "{\"id\":\(inner.frame),\"src\":\"shelly\",\"\(status == 200 ? "result" : "error")\":\(body)}"
      )
    }
    if request.path == "/shelly" {
      return (200, #"{"id":"shellyplusplugs-1","gen":2,"app":"PlusPlugS","auth_en":false}"#)
    }
    guard let output = request.query["id"].flatMap({ Int($0) }),
      state.outputs.indices.contains(output)
    else { return (404, #"{"code":-105,"message":"Argument 'id', value 9 not found!"}"#) }
    switch request.path {
    case "/rpc/Switch.Set":
      let before = state.outputs[output]
      if state.fault != .acknowledgesOnly { state.outputs[output] = request.query["on"] == "true" }
      return (200, "{\"was_on\":\(before)}")
    case "/rpc/Switch.GetStatus":
      let id = state.fault == .otherDevice ? output + 1 : output
      var text = "{\"id\":\(id), \"source\":\"HTTP_in\", \"output\":\(state.outputs[output]), "
      text +=
        state.meter?.shelly2(isOn: state.outputs[output])
        ?? "\"apower\":\(state.watts), \"voltage\":230.1}"
      return (200, text)
    default: return (404, #"{"code":404,"message":"No handler"}"#)
    }
  }

  private static func pdudaemon(_ request: PlugRequest, _ state: inout State) -> (Int, String) {
    if state.fault == .otherDevice { return (200, "<html>It works!</html>") }
    guard request.query["hostname"] == "pdu1",
      let port = request.query["port"].flatMap({ Int($0) }),
      state.outputs.indices.contains(port - 1)
    else { return (500, "Invalid request\n") }
    if state.fault != .acknowledgesOnly {
      state.outputs[port - 1] = request.path == "/power/control/on"
    }
    return (200, "OK - accepted request\n")
  }

  private static func plain(
    _ request: PlugRequest, _ token: String?, _ state: inout State
  ) -> (Int, String) {
    if let token, request.headers["x-token"] != token { return (403, "no") }
    guard request.path.hasPrefix("/outlet/"), let output = Int(request.path.dropFirst(8)),
      state.outputs.indices.contains(output)
    else { return (404, "Not Found") }
    if request.line.hasPrefix("PUT "), state.fault != .acknowledgesOnly {
      state.outputs[output] = request.body.contains("\"on\"")
    }
    let shown = state.fault == .otherDevice ? "blue" : state.outputs[output] ? "on" : "off"
    return (200, "{\"outlets\":[{\"power\":\"\(shown)\"}]}")
  }
}
