internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// An IIO device behind an iiod. One connection for attributes, kept until ``close()``; one more for the
/// samples of each capture.
final class IIODMeter: Meter {
  let identity: MeterIdentity
  let channels: [Channel]
  private let selection: IIOSelection
  private let triggers: [String: String]
  private let host: String
  private let port: UInt16
  private let state: Mutex<State>

  private struct State {
    var control: IIODClient?
    var rate: Double?
    var capture: IIODCapture?
    var setup: IIOSetup?
    var last = CaptureSummary(samples: [])
  }

  /// Connects and reads what there is; changes nothing.
  init(
    name: String, host: String, port: UInt16, options: IIOOptions, until deadline: Deadline
  ) throws(MeterFailure) {
    let client = try IIODClient(host: host, port: port, until: deadline)
    let version = try client.version(until: deadline)
    let description = try client.context(until: deadline)
    let context: IIODContext
    do throws(XMLElements.Failure) {
      context = try IIODContext(description)
    } catch {
      throw client.malformed("its description cannot be read, line \(error.line): \(error.reason)")
    }
    var device = try IIODriver.choose(options.device, among: context.devices, name: name)
    let attributes = IIODAttributes(client: client, device: device)
    try Self.complete(&device, attributes, deadline)
    let rate =
      options.changesRate
      ? options.rate : Self.rate(of: device, context.triggers, attributes, deadline)
    selection = try IIOSelection(device, options, name: name, samplesPerSecond: rate)
    channels = selection.channels
    triggers = context.triggers
    self.host = host
    self.port = port
    identity = MeterIdentity(
      name: name, driver: "iiod", model: device.name, firmware: "iiod \(version)",
      location: "\(host):\(port) \(device.id)", range: device.range(options),
      verified: IIODDriver.verified)
    state = Mutex(State(control: client, rate: rate))
  }

  deinit { state.withLock { $0.capture }?.end() }

  var rate: Double? { state.withLock { $0.rate } }

  var isOver: Interrupt? { state.withLock { $0.capture?.isOver } }

  /// Scales and offsets as they are now: the description may be as old as the daemon.
  private static func complete(
    _ device: inout IIODevice, _ attributes: IIODAttributes, _ deadline: Deadline
  ) throws(MeterFailure) {
    for index in device.channels.indices where device.elements.contains(device.channels[index]) {
      let channel = device.channels[index]
      for (name, path) in [("scale", \IIOChannel.scale), ("offset", \IIOChannel.offset)]
      where channel.attributes[name] != nil {
        let text = try attributes.read(IIOAttribute(device.id, channel, name), until: deadline)
        guard let value = Double(text), value.isFinite else {
          throw MeterFailure(
            .malfunction, "\(device.title) \(channel.id): its \(name) is '\(text.prefix(40))'")
        }
        device.channels[index][keyPath: path] = value
      }
    }
    if device.isShuntMonitor {
      let attribute = IIOAttribute(device.id, "in_shunt_resistor")
      device.shunt = Double(try attributes.read(attribute, until: deadline))
    }
  }

  private static func rate(
    of device: IIODevice, _ triggers: [String: String], _ attributes: IIODAttributes,
    _ deadline: Deadline
  ) -> Double? {
    var places: [IIOAttribute] = []
    // Who starts its samples decides.
    if let name = try? attributes.read(
      IIOAttribute(device.id, "trigger/current_trigger"), until: deadline),
      let id = triggers[name]
    {
      places.append(IIOAttribute(id, "sampling_frequency"))
    }
    for name in ["sampling_frequency", "in_sampling_frequency"]
    where device.attributes.contains(name) {
      places.append(IIOAttribute(device.id, name))
    }
    for channel in device.elements where channel.attributes["sampling_frequency"] != nil {
      places.append(IIOAttribute(device.id, channel, "sampling_frequency"))
    }
    for place in places {
      if let text = try? attributes.read(place, until: deadline),
        let rate = Double(text.prefix { $0 != " " }), rate > 0, rate.isFinite
      {
        return rate
      }
    }
    return nil
  }

