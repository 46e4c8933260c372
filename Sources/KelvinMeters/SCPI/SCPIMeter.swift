internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// An instrument that speaks SCPI: asked for each value, or logging by itself.
///
/// What the bench file sets is set when it measures first, and undone or left when it is closed, as that says.
final class SCPIMeter: Meter {
  let identity: MeterIdentity
  let channels: [Channel]
  let rate: Double?
  private let place: SCPIPlace
  let options: SCPIOptions
  let profile: SCPIProfile
  private let plan: SCPIPlan
  private let logger: SCPILogger?
  private let says: SCPIIdentity
  let state: Mutex<State>

  struct State {
    /// Nil when it was lost.
    var session: SCPISession?
    var capture: CaptureThread?
    var settings: SCPISettings
    /// The bench file's, and what was set by hand instead.
    var wanted: SCPIOptions
    /// Whether that was set.
    var isSet = false
    /// What could not be put back.
    var left: [String] = []
    var last: CaptureSummary
  }

  /// Connects, and asks who it is; changes nothing.
  init(
    name: String, _ options: SCPIOptions, verified: String, until deadline: Deadline
  ) async throws(MeterFailure) {
    let place = options.place
    let session = try await place.session(of: name, until: deadline)
    let says = try session.identity(until: deadline.limited(toSeconds: options.patience))
    let profile = options.profile ?? SCPIProfile.of(says)
    let plan = try SCPIPlan(options, profile, of: session.name)
    logger =
      options.isLogged
      ? try SCPILogger(options, profile, plan.channels, of: session.name) : nil
    self.place = place
    self.options = options
    self.profile = profile
    self.plan = plan
    self.says = says
    channels = plan.channels
    rate = logger.map { 1e9 / $0.period } ?? options.rate
    let numbers = options.channels.map(String.init).joined(separator: ", ")
    identity = MeterIdentity(
      name: name, driver: "scpi", model: "\(says.manufacturer) \(says.model)", serial: says.serial,
      firmware: says.firmware, location: place.text,
      range:
        "channel \(numbers), \(logger.map { _ in "its own logging" } ?? "asked for each value")",
      verified: verified)
    state = Mutex(
      State(
        session: session, settings: SCPISettings(profile), wanted: options,
        last: CaptureSummary(samples: plan.channels.map { _ in 0 })))
  }

  deinit { state.withLock { $0.capture }?.abandon() }

  var isOver: Interrupt? { state.withLock { $0.capture?.isOver } }

  /// The connection, made anew when it was lost; another instrument at its address is refused.
  func connected(until deadline: Deadline) async throws(MeterFailure) -> SCPISession {
    if let session = state.withLock({ $0.session }) { return session }
    let session = try await place.session(of: identity.name, until: deadline)
    let limit = deadline.limited(toSeconds: options.patience)
    let now = try session.identity(until: limit)
    guard now == says else {
      throw MeterFailure(
        .malfunction, "\(session.name): it is another instrument than before",
        evidence: "\(now.manufacturer) \(now.model) \(now.serial)")
    }
    state.withLock { $0.session = session }
    return session
  }

  func start(into sink: any BlockSink, until deadline: Deadline) async throws(MeterFailure) {
    guard state.withLock({ $0.capture == nil }) else {
      throw MeterFailure(.busy, "\(identity.name): it measures already")
    }
    let session = try await connected(until: deadline)
    do throws(MeterFailure) {
      try prepare(session, until: deadline)
      let capture = try begin(session, into: sink)
      state.withLock { $0.capture = capture }
      do throws(MeterFailure) {
        try capture.begin(
          withinSeconds: Int(options.patience.rounded(.up)) + 5, hint: "is it an instrument?",
          until: deadline)
      } catch {
        state.withLock { $0.capture = nil }
        throw error
      }
    } catch {
      drop(error)
      throw error
    }
  }

