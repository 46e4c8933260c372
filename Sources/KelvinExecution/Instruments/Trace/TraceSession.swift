internal import KelvinConnections
internal import KelvinModel

/// One tracing buffer that was set up for one attempt; it records between ``start(_:until:)`` and
/// ``stop(_:until:)``.
struct TraceSession: Sendable {
  let attempt: Int64
  let plan: TracePlan
  let place: TraceFileSystem
  /// The instance's directory, or the tracefs itself where there are no instances.
  let base: TargetPath
  /// What the kernel's own buffer was like before; nil when nothing of it was changed.
  private(set) var saved: SavedTracing?
  /// Markers that programs write to the kernel's own trace_marker are in the kernel's own buffer, to
  /// be fetched from there.
  private(set) var hasMarkersApart = false
  /// They are lost to this trace: somebody else uses that buffer.
  private(set) var lacksMarkers = false
  /// Events that the kernel would not turn on.
  private(set) var refused: [(event: TraceEvent, error: Errno)] = []

  var isInstance: Bool { base != place.root }

  /// Makes the instance and sets everything, so that one write is left to start it.
  ///
  /// - Throws: what the kernel refused; nothing is left of it then.
  init(
    _ plan: TracePlan, _ place: TraceFileSystem, attempt: Int64, _ connection: any Connection,
    until deadline: Deadline
  ) async throws {
    self.attempt = attempt
    self.plan = plan
    self.place = place
    base =
      place.hasInstances
      ? place.instances.appending(TraceFileSystem.newInstanceName()) : place.root
    do {
      if isInstance {
        try await place.makeInstance(base, connection, until: deadline)
      } else {
        saved = try await SavedTracing(place, plan, connection, until: deadline)
      }
      try await configure(connection, until: deadline)
      if isInstance { try await prepareMarkers(connection, until: deadline) }
    } catch {
      try? await remove(connection, until: .after(seconds: 20))
      throw error
    }
  }

  // MARK: Setting up

  private mutating func configure(
    _ connection: any Connection, until deadline: Deadline
  ) async throws {
    var settings = [Setting("tracing_on", "0"), Setting("options/overwrite", "1")]
    settings.append(Setting("buffer_size_kb", "\(plan.bufferKiB)", option: "buffer_size"))
    if let clock = plan.clock {
      settings.append(Setting("trace_clock", clock, option: "trace_clock"))
    }
    settings += plan.filters.map {
      Setting("events/\($0.event.directory)/filter", $0.text, option: "filters")
    }
    try await apply(settings, connection, until: deadline)
    if !plan.functions.isEmpty { try await traceFunctions(connection, until: deadline) }
    try await enableEvents(connection, until: deadline)
  }

  /// Patterns also mean events that a kernel has and cannot trace on this machine.
  private mutating func enableEvents(
    _ connection: any Connection, until deadline: Deadline
  ) async throws {
    let results = try await connection.write(
      plan.events.map { (base.appending("events/\($0.directory)/enable"), [UInt8(ascii: "1")]) },
      until: deadline)
    for (event, result) in zip(plan.events, results) {
      if case .failure(let error) = result { refused.append((event, error)) }
    }
    guard let first = refused.first, refused.count == plan.events.count else { return }
    throw PlainFailure(
      .target, "\(base)/events/\(first.event.directory)/enable: \(first.error)",
      evidence: try await refusal(connection, until: deadline))
  }

  private struct Setting {
    let file: String
    let value: String
    /// What of the user's it carries out.
    let option: String

    init(_ file: String, _ value: String, option: String = "") {
      (self.file, self.value, self.option) = (file, value, option)
    }
  }

  private func apply(
    _ settings: [Setting], _ connection: any Connection, until deadline: Deadline
  ) async throws {
    let results = try await connection.write(
      settings.map { (base.appending($0.file), Array($0.value.utf8)) }, until: deadline)
    for (setting, result) in zip(settings, results) {
      guard case .failure(let error) = result else { continue }
      throw PlainFailure(
        setting.option.isEmpty ? .target : .configuration,
        "\(setting.option.isEmpty ? "" : setting.option + ": ")'\(setting.value)' was refused by "
          + "\(base.appending(setting.file)): \(error)",
        evidence: try await refusal(connection, until: deadline),
        hint: setting.option == "filters"
          ? "Documentation/trace/events.rst of the kernel says what a filter may say" : "")
    }
  }

