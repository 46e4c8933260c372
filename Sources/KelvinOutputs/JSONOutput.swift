public import KelvinModel
public import KelvinStore

/// Writes results.json: all that happened, for programs; docs/outputs.md describes it.
public struct JSONOutput: OutputProcessor {
  public static let declaration = Declaration(
    .output, "json",
    summary: "results.json: run, jobs, attempts, metrics, artifacts and events, for programs",
    description: """
      One object with a documented, versioned schema (docs/outputs.md). Each spec and each job \
      stands on a line of its own.
      """)

  /// Raised by changes that a reader must know of; new keys do not raise it.
  public static let version = 1
  private static let fileName = "results.json"

  public init(settings: [String: Value]) {}

  public func process(run: RunReader, to directory: String) throws -> [Artifact] {
    let info = try run.run()
    let file = try ExportFile(path: directory + "/" + Self.fileName)
    try file.write("{\"format\":\"kelvin-results\",\"version\":\(Self.version),\n\"run\":")
    try file.write(try json(info, run).json)
    try file.write(",\n\"specs\":[")
    for (position, spec) in try run.specs().enumerated() {
      try file.write(position == 0 ? "\n" : ",\n")
      try file.write(json(spec).json)
    }
    try file.write("],\n\"jobs\":[")
    var fingerprints: Set<Int64> = []
    try run.forEachJob { job in
      try file.write(job.position == 0 ? "\n" : ",\n")
      try file.write(try json(job, run, &fingerprints).json)
    }
    try file.write("],\n\"fingerprints\":{")
    for (index, id) in fingerprints.sorted().enumerated() {
      try file.write(index == 0 ? "\n" : ",\n")
      try file.write("\"\(id)\":" + texts(try run.fingerprint(id)).json)
    }
    try file.write("}}\n")
    try file.commit()
    return [artifact(Self.fileName, "all results as JSON")]
  }

  private func json(_ info: RunInfo, _ run: RunReader) throws -> Value {
    let record = info.record
    var map: [String: Value] = [
      "id": .text(record.id), "name": .text(record.name), "board": .text(record.board),
      "kelvin_version": .text(record.kelvinVersion),
      "command_line": .list(record.commandLine.map(Value.text)),
      "created": .text(isoTime(record.createdWallNanoseconds)),
      "ended": info.endedWallNanoseconds.map { .text(isoTime($0)) } ?? .null,
      "state": .text(info.state.rawValue),
      "settings": json(info.settings),
      "sources": .list(record.sources.map { .text($0.path) }),
      "lives": .list(
        info.lives.map { life in
          [
            "id": .integer(life.id), "boot_id": .text(life.record.bootID),
            "process_id": .integer(Int64(life.record.processID)),
            "started": .text(isoTime(life.record.wallNanoseconds)),
            "monotonic_ns": .integer(life.record.monotonic.nanoseconds)
          ]
        }),
      "metrics": .list(try run.runMetrics().map(json)),
      "artifacts": .list(try run.artifacts(ofAttempt: nil).map(json)),
      "events": .list(try run.events(ofAttempt: nil).map(json))
    ]
    add(info.outcome, to: &map)
    return .map(map)
  }

  private func json(_ settings: RunSettings) -> Value {
    [
      "execution_order": .text(settings.executionOrder.rawValue),
      "seed": .text(String(settings.seed)),
      "reboot_policy": .text(settings.rebootPolicy.rawValue),
      "retry_on_status": .list(settings.retryOnStatus.map { .text($0.rawValue) }),
      "max_retries": .integer(Int64(settings.maxRetries)),
      "bail_on_init_failure": .boolean(settings.bailOnInitFailure),
      "bail_on_job_failure": .boolean(settings.bailOnJobFailure),
      "quarantine": settings.quarantine.map { .text($0.description) } ?? "off",
      "health_check": settings.healthCheck.map { .text($0.description) } ?? .null,
      "run_name": settings.runName.map(Value.text) ?? .null,
      "project": settings.project.map(Value.text) ?? .null,
      "project_stage": settings.projectStage.map(Value.text) ?? .null,
      "augmentations": .map(settings.augmentations.mapValues(Value.map))
    ]
  }