  private func begin(
    _ session: SCPISession, into sink: any BlockSink
  ) throws(MeterFailure) -> CaptureThread {
    let (options, profile, plan, says) = (options, profile, plan, says)
    if let logger {
      return try CaptureThread("scpi", of: session.name) { isAsked, hasBegun in
        var worker = SCPILogWorker(
          session, logger, plan.channels, errors: profile.errors, patience: options.patience,
          into: sink)
        return worker.run(until: isAsked, hasBegun: hasBegun)
      }
    }
    return try CaptureThread("scpi", of: session.name) { isAsked, hasBegun in
      var worker = SCPIPoller(
        session, says, plan, rate: options.rate, patience: options.patience, into: sink)
      worker.errorQuery = profile.errors
      return worker.run(until: isAsked, hasBegun: hasBegun)
    }
  }

  /// Sets what the bench file says, once; what was set by a failure is put back.
  private func prepare(_ session: SCPISession, until deadline: Deadline) throws(MeterFailure) {
    guard !state.withLock({ $0.isSet }) else { return }
    let (found, wanted) = state.withLock { ($0.settings, $0.wanted) }
    var settings = found
    let limit = deadline.limited(toSeconds: 4 * options.patience)
    do throws(MeterFailure) {
      try settings.apply(wanted, session, until: limit)
      if !plan.prepare.isEmpty {
        try session.send(plan.prepare, until: limit)
        try settings.complain(session, until: limit)
        settings.note("its function:", plan.prepare.joined(separator: ", "))
      }
    } catch {
      let left = settings.undo(session, until: .after(seconds: options.patience))
      guard !left.isEmpty else { throw error }
      throw MeterFailure(
        error.code, error.message,
        evidence: [error.evidence, "not put back: " + left.joined(separator: "; ")]
          .filter { !$0.isEmpty }.joined(separator: "; "), hint: error.hint)
    }
    let made = settings
    state.withLock {
      $0.settings = made
      $0.isSet = true
    }
    guard !made.changes.isEmpty else { return }
    guard deadline.limited(toSeconds: options.settle).wait() != .interrupted else {
      throw MeterFailure(.interrupted, "\(identity.name): stopped")
    }
  }

  /// A connection whose answers may belong to other questions, or that is gone, is of no more use.
  func drop(_ failure: MeterFailure) {
    switch failure.code {
    case .timedOut, .gone, .malfunction, .connection, .interrupted:
      state.withLock { $0.session = nil }
    default: break
    }
  }

  func stop(until deadline: Deadline) async -> CaptureSummary {
    guard let capture = state.withLock({ $0.capture }) else { return state.withLock { $0.last } }
    var summary = capture.end()
    if let failure = summary.failure { drop(failure) }
    let changes = state.withLock { $0.settings.changes.map(\.text) }
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
    let (changes, left) = state.withLock { ($0.settings.changes, $0.left) }
    var properties = [
      MeterProperty("instrument", "\(says.manufacturer) \(says.model)"),
      MeterProperty("profile", "\(profile.name), by: \(profile.source)"),
      MeterProperty(
        "read by",
        logger?.kind.rawValue ?? plan.questions.map(\.text).joined(separator: ", "))
    ]
    properties += changes.map { MeterProperty("set", $0.text) }
    if !changes.isEmpty { properties.append(MeterProperty("at its end", options.ending.rawValue)) }
    properties += left.map { MeterProperty("not put back", $0) }
    return properties
  }

  func close() async {
    _ = await stop(until: .after(seconds: 10))
    let (found, isSet) = state.withLock { ($0.settings, $0.isSet) }
    var settings = found
    // One that was only looked at is left as it is.
    if !settings.changes.isEmpty || isSet && options.ending == .off {
      let limit = Deadline.after(seconds: 2 * options.patience)
      do throws(MeterFailure) {
        try await end(&settings, until: limit)
      } catch {
        let what = settings.changes.map(\.text) + ["\(error.message)"]
        state.withLock { $0.left = what }
      }
    }
    state.withLock {
      $0.settings = SCPISettings(profile)
      ($0.isSet, $0.wanted) = (false, options)
      $0.session = nil
    }
  }

  private func end(
    _ settings: inout SCPISettings, until deadline: Deadline
  ) async throws(MeterFailure) {
    switch options.ending {
    case .leave: break
    case .restore:
      let left = settings.undo(try await connected(until: deadline), until: deadline)
      state.withLock { $0.left = left }
    case .off:
      guard profile.output != nil else { return }
      let session = try await connected(until: deadline)
      for channel in options.channels {
        try settings.turn(profile.output, on: false, "output", channel, session, until: deadline)
      }
    }
  }
}
