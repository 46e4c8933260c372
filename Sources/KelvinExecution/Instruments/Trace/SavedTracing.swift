internal import KelvinConnections
internal import KelvinModel

/// What the kernel's own tracing buffer was set to, while Kelvin uses it.
struct SavedTracing: Sendable {
  private let root: TargetPath
  /// Files and what they held, in the order in which they are written back.
  private var values: [(file: String, value: [UInt8])] = []
  /// Events that were on, and those that Kelvin turns on.
  private var events: [TraceEvent] = []
  private let plan: TracePlan

  /// Whether nobody traces with it: no tracer, no event.
  static func isIdle(
    _ place: TraceFileSystem, _ connection: any Connection, until deadline: Deadline
  ) async throws -> Bool {
    let files = try await connection.read(
      ["current_tracer", "set_event"].map(place.root.appending), until: deadline
    ).map { (try? $0.get()) ?? [] }
    return KernelText(files[0]).trimmed == "nop" && KernelText(files[1]).trimmed.isEmpty
  }

  /// Notes the state, stops recording and empties the buffer.
  init(
    _ place: TraceFileSystem, _ plan: TracePlan, _ connection: any Connection,
    until deadline: Deadline
  ) async throws {
    root = place.root
    self.plan = plan
    let names = ["set_event", "current_tracer", "buffer_size_kb", "trace_clock", "tracing_on"]
    let options = ["options/overwrite"]
    let filters = plan.filters.map { "events/\($0.event.directory)/filter" }
    let files = try await connection.read(
      (names + options + filters).map(root.appending), until: deadline)
    func text(_ index: Int) -> String {
      (try? files[index].get()).map { KernelText($0).trimmed } ?? ""
    }
    events = TraceEvent.all(Array(text(0).utf8))
    // `7 (expanded: 1408)` is a buffer that the first to use it would have made so large. `X`: the CPUs'
    // buffers differ, and stay as they are made.
    let size = text(2).split { !$0.isNumber }.last.map(String.init) ?? ""
    let clock = text(3).split(separator: "[").last?.split(separator: "]").first.map(String.init)
    var values: [(String, String)] = [("current_tracer", text(1))]
    if !plan.events.isEmpty { values += [("buffer_size_kb", size), ("options/overwrite", text(5))] }
    for (index, file) in filters.enumerated() {
      let old = text(names.count + options.count + index)
      // Several lines tell of an error, not of a filter.
      values.append((file, old == "none" || old.contains("\n") ? "0" : old))
    }
    values += [("trace_clock", clock ?? ""), ("tracing_on", text(4))]
    self.values = values.filter { !$0.1.isEmpty }.map { ($0.0, Array($0.1.utf8)) }
    try await set(
      [("tracing_on", "0"), ("current_tracer", "nop")]
        + events.map { ("events/\($0.directory)/enable", "0") }, connection, until: deadline)
    try await empty(connection, until: deadline)
  }

  /// Sets everything back.
  func restore(_ connection: any Connection, until deadline: Deadline) async throws {
    try await set(
      [("tracing_on", "0")] + plan.events.map { ("events/\($0.directory)/enable", "0") }
        + (plan.functions.isEmpty ? [] : [("current_tracer", "nop")]), connection, until: deadline)
    if !plan.functions.isEmpty {
      _ = try await connection.execute(
        Command(
          ["sh", "-c", ": >\"$1\"", "sh", root.appending("set_ftrace_filter").string],
          endsDescendants: false), until: deadline)
    }
    try await empty(connection, until: deadline)
    // Events last but for the switch itself.
    try await write(
      values.dropLast() + events.map { ("events/\($0.directory)/enable", [UInt8(ascii: "1")]) }
        + values.suffix(1), connection, until: deadline)
  }

  private func set(
    _ values: [(String, String)], _ connection: any Connection, until deadline: Deadline
  ) async throws {
    try await write(values.map { ($0.0, Array($0.1.utf8)) }, connection, until: deadline)
  }

  private func write(
    _ values: [(String, [UInt8])], _ connection: any Connection, until deadline: Deadline
  ) async throws {
    let results = try await connection.write(
      values.map { (root.appending($0.0), $0.1) }, until: deadline)
    let refused = zip(values, results).compactMap { value, result in
      if case .failure(let error) = result { return "\(value.0): \(error)" }
      return nil
    }
    guard refused.isEmpty else {
      throw PlainFailure(.target, "\(root): could not be set: \(refused.shortList)")
    }
  }

  /// Opening the file for writing from its beginning is what empties the buffer.
  private func empty(_ connection: any Connection, until deadline: Deadline) async throws {
    let result = try await connection.execute(
      Command(
        ["sh", "-c", ": >\"$1\"", "sh", root.appending("trace").string], endsDescendants: false),
      until: deadline)
    guard result.isSuccess else {
      throw PlainFailure(
        .target, "\(root)/trace: cannot be emptied",
        evidence: result.standardError.text.oneLine)
    }
  }
}
