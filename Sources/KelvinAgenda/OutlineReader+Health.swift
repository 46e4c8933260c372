internal import KelvinModel

// When a board is not trusted.
extension OutlineReader {
  /// Reads `quarantine: {failures: 5, of: 10}`, or `off`.
  mutating func readQuarantine(_ value: Value, _ entry: LocatedValue.Entry) {
    guard let map = value.map else {
      settings.quarantine = nil
      return
    }
    let standard = QuarantineRule.standard
    let failures = map["failures"]?.integer.map(Int.init) ?? standard.failures
    // Who says how many failures alone means among as many attempts as usual, or all of them.
    let isWritten = entry.value.map?.contains { $0.key == "of" } ?? false
    let attempts = map["of"]?.integer.map(Int.init) ?? standard.attempts
    guard failures <= attempts || !isWritten else {
      checker.diagnostics.error(
        entry.value.location,
        "config: quarantine: \(failures) failures cannot be among \(attempts) attempts",
        hint: "write at least 'of: \(failures)'")
      return
    }
    settings.quarantine = QuarantineRule(failures: failures, of: attempts)
  }

  /// Reads `health_check`: the workload and its parameters are checked as those of an entry.
  mutating func readHealthCheck(_ value: Value, _ entry: LocatedValue.Entry) {
    guard let map = value.map, let name = map["workload"]?.text else { return }
    let written = entry.value.map?.first { $0.key == "workload" }?.value ?? entry.value
    guard let index = declarations.workloadIndex[name] else {
      checker.diagnostics.error(
        written.location, "config: health_check: unknown workload \(LocatedValue.quoted(name))",
        hint: NearestName.of(name, in: declarations.workloadIndex.allNames)
          .map { "did you mean '\($0)'?" } ?? "'kelvin list workloads' lists them")
      return
    }
    let declaration = declarations.workloads[index]
    guard declaration.linkUse != .loses else {
      checker.diagnostics.error(
        written.location,
        "config: health_check: the link does not live through '\(declaration.name)'",
        hint: "check by a workload that runs while the board answers, such as 'command'")
      return
    }
    let parameters = entry.value.map?.first { $0.key == "params" }?.value
    let entries = parameters?.map ?? []
    let values = checker.settings(entries, of: declaration, at: written.location)
    checker.requireAll(of: declaration, at: written.location) { option in
      entries.contains { option.isNamed($0.key) }
    }
    let times = (map["when"]?.list ?? []).compactMap {
      $0.text.flatMap(HealthCheck.Time.init(rawValue:))
    }
    let every = map["every"]?.integer.map(Int.init)
    guard !times.isEmpty || every != nil else {
      checker.diagnostics.error(
        entry.value.location, "config: health_check: 'when' is empty, so that it never runs",
        hint: "leave 'when' out, or add 'every: 20'")
      return
    }
    settings.healthCheck = HealthCheck(
      workload: declaration.name, parameters: declaration.options.withDefaults(values),
      seconds: map["timeout"]?.number ?? HealthCheck.seconds, times: Set(times), every: every)
  }
}
