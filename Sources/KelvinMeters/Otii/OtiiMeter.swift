internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// An Otii Arc or Ace, through Otii's own server: recordings that are read while they grow.
///
/// What the bench file sets is set when it measures first, and undone or left when it is closed, as that says.
final class OtiiMeter: Meter {
  let identity: MeterIdentity
  let channels: [Channel]
  let rate: Double?
  private let options: OtiiOptions
  private let device: OtiiDevice
  private let server: String
  private let state: Mutex<State>

  private struct State {
    /// Nil when it was lost.
    var session: OtiiSession?
    var login: OtiiLogin
    var setup: OtiiSetup
    var isSet = false
    var capture: CaptureThread?
    var recording: OtiiRecording?
    /// When the recording began by the server's clock, as it says.
    var begin = ""
    /// What could not be put back.
    var left: [String] = []
    var last: CaptureSummary
  }

  /// Connects, logs in and finds the device; changes nothing of that.
  init(
    name: String, _ options: OtiiOptions, verified: String, until deadline: Deadline
  ) throws(MeterFailure) {
    let limit = deadline.limited(toSeconds: 2 * options.patience)
    let session = try OtiiSession(
      host: options.host, port: options.port, of: name, until: limit)
    var login = OtiiLogin()
    do throws(MeterFailure) {
      try login.enter(options, session, until: limit)
      device = try OtiiDevice.find(options.device, session, until: limit)
    } catch {
      // So that a meter that is not there keeps no license from others.
      try? login.leave(session, until: .after(seconds: options.patience))
      throw error
    }
    self.options = options
    channels = options.channels.map { $0.channel(options.accuracy[$0.kind]) }
    rate = options.rate.map { Double($0) }
    server = "Otii \(session.version), protocol \(session.protocolVersion)"
    identity = MeterIdentity(
      name: name, driver: "otii", model: device.type, serial: device.id, firmware: device.firmware,
      location: "\(options.host):\(options.port), \(device.name)",
      range: options.range.map { $0 == "high" ? "high range" : "automatic range" } ?? "",
      verified: verified)
    let entered = login
    state = Mutex(
      State(
        session: session, login: entered, setup: OtiiSetup(device: device.id),
        last: CaptureSummary(samples: channels.map { _ in 0 })))
  }

  var isOver: Interrupt? { state.withLock { $0.capture?.isOver } }

  deinit { state.withLock { $0.capture }?.abandon() }

  /// The connection, made anew when it was lost.
  private func connected(until deadline: Deadline) throws(MeterFailure) -> OtiiSession {
    if let session = state.withLock({ $0.session }) { return session }
    let limit = deadline.limited(toSeconds: 2 * options.patience)
    let session = try OtiiSession(
      host: options.host, port: options.port, of: identity.name, until: limit)
    var login = state.withLock { $0.login }
    defer {
      let entered = login
      state.withLock { $0.login = entered }
    }
    try login.enter(options, session, until: limit)
    state.withLock { $0.session = session }
    return session
  }

  func start(into sink: any BlockSink, until deadline: Deadline) async throws(MeterFailure) {
    guard state.withLock({ $0.capture == nil }) else {
      throw MeterFailure(.busy, "\(identity.name): it measures already")
    }
    do throws(MeterFailure) {
      let session = try connected(until: deadline)
      let limit = deadline.limited(toSeconds: 4 * options.patience)
      // One that a lost connection left.
      try state.withLock({ $0.recording })?.end(session, until: limit)
      try prepare(session, until: limit)
      let recording = try OtiiRecording(session, until: limit)
      state.withLock { $0.recording = recording }
      let begin = try recording.begin(session, until: limit)
      let (device, options, channels) = (device.id, options, channels)
      let capture = try CaptureThread("otii", of: session.name) { isAsked, hasBegun in
        var worker = OtiiWorker(
          session, recording, of: device, options.channels, channels, patience: options.patience,
          into: sink)
        return worker.run(until: isAsked, hasBegun: hasBegun)
      }
      state.withLock {
        $0.begin = begin
        $0.capture = capture
      }
      do throws(MeterFailure) {
        try capture.begin(
          withinSeconds: Int(options.patience.rounded(.up)) + 5,
          hint: "does the device record in Otii itself?", until: deadline)
      } catch {
        state.withLock { $0.capture = nil }
        throw error
      }
    } catch {
      drop(error)
      throw error
    }
  }