  private func json(_ spec: JobSpec) -> Value {
    [
      "id": .text(spec.id), "label": .text(spec.label), "workload": .text(spec.workload),
      "iterations": .integer(Int64(spec.iterations)), "parameters": .map(spec.parameters),
      "runtime_parameters": .list(spec.runtimeParameters.map { [.text($0.name), $0.value] }),
      "classifiers": texts(spec.classifiers),
      "augmentations": .list(spec.augmentations.map(Value.text)),
      "deploy": spec.deployment.map { deployment in
        texts(Dictionary(deployment.values.map { ($0.key, $0.value) }) { _, last in last })
      } ?? .null
    ]
  }

  private func json(
    _ job: JobRecord, _ run: RunReader, _ fingerprints: inout Set<Int64>
  ) throws -> Value {
    let spec = try run.spec(job.spec)
    var map: [String: Value] = [
      "position": .integer(Int64(job.position)), "spec": .integer(Int64(job.spec)),
      "id": .text(spec.id), "label": .text(spec.label), "workload": .text(spec.workload),
      "iteration": .integer(Int64(job.iteration))
    ]
    add(job.outcome, to: &map)
    var attempts: [Value] = []
    if job.attempts > 0 {
      for attempt in try run.attempts(ofJob: job.position) {
        if let id = attempt.fingerprint { fingerprints.insert(id) }
        attempts.append(try json(attempt, run))
      }
    }
    map["attempts"] = .list(attempts)
    return .map(map)
  }

  private func json(_ attempt: AttemptRecord, _ run: RunReader) throws -> Value {
    var map: [String: Value] = [
      "number": .integer(Int64(attempt.number)), "life": .integer(attempt.life),
      "started": .text(isoTime(attempt.startedWallNanoseconds)),
      "fingerprint": attempt.fingerprint.map(Value.integer) ?? .null,
      "changes": .map(attempt.changes),
      "metrics": .list(try run.metrics(ofAttempt: attempt.id).map(json)),
      "artifacts": .list(try run.artifacts(ofAttempt: attempt.id).map(json)),
      "events": .list(try run.events(ofAttempt: attempt.id).map(json))
    ]
    add(attempt.outcome, to: &map)
    var stages: [String: Value] = [:]
    let times = attempt.stages
    for (name, range) in [
      ("setup", times.setup), ("run", times.run), ("extract", times.extract),
      ("teardown", times.teardown)
    ] {
      guard let range else { continue }
      stages[name] = [
        "start_ns": .integer(range.lowerBound), "end_ns": .integer(range.upperBound)
      ]
    }
    map["stages"] = .map(stages)
    if let overhead = attempt.overhead {
      map["overhead"] = [
        "cpu_ns": .integer(overhead.cpuInsideWindow), "before_ns": .integer(overhead.beforeWindow),
        "after_ns": .integer(overhead.afterWindow)
      ]
    }
    return .map(map)
  }

  private func add(_ outcome: Outcome?, to map: inout [String: Value]) {
    map["verdict"] = outcome.map { .text($0.verdict.text) } ?? .null
    map["reason"] = outcome.map { .text($0.reason) } ?? .null
  }

  private func json(_ metric: Metric) -> Value {
    let value: Value =
      switch metric.value {
      case .integer(let value): .integer(value)
      // JSON has no word for these; as text they are not lost.
      case .number(let value): value.isFinite ? .number(value) : .text("\(value)")
      case .text(let value): .text(value)
      }
    return [
      "name": .text(metric.name), "value": value, "unit": .text(metric.unit),
      "uncertainty": metric.uncertainty.map { $0.isFinite ? .number($0) : .text("\($0)") } ?? .null,
      "lower_is_better": metric.lowerIsBetter.map(Value.boolean) ?? .null,
      "classifiers": texts(metric.classifiers), "source": .text(metric.source)
    ]
  }

  private func json(_ artifact: Artifact) -> Value {
    [
      "name": .text(artifact.name), "path": .text(artifact.path),
      "kind": .text(artifact.kind.rawValue), "description": .text(artifact.description),
      "source": .text(artifact.source)
    ]
  }

  private func json(_ event: EventRecord) -> Value {
    [
      "level": .text(event.level.rawValue), "time_ns": .integer(event.time.nanoseconds),
      "source": .text(event.source), "message": .text(event.message)
    ]
  }

  private func texts(_ map: [String: String]) -> Value { .map(map.mapValues(Value.text)) }
}
