internal import KelvinConnections
internal import KelvinModel

/// A tracing buffer for the markers of one attempt: its own instance with the clock `mono`, in which nothing
/// else is traced, so that nothing of Kelvin's goes over the link while the workload runs.
///
/// Programs write to the instance's trace_marker, or to the kernel's own: Linux 6.16 and later copy that, and
/// from others' it is taken from the kernel's own buffer, as far as nobody needs that for something else.
struct MarkerTrace: Sendable {
  let attempt: Int64
  private let place: TraceFileSystem
  private let base: TargetPath
  private var kernelsOwn = KernelsOwn.copied
  private var clock = BoardClock()
  private var questions = 0

  /// How markers that go to the kernel's own trace_marker are had.
  private enum KernelsOwn: Sendable {
    case copied
    /// Its buffer is read, and nothing of it is changed: its clock is `mono` already.
    case read
    /// Nobody uses its buffer: its clock is set, and set back.
    case lent(SavedTracing)
    /// Somebody traces with it.
    case missing
  }

  /// What was found.
  struct Found: Sendable {
    /// On the host's clock.
    var marks: [PhaseMark] = []
    var leftOut = 0
    /// Markers of whatever kind that were overwritten; marks before the last of them are left out.
    var lost: Int64 = 0
  }

  /// Memory of all CPUs together, and what one has at least, in KiB.
  private static let totalKiB = 8192
  private static let leastKiB = 128
  /// Questions about the board's time, before the window and after it.
  private static let burst = 8
  /// What a buffer's marks may come to as text.
  private static let textLimit = 8 << 20

  /// Where a workload writes that is to be heard on any kernel.
  var marker: TargetPath { base.appending("trace_marker") }
  /// Whether what is written to the kernel's own trace_marker is not heard.
  var isDeafToTheKernels: Bool {
    if case .missing = kernelsOwn { true } else { false }
  }

  /// Makes the instance, which records at once.
  ///
  /// - Throws: what the kernel refused; nothing is left of it then.
  init(
    _ place: TraceFileSystem, attempt: Int64, _ connection: any Connection,
    until deadline: Deadline
  ) async throws {
    self.attempt = attempt
    self.place = place
    base = place.instances.appending(TraceFileSystem.newInstanceName())
    guard place.hasInstances else {
      throw PlainFailure(
        .target, "phases: trace_marker: this kernel has no tracing instances (before Linux 3.10)",
        hint: "lines 'kelvin-phase: NAME' on standard output mark phases, too")
    }
    try await place.makeInstance(base, connection, until: deadline)
    do {
      try await configure(connection, until: deadline)
    } catch {
      try? await remove(connection, until: .after(seconds: 20))
      throw error
    }
  }

  private mutating func configure(
    _ connection: any Connection, until deadline: Deadline
  ) async throws {
    let cpus = try await connection.numberedEntries(
      "cpu", in: base.appending("per_cpu"), until: deadline
    ).count
    let size = max(Self.leastKiB, Self.totalKiB / max(1, cpus))
    let needed = [("trace_clock", "mono"), ("buffer_size_kb", "\(size)"), ("tracing_on", "1")]
    // Whoever changed the form of the kernel's own buffer changed that of new instances, too.
    let wished = [
      ("options/overwrite", "1"), ("options/markers", "1"), ("options/raw", "0"),
      ("options/hex", "0"), ("options/bin", "0"), ("options/verbose", "0"),
      ("options/context-info", "1"), ("options/copy_trace_marker", "1")
    ]
    let results = try await connection.write(
      (needed + wished).map { (base.appending($0.0), Array($0.1.utf8)) }, until: deadline)
    for (setting, result) in zip(needed, results) {
      guard case .failure(let error) = result else { continue }
      throw PlainFailure(
        .target, "\(base)/\(setting.0): '\(setting.1)' was refused: \(error)")
    }
    if case .success = results[results.count - 1] { return }
    try await reachKernelsOwn(connection, until: deadline)
  }

  private mutating func reachKernelsOwn(
    _ connection: any Connection, until deadline: Deadline
  ) async throws {
    let files = try await connection.read(
      ["trace_clock", "tracing_on"].map(place.root.appending), until: deadline
    ).map { KernelText((try? $0.get()) ?? []).trimmed }
    let others = try await connection.entries(of: place.instances, until: deadline)
      .contains { $0.hasPrefix("kelvin-") && place.instances.appending($0) != base }
    // An 'ftrace' beside has lent it, and turns it on with the window.
    if files[0].contains("[mono]"), others || files[1] == "1" {
      kernelsOwn = .read
    } else if !others, try await SavedTracing.isIdle(place, connection, until: deadline) {
      let saved = try await SavedTracing(
        place, TracePlan(clock: "mono"), connection, until: deadline)
      kernelsOwn = .lent(saved)
      let results = try await connection.write(
        [("trace_clock", "mono"), ("tracing_on", "1")].map {
          (place.root.appending($0.0), Array($0.1.utf8))
        }, until: deadline)
      for case .failure(let error) in results {
        throw PlainFailure(.target, "\(place.root)/trace_clock: \(error)")
      }
    } else {
      kernelsOwn = .missing
    }
  }

  // MARK: The window

