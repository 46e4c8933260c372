internal import KelvinDevices
internal import KelvinModel
internal import KelvinSystem

/// A USB tester on a serial line. Nothing of it is set or switched.
final class TesterMeter: Meter {
  let identity: MeterIdentity
  let channels: [Channel]
  let rate: Double?
  private let port: TesterPort
  private let language: any TesterLanguage
  private let slot: CaptureSlot

  /// - Parameters:
  ///   - driver: its name.
  ///   - reading: what it said when it was opened.
  init(
    driver: String, verified: String, _ port: TesterPort, _ language: any TesterLanguage,
    _ options: TesterOptions, _ reading: TesterReading
  ) {
    self.port = port
    self.language = language
    rate = language.question == nil ? nil : options.rate
    channels = language.channels.map { channel in
      var channel = channel
      channel.accuracy = channel.kind.flatMap { options.accuracy[$0] }
      return channel
    }
    identity = MeterIdentity(
      name: port.name, driver: driver, model: reading.model, serial: reading.serial,
      firmware: reading.firmware, location: port.line.path, range: "", verified: verified)
    slot = CaptureSlot(of: identity.name, channels: channels.count)
  }

  /// Finds one and asks it what it is.
  ///
  /// - Parameters:
  ///   - language: what it is asked in.
  ///   - refined: what it measures in, by what it answered; the same where that is nil.
  static func open(
    _ name: String, _ options: [String: Value], at places: MeterPlaces, verified: String,
    speaking language: any TesterLanguage,
    refined: (TesterReading) -> (any TesterLanguage)? = { _ in nil }, until deadline: Deadline
  ) throws(MeterFailure) -> TesterMeter {
    let choices = try TesterOptions(options, of: name)
    let port = try TesterPort(name: name, choices, places, until: deadline)
    let reading = try port.identify(language, until: deadline)
    return TesterMeter(
      driver: places.driver, verified: verified, port, refined(reading) ?? language, choices,
      reading)
  }

  var isOver: Interrupt? { slot.isOver }

  func start(into sink: any BlockSink, until deadline: Deadline) async throws(MeterFailure) {
    try slot.requireIdle()
    _ = try port.strays()
    let capture = try capture(into: sink)
    try capture.begin(
      withinSeconds: Int((6 * port.patience).rounded(.up)) + 2, hint: "is it \(language.title)?",
      until: deadline)
    slot.keep(capture)
  }

  private func capture(into sink: any BlockSink) throws(MeterFailure) -> CaptureThread {
    let (port, language, rate) = (port, language, rate)
    return try CaptureThread("usb-tester", of: identity.name) { isAsked, hasBegun in
      guard let question = language.question else {
        var listener = TesterListener(port, language, into: sink)
        return listener.run(until: isAsked, hasBegun: hasBegun)
      }
      var poller = TesterPoller(
        port, language, question: question, rate: rate ?? 10, into: sink)
      return poller.run(until: isAsked, hasBegun: hasBegun)
    }
  }

  func stop(until deadline: Deadline) async -> CaptureSummary { slot.end() }

  func status(until deadline: Deadline) async throws(MeterFailure) -> [MeterProperty] {
    var properties = [MeterProperty("port", port.line.path)]
    if let rate { properties.append(MeterProperty("asked", "\(rate) times a second")) }
    properties.append(MeterProperty("loss witness", language.witness))
    return properties
  }

  func close() async { _ = await stop(until: .after(seconds: 10)) }
}