  /// What the kernel's error log says last.
  private func refusal(
    _ connection: any Connection, until deadline: Deadline
  ) async throws -> String {
    let log = try await connection.read(
      [base.appending("error_log")], until: deadline
    ).first.flatMap { try? $0.get() }
    let lines = KernelText(log ?? []).map { KernelText.string($0) }
    guard let last = lines.lastIndex(where: { $0.contains("error:") }) else { return "" }
    return lines[last...].joined(separator: " / ")
  }

  private func traceFunctions(
    _ connection: any Connection, until deadline: Deadline
  ) async throws {
    // Each name is a write of its own, and each that is no addition clears the others.
    let script =
      "f=$1/set_ftrace_filter; shift; : >\"$f\" || exit; for n; do echo \"$n\" >>\"$f\" || "
      + "{ printf %s \"$n\"; exit 1; }; done"
    let result = try await connection.execute(
      Command(
        ["sh", "-c", script, "sh", base.string] + plan.functions, environment: ["LC_ALL": "C"],
        endsDescendants: false), until: deadline)
    guard result.isSuccess else {
      let name = result.standardOutput.text
      throw PlainFailure(
        .configuration,
        name.isEmpty
          ? "functions: the kernel lets nobody choose functions"
          : "functions: the kernel has no function '\(name)' that can be traced",
        evidence: result.standardError.text.oneLine,
        hint: name.isEmpty
          ? "is it locked down?" : "available_filter_functions in its tracefs lists them")
    }
    try await apply(
      [Setting("current_tracer", "function", option: "functions")], connection, until: deadline)
  }

  // MARK: Markers

  /// Programs write markers to the kernel's own trace_marker, which an instance does not get. Linux
  /// 6.16 and later can copy them; before, they are taken from the kernel's own buffer, unless
  /// somebody uses that for something else.
  private mutating func prepareMarkers(
    _ connection: any Connection, until deadline: Deadline
  ) async throws {
    let copies = try await connection.write(
      [(base.appending("options/copy_trace_marker"), [UInt8(ascii: "1")])], until: deadline)
    if case .success = copies[0] { return }
    guard try await SavedTracing.isIdle(place, connection, until: deadline) else {
      lacksMarkers = true
      return
    }
    var plan = plan
    plan.events = []
    plan.filters = []
    plan.functions = []
    saved = try await SavedTracing(place, plan, connection, until: deadline)
    var values: [(path: TargetPath, bytes: [UInt8])] = []
    if let clock = plan.clock {
      values.append((place.root.appending("trace_clock"), Array(clock.utf8)))
    }
    for case .failure(let error) in try await connection.write(values, until: deadline) {
      throw PlainFailure(.target, "\(place.root)/trace_clock: \(error)")
    }
    hasMarkersApart = true
  }

  // MARK: The window

  /// Starts recording: one round trip.
  func start(_ connection: any Connection, until deadline: Deadline) async throws {
    try await record(true, connection, until: deadline)
  }

  /// Stops recording: one round trip.
  func stop(_ connection: any Connection, until deadline: Deadline) async throws {
    try await record(false, connection, until: deadline)
  }

  private func record(
    _ isOn: Bool, _ connection: any Connection, until deadline: Deadline
  ) async throws {
    let switches = hasMarkersApart ? [place.root, base] : [base]
    let value = [UInt8(ascii: isOn ? "1" : "0")]
    let results = try await connection.write(
      (isOn ? switches : switches.reversed()).map { ($0.appending("tracing_on"), value) },
      until: deadline)
    for case .failure(let error) in results {
      throw PlainFailure(
        .target, "\(base)/tracing_on: \(error)",
        hint: error == .notFound ? "has the board rebooted, or was the instance removed?" : "")
    }
  }

  // MARK: The end

  /// Removes the instance, and gives the kernel's own buffer back as it was.
  func remove(_ connection: any Connection, until deadline: Deadline) async throws {
    if let saved { try await saved.restore(connection, until: deadline) }
    if isInstance {
      try await place.removeInstance(base, connection, until: deadline)
    }
  }
}