  func start(into sink: any BlockSink, until deadline: Deadline) async throws(MeterFailure) {
    guard state.withLock({ $0.capture == nil }) else {
      throw MeterFailure(.busy, "\(identity.name): it measures already")
    }
    let attributes = IIODAttributes(
      client: try connected(until: deadline), device: selection.device)
    var setup = IIOSetup(attributes)
    do throws(MeterFailure) {
      try setup.apply(selection, until: deadline)
      try chooseTrigger(&setup, attributes, deadline)
      if selection.device.attributes.contains("current_timestamp_clock") {
        // That machine's wall clock may be set in the middle of it.
        let attribute = IIOAttribute(selection.device.id, "current_timestamp_clock")
        _ = try? setup.set(attribute, "monotonic", until: deadline)
      }
      let rate = Self.rate(of: selection.device, triggers, attributes, deadline)
      try selection.checkScales(attributes, until: deadline)
      let request = try IIODRequest(identity.name, selection, rate: rate)
      let client = try IIODClient(host: host, port: port, until: deadline)
      try request.open(client, until: deadline)
      let delay = min(attributes.client.shortestRoundTrip, client.shortestRoundTrip)
      let capture = try IIODCapture(request, client, into: sink, roundTrip: delay)
      state.withLock {
        $0.capture = capture
        $0.setup = setup
        $0.rate = rate ?? $0.rate
      }
    } catch {
      let left = setup.restore(until: deadline.limited(toSeconds: 5))
      guard !left.isEmpty else { throw error }
      throw MeterFailure(
        error.code, error.message, evidence: "not put back: " + left.joined(separator: "; "),
        hint: error.hint)
    }
  }

  private func chooseTrigger(
    _ setup: inout IIOSetup, _ attributes: IIODAttributes, _ deadline: Deadline
  ) throws(MeterFailure) {
    let (device, options) = (selection.device, selection.options)
    let current = IIOAttribute(device.id, "trigger/current_trigger")
    if let wanted = options.trigger {
      guard triggers[wanted] != nil else {
        let names = triggers.keys.sorted()
        throw MeterFailure(
          .notFound, "\(device.title): there is no trigger '\(wanted)'",
          hint: names.isEmpty ? "there is none" : "there are " + names.joined(separator: ", "))
      }
      try setup.set(current, wanted, until: deadline)
    }
    guard let rate = options.rate else { return }
    let trigger = triggers[try attributes.read(current, until: deadline)]
    if let trigger,
      (try? attributes.read(IIOAttribute(trigger, "sampling_frequency"), until: deadline)) != nil
    {
      try setup.set(IIOAttribute(trigger, "sampling_frequency"), number: rate, until: deadline)
    } else {
      try setup.setRate(rate, selection, until: deadline)
    }
  }

  /// The connection for attributes, made anew when it was lost.
  private func connected(until deadline: Deadline) throws(MeterFailure) -> IIODClient {
    if let client = state.withLock({ $0.control }) {
      do throws(MeterFailure) {
        _ = try client.version(until: deadline)
        return client
      } catch {
        guard error.code == .gone || error.code == .malfunction else { throw error }
      }
    }
    let client = try IIODClient(host: host, port: port, until: deadline)
    _ = try client.version(until: deadline)
    state.withLock { $0.control = client }
    return client
  }

  func stop(until deadline: Deadline) async -> CaptureSummary {
    guard let capture = state.withLock({ $0.capture }) else { return state.withLock { $0.last } }
    var summary = capture.end()
    let setup = state.withLock { state in
      defer { (state.capture, state.setup) = (nil, nil) }
      return state.setup
    }
    let left = restore(setup, until: deadline.limited(toSeconds: 10))
    if !left.isEmpty { summary.counts["not put back"] = .list(left.map { .text($0) }) }
    let whole = summary
    state.withLock { $0.last = whole }
    return summary
  }

  /// Puts back what was changed, over a new connection where the old one is gone.
  private func restore(_ setup: IIOSetup?, until deadline: Deadline) -> [String] {
    guard var setup, setup.hasChanges else { return [] }
    do throws(MeterFailure) {
      setup.attributes = IIODAttributes(
        client: try connected(until: deadline), device: selection.device)
    } catch {
      return ["everything that was set: \(error.message)"]
    }
    return setup.restore(until: deadline)
  }

  func status(until deadline: Deadline) async throws(MeterFailure) -> [MeterProperty] {
    let attributes = IIODAttributes(
      client: try connected(until: deadline), device: selection.device)
    let device = selection.device
    var properties = [
      MeterProperty("device", "\(device.id) \(device.name)"),
      MeterProperty("channels", selection.chosen.map(\.id).joined(separator: ", ")),
      MeterProperty(
        "trigger",
        try attributes.read(IIOAttribute(device.id, "trigger/current_trigger"), until: deadline))
    ]
    for name in device.attributes.sorted() {
      let value = try attributes.read(IIOAttribute(device.id, name), until: deadline)
      properties.append(MeterProperty(name, value))
    }
    return properties
  }

  func close() async {
    _ = await stop(until: .after(seconds: 10))
    state.withLock { $0.control = nil }
  }
}