  /// Sets what the bench file says, once; what was set by a failure is put back.
  private func prepare(_ session: OtiiSession, until deadline: Deadline) throws(MeterFailure) {
    guard !state.withLock({ $0.isSet }) else { return }
    var setup = state.withLock { $0.setup }
    do throws(MeterFailure) {
      try setup.apply(options, session, until: deadline)
    } catch {
      let left = setup.undo(session, until: .after(seconds: options.patience))
      guard !left.isEmpty else { throw error }
      throw MeterFailure(
        error.code, error.message,
        evidence: [error.evidence, "not put back: " + left.joined(separator: "; ")]
          .filter { !$0.isEmpty }.joined(separator: "; "), hint: error.hint)
    }
    let made = setup
    state.withLock {
      $0.setup = made
      $0.isSet = true
    }
    guard made.hasUndo else { return }
    guard deadline.limited(toSeconds: options.settle).wait() != .interrupted else {
      throw MeterFailure(.interrupted, "\(identity.name): stopped")
    }
  }

  /// A connection whose answers may belong to other questions, or that is gone, is of no more use.
  private func drop(_ failure: MeterFailure) {
    switch failure.code {
    case .timedOut, .gone, .malfunction, .connection, .interrupted:
      state.withLock { $0.session = nil }
    default: break
    }
  }

  func stop(until deadline: Deadline) async -> CaptureSummary {
    guard let capture = state.withLock({ $0.capture }) else { return state.withLock { $0.last } }
    var summary = capture.end()
    let (session, recording, changes, begin) = state.withLock {
      ($0.session, $0.recording, $0.setup.changes.map(\.text), $0.begin)
    }
    if let failure = summary.failure {
      drop(failure)
    } else if let session, let recording, !options.keepsRecording {
      // All of it is here.
      do throws(MeterFailure) {
        try recording.remove(session, until: deadline.limited(toSeconds: options.patience))
      } catch { summary.counts["recording"] = .text("left in Otii: \(error.message)") }
    }
    if !begin.isEmpty { summary.counts["start time of the server"] = .text(begin) }
    if !changes.isEmpty {
      summary.counts["set"] = .list(changes.map { .text($0) })
      summary.counts["at its end"] = .text(options.ending.rawValue)
    }
    let whole = summary
    state.withLock {
      $0.capture = nil
      $0.last = whole
    }
    return summary
  }

  func status(until deadline: Deadline) async throws(MeterFailure) -> [MeterProperty] {
    let (setup, left, login) = state.withLock { ($0.setup, $0.left, $0.login) }
    var properties = [
      MeterProperty("device", "\(device.type) \(device.name), hardware \(device.hardware)"),
      MeterProperty("server", server), MeterProperty("login", login.text),
      MeterProperty("calibration", "the server tells no date")
    ]
    properties += setup.changes.map { MeterProperty("set", $0.text) }
    if setup.hasUndo { properties.append(MeterProperty("at its end", options.ending.rawValue)) }
    properties += left.map { MeterProperty("not put back", $0) }
    return properties
  }

  func close() async {
    _ = await stop(until: .after(seconds: 10))
    let limit = Deadline.after(seconds: 4 * options.patience)
    let (found, isSet, recording, entered) = state.withLock {
      ($0.setup, $0.isSet, $0.recording, $0.login)
    }
    var (setup, login, left) = (found, entered, [String]())
    let isNeeded =
      recording?.isRunning == true || setup.hasUndo || isSet && options.ending == .off
      || login.isOurs || login.license != nil
    if isNeeded {
      do throws(MeterFailure) {
        let session = try connected(until: limit)
        // The connection may have been made anew, with a license of its own.
        login = state.withLock { $0.login }
        do throws(MeterFailure) {
          try recording?.end(session, until: limit)
        } catch { left.append("the recording: \(error.message)") }
        switch options.ending {
        case .leave: break
        case .restore: left += setup.undo(session, until: limit)
        case .off where isSet: try setup.turn(on: false, session, until: limit)
        case .off: break
        }
        try login.leave(session, until: limit)
      } catch {
        left += setup.changes.filter { $0.undo != nil }.map(\.text) + [error.message]
      }
    }
    let (rest, end) = (left, login)
    state.withLock {
      $0.left = rest
      $0.setup = OtiiSetup(device: device.id)
      $0.login = end
      ($0.isSet, $0.recording, $0.session) = (false, nil, nil)
    }
  }
}
