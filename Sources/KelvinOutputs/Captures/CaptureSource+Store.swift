internal import KelvinModel
public import KelvinStore

extension CaptureSource {
  /// A capture of a run.
  ///
  /// Its spans are its attempt with its stages; for a capture of the run as a whole, those of all
  /// attempts of its life.
  public init(_ record: CaptureRecord, in run: RunReader) throws(StoreFailure) {
    let life = try run.run().lives.first { $0.id == record.life }?.record
    let reference = life.map {
      ClockReference(
        monotonic: $0.monotonic.nanoseconds, boottime: $0.boottimeNanoseconds,
        wall: $0.wallNanoseconds)
    }
    let id = record.id
    self.init(
      name: record.source, channels: record.channels, meter: record.meter,
      clock: record.clock ?? .host, events: try run.events(ofCapture: id), reference: reference,
      spans: try Self.spans(of: record, in: run),
      walk: { try run.forEachBlock(ofCapture: id, channel: $0, $1) },
      blocks: { ListCursor(try run.blocks(ofCapture: id, channel: $0)) })
  }

  private static func spans(
    of record: CaptureRecord, in run: RunReader
  ) throws(StoreFailure) -> [CaptureSpan] {
    var spans: [CaptureSpan] = []
    for job in try run.jobs() where job.attempts > 0 {
      let spec = try run.spec(job.spec)
      for attempt in try run.attempts(ofJob: job.position)
      where attempt.life == record.life && record.attempt ?? attempt.id == attempt.id {
        let stages: [(String, Range<Int64>?)] = [
          ("setup", attempt.stages.setup), ("run", attempt.stages.run),
          ("extract", attempt.stages.extract), ("teardown", attempt.stages.teardown)
        ]
        let happened = stages.compactMap { name, range in
          range.map { CaptureSpan(name: name, depth: 1, from: $0.lowerBound, to: $0.upperBound) }
        }
        guard let from = happened.map(\.from).min(), let to = happened.map(\.to).max() else {
          continue
        }
        var name = "\(spec.id) \(spec.label), iteration \(job.iteration)"
        if attempt.number > 1 { name += ", attempt \(attempt.number)" }
        spans.append(CaptureSpan(name: name, depth: 0, from: from, to: to))
        spans += happened
      }
    }
    return spans
  }
}

extension ImportedCapture {
  /// Writes the capture into a new run of its own, which holds nothing else.
  ///
  /// - Parameters:
  ///   - directory: where no run is yet.
  ///   - run: what identifies the run.
  /// - Throws: ``StoreFailure``, with code `exists` when there is a run.
  public func store(at directory: String, run: RunRecord) throws(StoreFailure) {
    var life = try LifeRecord.current()
    // Times of the capture are compared with this life's alone.
    if let reference {
      life.monotonic = MonotonicTime(nanoseconds: reference.monotonic)
      life.boottimeNanoseconds = reference.boottime
      life.wallNanoseconds = reference.wall
    } else {
      life.monotonic = MonotonicTime(nanoseconds: 0)
      life.boottimeNanoseconds = 0
    }
    let store = try RunStore.create(
      at: directory, run: run, plan: Plan(settings: RunSettings(), specs: [], jobs: []), life: life)
    defer { store.close() }
    let capture = try store.beginCapture(
      attempt: nil, source: name, channels: channels, meter: meter)
    if clock != .host { try store.setClock(capture: capture, fit: clock) }
    for blocks in blocks { try store.append(capture: capture, blocks: blocks) }
    try store.append(capture: capture, events: events)
    var summary: [String: Value] = ["samples": .integer(Int64(count)), "imported": true]
    if let damage { summary["damage"] = .text(damage.message) }
    try store.endCapture(capture, summary: summary)
    var notes = notes
    if reference == nil {
      notes.append("the file says no wall time: that of the import stands for it")
    }
    for note in notes + (damage.map { ["read up to a damage: \($0.message)"] } ?? []) {
      try store.record(
        EventRecord(.warning, source: "import", note, time: life.monotonic), attempt: nil)
    }
    try store.setRunState(
      .ended, outcome: damage == nil ? .ok : Outcome(.partial, "import ended early"))
  }
}
