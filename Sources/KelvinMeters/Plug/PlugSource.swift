internal import KelvinDevices
internal import KelvinModel

/// A plug's meter: one question for all that it tells.
struct PlugSource: PolledSource {
  let http: MeterHTTP
  let model: PlugModel
  let output: Int
  let channels: [Channel]

  var name: String { http.name }

  func read(until deadline: Deadline) throws(MeterFailure) -> [Double?] {
    let reading = try Self.read(http, model, output, until: deadline)
    return channels.map { $0.kind.flatMap { reading.value($0) } }
  }

  /// Asks once.
  ///
  /// - Throws: `malfunction` when the answer tells nothing of this output.
  static func read(
    _ http: MeterHTTP, _ model: PlugModel, _ output: Int, until deadline: Deadline
  ) throws(MeterFailure) -> PlugReading {
    let answer = try http.object(
      model.target(output), model == .tasmota ? .query : .header, until: deadline)
    if answer["WARNING"] != nil {
      throw MeterFailure(
        .permission, "\(http.name): it wants another user or password",
        hint: "set 'user' and 'password-from'")
    }
    guard let reading = model.reading(answer, output) else {
      throw MeterFailure(
        .malfunction, "\(http.name): its answer tells no power of output \(output)",
        evidence: Excerpt.of(Array(Value.map(answer).json.utf8)),
        hint: "has it a meter, and that many outputs?")
    }
    return reading
  }
}

/// What a plug says of itself, as far as it does.
struct PlugIdentity: Sendable, Hashable {
  var model: PlugModel
  var title: String
  var serial = ""
  var firmware = ""

  /// Asks it.
  ///
  /// - Parameter name: of the model in the bench file.
  /// - Throws: `malfunction` when it is another device; `unsupported` when it has no meter.
  static func find(
    _ name: String, _ http: MeterHTTP, _ output: Int, until deadline: Deadline
  ) throws(MeterFailure) -> PlugIdentity {
    guard name != "tasmota" else {
      // Its address of the network is the only thing that is its own.
      let answer = try http.object("/cm?cmnd=Status%205", .query, until: deadline)
      let network = answer["StatusNET"]?.map ?? [:]
      return PlugIdentity(
        model: .tasmota, title: network["Hostname"]?.text ?? "Tasmota",
        serial: network["Mac"]?.text ?? "")
    }
    let answer = try http.object("/shelly", until: deadline)
    let serial = answer["mac"]?.text ?? answer["id"]?.text ?? ""
    if let generation = answer["gen"]?.integer, generation >= 2 {
      var found = PlugIdentity(
        model: .shelly2, title: answer["app"]?.text ?? answer["model"]?.text ?? "Shelly",
        serial: serial, firmware: answer["ver"]?.text ?? "")
      found.model = try which([.shelly2, .shelly2PM], http, output, until: deadline)
      return found
    }
    guard let type = answer["type"]?.text, answer["gen"] == nil else {
      throw MeterFailure(
        .malfunction, "\(http.name): this is no Shelly device",
        evidence: Excerpt.of(Array(Value.map(answer).json.utf8)))
    }
    return PlugIdentity(
      model: try which([.shelly1, .shelly1EM], http, output, until: deadline), title: type,
      serial: serial, firmware: answer["fw"]?.text ?? "")
  }

  /// The first of some that answers.
  private static func which(
    _ models: [PlugModel], _ http: MeterHTTP, _ output: Int, until deadline: Deadline
  ) throws(MeterFailure) -> PlugModel {
    var failure: MeterFailure?
    for model in models {
      do throws(MeterFailure) {
        _ = try PlugSource.read(http, model, output, until: deadline)
        return model
      } catch {
        guard error.code == .malfunction else { throw error }
        failure = failure ?? error
      }
    }
    throw MeterFailure(
      .unsupported, "\(http.name): it has no meter of output \(output)",
      evidence: failure?.evidence ?? "", hint: "outputs of a Shelly count from 0")
  }
}
