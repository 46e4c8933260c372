internal import GRDB
internal import KelvinModel

// How a plan's parts are written as JSON in the columns of run and specs. Keys are documented in
// docs/run-database.md and never change their meaning; a key that is missing has its default, so
// that older runs stay readable.

extension RunSettings {
  /// The settings as a JSON object for run.settings.
  var stored: Value {
    var map: [String: Value] = [
      "execution_order": .text(executionOrder.rawValue),
      // As text: JSON readers keep integers exactly only up to 2^53.
      "seed": .text(String(seed)),
      "reboot_policy": .text(rebootPolicy.rawValue),
      "retry_on_status": .list(retryOnStatus.map { .text($0.rawValue) }),
      "max_retries": .integer(Int64(maxRetries)),
      "bail_on_init_failure": .boolean(bailOnInitFailure),
      "bail_on_job_failure": .boolean(bailOnJobFailure),
      "quarantine": quarantine.map(\.stored) ?? "off",
      "augmentations": .map(augmentations.mapValues(Value.map)),
      "provenance": .map(
        provenance.mapValues {
          .list([.text($0.file), .integer(Int64($0.line)), .integer(Int64($0.column))])
        })
    ]
    map["health_check"] = healthCheck.map(\.stored)
    map["run_name"] = runName.map(Value.text)
    map["project"] = project.map(Value.text)
    map["project_stage"] = projectStage.map(Value.text)
    return .map(map)
  }

  /// Reads settings from run.settings; nil when they are damaged.
  init?(stored value: Value) {
    guard let map = value.map else { return nil }
    self.init()
    if let text = map["execution_order"]?.text {
      guard let order = ExecutionOrder(rawValue: text) else { return nil }
      executionOrder = order
    }
    if let text = map["reboot_policy"]?.text {
      guard let policy = RebootPolicy(rawValue: text) else { return nil }
      rebootPolicy = policy
    }
    if let list = map["retry_on_status"]?.list {
      retryOnStatus = list.compactMap { $0.text.flatMap(Verdict.Status.init(rawValue:)) }
      guard retryOnStatus.count == list.count else { return nil }
    }
    seed = map["seed"]?.text.flatMap { UInt64($0) } ?? 0
    maxRetries = map["max_retries"]?.integer.map(Int.init) ?? maxRetries
    bailOnInitFailure = map["bail_on_init_failure"]?.boolean ?? bailOnInitFailure
    bailOnJobFailure = map["bail_on_job_failure"]?.boolean ?? bailOnJobFailure
    if let value = map["quarantine"] {
      quarantine = QuarantineRule(stored: value)
      guard quarantine != nil || value == "off" else { return nil }
    }
    if let value = map["health_check"] {
      guard let check = HealthCheck(stored: value) else { return nil }
      healthCheck = check
    }
    runName = map["run_name"]?.text
    project = map["project"]?.text
    projectStage = map["project_stage"]?.text
    augmentations = map["augmentations"]?.map?.compactMapValues(\.map) ?? [:]
    provenance =
      map["provenance"]?.map?.compactMapValues { place in
        guard let list = place.list, list.count == 3, let file = list[0].text,
          let line = list[1].integer, let column = list[2].integer
        else { return nil }
        return SourceLocation(file: file, line: Int(line), column: Int(column))
      } ?? [:]
  }
}

extension QuarantineRule {
  /// The rule as a JSON object.
  var stored: Value {
    ["failures": .integer(Int64(failures)), "of": .integer(Int64(attempts))]
  }

  /// Reads a rule; nil when it is none.
  init?(stored value: Value) {
    guard let failures = value.map?["failures"]?.integer, let attempts = value.map?["of"]?.integer
    else { return nil }
    self.init(failures: Int(clamping: failures), of: Int(clamping: attempts))
  }
}

extension HealthCheck {
  /// The check as a JSON object.
  var stored: Value {
    var map: [String: Value] = [
      "workload": .text(spec.workload), "params": .map(spec.parameters),
      "timeout": .number(spec.timeouts.run),
      "when": .list(times.map(\.rawValue).sorted().map(Value.text))
    ]
    map["every"] = every.map { .integer(Int64($0)) }
    return .map(map)
  }

  /// Reads a check; nil when it is damaged.
  init?(stored value: Value) {
    guard let map = value.map, let workload = map["workload"]?.text else { return nil }
    let times = (map["when"]?.list ?? []).compactMap { $0.text.flatMap(Time.init(rawValue:)) }
    self.init(
      workload: workload, parameters: map["params"]?.map ?? [:],
      seconds: map["timeout"]?.number ?? HealthCheck.seconds, times: Set(times),
      every: map["every"]?.integer.map(Int.init))
  }
}

extension StageTimeouts {
  /// The timeouts as a JSON object for specs.timeouts.
  var stored: Value {
    [
      "setup": .number(setup), "run": .number(run), "extract": .number(extract),
      "teardown": .number(teardown)
    ]
  }

  /// Reads timeouts from specs.timeouts.
  init(stored value: Value) {
    self.init()
    let map = value.map ?? [:]
    setup = map["setup"]?.number ?? setup
    run = map["run"]?.number ?? run
    extract = map["extract"]?.number ?? extract
    teardown = map["teardown"]?.number ?? teardown
  }
}

extension DetachedLink {
  /// As a JSON object for specs.link.
  var stored: Value {
    var map: [String: Value] = ["settle": .number(settle)]
    map["seconds"] = seconds.map(Value.number)
    return .map(map)
  }

  /// Reads specs.link.
  init?(stored value: Value) {
    guard let map = value.map else { return nil }
    self.init(seconds: map["seconds"]?.number)
    settle = map["settle"]?.number ?? settle
  }
}

extension Deployment {
  /// As a JSON object for specs.deploy.
  var stored: Value {
    .map(Dictionary(values.map { ($0.key, .text($0.value)) }) { _, last in last })
  }
}

extension JobSpec {
  static let insertion = """
    INSERT INTO specs (position, id, label, workload, iterations, parameters, runtime_parameters,
      classifiers, augmentations, timeouts, cleanup_assets, link, deploy)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    """
  /// The columns in the order of the table's definition: runs of older versions end before
  /// `link` or `deploy`.
  static let selection = "SELECT * FROM specs"

  /// The arguments of ``insertion``.
  func arguments(position: Int) -> StatementArguments {
    [
      position, id.storable, label.storable, workload.storable, iterations,
      Value.map(parameters).json,
      Value.list(runtimeParameters.map { [.text($0.name), $0.value] }).json,
      Value.json(classifiers), Value.json(augmentations), timeouts.stored.json, cleanupAssets,
      detached?.stored.json, deployment?.stored.json
    ]
  }

  /// Reads a row of ``selection``.
  init(_ row: RowReader) throws {
    let settings = try row.json(6).list ?? []
    self.init(
      id: try row.text(1), label: try row.text(2), workload: try row.text(3),
      parameters: try row.json(5).map ?? [:],
      runtimeParameters: settings.compactMap { setting in
        guard let pair = setting.list, pair.count == 2, let name = pair[0].text else { return nil }
        return Setting(name, pair[1])
      },
      classifiers: try row.texts(7),
      augmentations: (try row.json(8).list ?? []).compactMap(\.text),
      iterations: try row.int(4), timeouts: StageTimeouts(stored: try row.json(9)),
      cleanupAssets: try row.integer(10) != 0,
      detached: row.count > 11 ? DetachedLink(stored: try row.json(11)) : nil,
      deployment: row.count > 12 ? Deployment(try row.json(12).map ?? [:]) : nil)
  }
}