  /// Compares the clocks and empties the buffer: the last thing before the window.
  mutating func begin(_ connection: any Connection, until deadline: Deadline) async throws {
    let asked = try await ask(connection, until: deadline)
    let (text, _) = try await read(base, connection, until: deadline)
    clock.add(Self.readings(asked, text))
    let result = try await connection.execute(
      Command(
        ["sh", "-c", ": >\"$1\"", "sh", base.appending("trace").string], endsDescendants: false),
      until: deadline)
    guard result.isSuccess, !clock.readings.isEmpty else {
      throw PlainFailure(
        .target, "\(base): what was written to its trace_marker is not in its trace",
        evidence: result.standardError.text.oneLine)
    }
  }

  /// What was marked since ``begin(_:until:)``, after the window.
  mutating func collect(
    _ connection: any Connection, until deadline: Deadline
  ) async throws -> Found {
    let asked = try await ask(connection, until: deadline)
    let own = try await read(base, connection, until: deadline)
    clock.add(Self.readings(asked, own.text))
    var buffers = [own]
    switch kernelsOwn {
    case .read, .lent: buffers.append(try await read(place.root, connection, until: deadline))
    case .copied, .missing: break
    }
    guard var fit = clock.fit else {
      throw PlainFailure(.target, "\(base): the board's clock could not be read")
    }
    var limit = clock.bound(of: fit)
    // The clock of this very machine: then the exchange would only make it worse.
    if connection.capabilities.isThisMachine, abs(fit.safeHost(fit.origin) - fit.origin) <= limit {
      (fit, limit) = (.host, 1000)
    }
    var found = Found()
    for (text, losses) in buffers {
      found.lost += losses.count
      for phase in text.phases where phase.time > losses.completeSince {
        found.marks.append(
          PhaseMark(
            time: fit.safeHost(phase.time), limit: limit + MarkerText.rounding, name: phase.name))
      }
    }
    found.marks.sort { $0.time < $1.time }
    found.leftOut = max(0, found.marks.count - PhaseMark.most)
    found.marks = Array(found.marks.prefix(PhaseMark.most))
    return found
  }

  /// Writes markers one after the other: between when it is asked and answered, the kernel takes its time.
  private mutating func ask(
    _ connection: any Connection, until deadline: Deadline
  ) async throws -> [Int: (sent: Int64, received: Int64)] {
    var asked: [Int: (sent: Int64, received: Int64)] = [:]
    for _ in 0..<Self.burst {
      questions += 1
      let sent = MonotonicTime.now.nanoseconds
      let results = try await connection.write(
        [(marker, Array("\(MarkerText.clockPrefix) \(questions)\n".utf8))], until: deadline)
      let received = MonotonicTime.now.nanoseconds
      if case .failure(let error) = results[0] {
        throw PlainFailure(.target, "\(marker): \(error)")
      }
      asked[questions] = (sent, received)
    }
    return asked
  }

  private static func readings(
    _ asked: [Int: (sent: Int64, received: Int64)], _ text: MarkerText
  ) -> [ClockReading] {
    text.clock.compactMap { number, time in
      asked[number].map { asked in
        ClockReading(
          sent: asked.sent, boardReceived: time - MarkerText.rounding,
          boardSent: time + MarkerText.rounding, received: asked.received)
      }
    }.filter(\.isPlausible)
  }

  private func read(
    _ buffer: TargetPath, _ connection: any Connection, until deadline: Deadline
  ) async throws -> (text: MarkerText, losses: MarkerLosses) {
    let script =
      "test -r \"$1/trace\" || exit 3; grep -e ': kelvin-' \"$1/trace\"; echo; echo =; "
      + "cat \"$1\"/per_cpu/cpu*/stats"
    let result = try await connection.execute(
      Command(
        ["sh", "-c", script, "sh", buffer.string], environment: ["LC_ALL": "C"],
        standardOutput: .capture(limit: Self.textLimit), endsDescendants: false),
      until: deadline)
    let bytes = result.standardOutput.bytes
    guard result.isSuccess, !result.standardOutput.isTruncated,
      let cut = bytes.lastRange(of: Array("\n=\n".utf8))
    else {
      throw PlainFailure(
        .target, "\(buffer)/trace: cannot be read", evidence: result.standardError.text.oneLine,
        hint: "has the board rebooted, or was the instance removed?")
    }
    return (
      MarkerText(Array(bytes[..<cut.lowerBound])), MarkerLosses(Array(bytes[cut.upperBound...]))
    )
  }

  // MARK: The end

  /// Removes the instance, and gives the kernel's own buffer back as it was.
  func remove(_ connection: any Connection, until deadline: Deadline) async throws {
    if case .lent(let saved) = kernelsOwn {
      try await saved.restore(connection, until: deadline)
    }
    try await place.removeInstance(base, connection, until: deadline)
  }
}

extension [UInt8] {
  /// Where some bytes stand for the last time.
  fileprivate func lastRange(of bytes: [UInt8]) -> Range<Int>? {
    guard count >= bytes.count else { return nil }
    for start in stride(from: count - bytes.count, through: 0, by: -1)
    where self[start..<start + bytes.count].elementsEqual(bytes) {
      return start..<start + bytes.count
    }
    return nil
  }
}
