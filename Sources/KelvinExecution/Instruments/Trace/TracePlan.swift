internal import KelvinConnections
internal import KelvinModel

/// What is to be traced on one target, once its kernel has been asked what it can.
struct TracePlan: Sendable {
  var events: [TraceEvent] = []
  /// Names and patterns of kernel functions; empty: the function tracer is not used.
  var functions: [String] = []
  var filters: [(event: TraceEvent, text: String)] = []
  /// Nil: the kernel has only one, without a name.
  var clock: String?
  /// Of each CPU.
  var bufferKiB = 0
  /// CPUs that have a buffer.
  var cpus: [Int] = []

  /// What a buffer has in all when nothing is said, and what a CPU has at least (the kernel's own
  /// default).
  private static let usualTotalKiB = 16_384
  private static let usualLeastKiB = 1408
  /// The clocks that are taken when none is named, the best first: those that other tools on the
  /// target can read, too.
  private static let usualClocks = ["mono", "boot", "local"]

  /// Markers alone.
  init(clock: String) { self.clock = clock }

  /// Asks the kernel.
  ///
  /// - Throws: a configuration failure that names what the kernel does not have, and what it has.
  init(
    _ wish: TraceWish, _ place: TraceFileSystem, _ connection: any Connection,
    until deadline: Deadline
  ) async throws {
    let files = try await connection.read(
      ["available_events", "trace_clock", "available_tracers"].map(place.root.appending),
      until: deadline
    ).map { (try? $0.get()) ?? [] }
    let known = TraceEvent.all(files[0])
    try chooseEvents(wish, from: known)
    try chooseClock(wish.clock, offered: files[1])
    if !wish.functions.isEmpty {
      let tracers = KernelText.words(files[2])
      guard tracers.contains("function") else {
        throw PlainFailure(
          .configuration, "functions: this kernel has no function tracer",
          evidence: "available_tracers: \(tracers.joined(separator: " "))",
          hint: "it must be built with CONFIG_FUNCTION_TRACER and CONFIG_DYNAMIC_FTRACE")
      }
      functions = wish.functions
    }
    let names = try await connection.numberedEntries(
      "cpu", in: place.root.appending("per_cpu"), until: deadline)
    cpus = names.compactMap { Int($0.dropFirst(3)) }.filter { $0 < TracePlan.maxCPUs }
    guard !cpus.isEmpty else {
      throw InstrumentUnavailable("\(place.root)/per_cpu: has no CPUs")
    }
    bufferKiB =
      wish.bufferKiB
      ?? max(TracePlan.usualLeastKiB, TracePlan.usualTotalKiB / cpus.count)
  }

  /// More than any kernel is built for.
  private static let maxCPUs = 8192

  private mutating func chooseEvents(_ wish: TraceWish, from known: [TraceEvent]) throws {
    let (picked, missing) = TraceEvent.pick(wish.events, from: known)
    if !missing.isEmpty, wish.events != TraceWish.usualEvents {
      throw TraceEvent.unknown("events", missing, among: known)
    }
    events = picked
    guard !events.isEmpty || !wish.functions.isEmpty else {
      throw InstrumentUnavailable(
        "events: this kernel has none of \(wish.events.shortList)",
        hint: "name events that available_events in the target's tracefs lists")
    }
    for (pattern, text) in wish.filters.sorted(by: { $0.key < $1.key }) {
      let found = events.filter { $0.matches(pattern) }
      guard !found.isEmpty else {
        if known.contains(where: { $0.matches(pattern) }) {
          throw PlainFailure(
            .configuration, "filters: '\(pattern)' is not among the events that are traced",
            hint: "list it under 'events', too")
        }
        throw TraceEvent.unknown("filters", [pattern], among: known)
      }
      filters += found.map { ($0, text) }
    }
  }

  private mutating func chooseClock(_ wanted: String?, offered text: [UInt8]) throws {
    let offered = KernelText.words(text).map { $0.filter { $0 != "[" && $0 != "]" } }
    guard let wanted else {
      clock = TracePlan.usualClocks.first(where: offered.contains)
      return
    }
    guard offered.contains(wanted) else {
      throw PlainFailure(
        .configuration, "trace_clock: this kernel has no clock '\(wanted)'",
        hint: offered.isEmpty ? "" : "it has: \(offered.joined(separator: ", "))")
    }
    clock = wanted
  }
}

/// What the options ask for.
struct TraceWish: Sendable {
  /// Workload Automation's.
  static let usualEvents = ["sched*", "irq*", "power*", "thermal*"]

  var events: [String]
  var functions: [String]
  var filters: [String: String]
  var clock: String?
  var bufferKiB: Int?
}

extension KernelText {
  /// Words between blanks and line ends.
  static func words(_ text: [UInt8]) -> [String] {
    String(decoding: text, as: UTF8.self).split(whereSeparator: \.isWhitespace).map(String.init)
  }
}
