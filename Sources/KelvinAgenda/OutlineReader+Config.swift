internal import KelvinModel

// Config files and the agenda's `config`.
extension OutlineReader {
  /// Reads one source of config; what it says wins over the sources read before.
  mutating func readConfig(_ entries: [LocatedValue.Entry], isAgenda: Bool) {
    var config = Outline.Config()
    var seen = SeenKeys()
    var seenPlugins: [String: LocatedValue.Entry] = [:]
    for entry in entries {
      if let option = AgendaKeys.runByName[entry.key] {
        readRunSetting(option, entry, isAgenda: isAgenda)
      } else if JobKey.named(entry.key, at: .config) != nil {
        if let key = key(entry, at: .config, as: "config", &seen) {
          read(key, entry, into: &config.layer, as: "config")
        }
      } else if !readLegacy(entry, isAgenda: isAgenda) {
        readPlugin(entry, into: &config, &seenPlugins)
      }
    }
    refuseGenericAfterSpecific(config)
    outline.configs.append(config)
  }

  // MARK: run-wide settings

  private mutating func readRunSetting(
    _ option: OptionDeclaration, _ entry: LocatedValue.Entry, isAgenda: Bool
  ) {
    if option.name == "run_name", !isAgenda {
      checker.diagnostics.error(
        entry.keyLocation, "'run_name' stands in a config file, which is for many runs",
        hint: "write it under 'config:' in the agenda")
      return
    }
    let written = normalized(entry.value, of: option)
    guard let value = checker.value(written, of: option, as: "config") else { return }
    settings.provenance[option.name] = entry.keyLocation
    switch option.name {
    case "execution_order":
      if let order = value.text.flatMap(ExecutionOrder.init(rawValue:)) {
        settings.executionOrder = order
      }
    case "seed": if let seed = value.integer { settings.seed = UInt64(seed) }
    case "reboot_policy": readRebootPolicy(value, at: entry.value.location)
    case "retry_on_status":
      settings.retryOnStatus = (value.list ?? []).compactMap {
        $0.text.flatMap(Verdict.Status.init(rawValue:))
      }
    case "max_retries": if let count = value.integer { settings.maxRetries = Int(count) }
    case "bail_on_init_failure":
      if let flag = value.boolean { settings.bailOnInitFailure = flag }
    case "bail_on_job_failure":
      if let flag = value.boolean { settings.bailOnJobFailure = flag }
    case "quarantine": readQuarantine(value, entry)
    case "health_check": readHealthCheck(value, entry)
    case "run_name": settings.runName = value.text
    case "project": settings.project = value.text
    case "project_stage":
      settings.projectStage = written.scalar?.text ?? value.json
    default: break
    }
  }

  /// The spellings of words that WA accepts: any case, and spaces in reboot policies. Unknown words
  /// stay as written, for the message.
  private mutating func normalized(
    _ value: LocatedValue, of option: OptionDeclaration
  ) -> LocatedValue {
    func replacing(_ value: LocatedValue, _ change: (String) -> String) -> LocatedValue {
      guard let scalar = value.scalar, !scalar.isNull else { return value }
      let text = change(scalar.text)
      guard option.type.accepts(text) else { return value }
      return LocatedValue(.scalar(.init(text, isQuoted: scalar.isQuoted)), at: value.location)
    }
    switch option.name {
    case "reboot_policy":
      return replacing(value) {
        String($0.trimmingASCIIWhitespace).lowercased().replacing(" ", with: "_")
      }
    case "retry_on_status":
      guard let list = value.list else { return replacing(value) { $0.lowercased() } }
      return LocatedValue(
        .list(list.map { replacing($0) { $0.lowercased() } }), at: value.location)
    case "execution_order":
      guard let text = value.scalar?.text, let modern = LegacyKey.executionOrders[text] else {
        return value
      }
      checker.diagnostics.warning(
        value.location, "execution order '\(text)' is WA2's word for '\(modern)'",
        hint: "write '\(modern)'")
      return replacing(value) { _ in modern }
    default: return value
    }
  }

  private mutating func readRebootPolicy(_ value: Value, at location: SourceLocation) {
    guard let policy = value.text.flatMap(RebootPolicy.init(rawValue:)) else { return }
    guard request.isLocalTarget, policy != .never, policy != .asNeeded else {
      settings.rebootPolicy = policy
      return
    }
    checker.diagnostics.error(
      location,
      "reboot_policy '\(policy.rawValue)' needs a board: this machine runs Kelvin and is never "
        + "rebooted", hint: "write 'never' or 'as_needed'", blocksPlan: false)
    if !checker.diagnostics.isLenient { settings.rebootPolicy = policy }
  }

  // MARK: plug-ins

  private mutating func readPlugin(
    _ entry: LocatedValue.Entry, into config: inout Outline.Config,
    _ seen: inout [String: LocatedValue.Entry]
  ) {
    let augmentation = declarations.augmentationIndex[entry.key]
    let workload = declarations.workloadIndex[entry.key]
    guard augmentation != nil || workload != nil else {
      refuseConfigKey(entry)
      return
    }
    let declaration =
      augmentation.map { declarations.augmentations[$0] }
      ?? workload.map { declarations.workloads[$0] }
    guard let declaration else { return }
    if let earlier = seen.updateValue(entry, forKey: declaration.name) {
      checker.diagnostics.error(
        entry.keyLocation,
        "config: '\(entry.key)' names the same as '\(earlier.key)' at \(earlier.keyLocation)",
        hint: "put the settings together")
      return
    }
    guard !entry.value.isNull else { return }
    guard let entries = entry.value.map else {
      checker.diagnostics.error(
        entry.value.location,
        "\(declaration.kind.rawValue) '\(declaration.name)': expected a map of settings, found "
          + entry.value.shortDescription)
      return
    }
    let values = checker.settings(entries, of: declaration, at: entry.value.location)
    guard let augmentation else {
      if let workload { config.specific[workload] = .init(values: values, entries: entries) }
      return
    }
    augmentationSettings[augmentation, default: .init()].values.merge(values) { _, new in new }
    for option in entries {
      guard let name = declaration.options.first(where: { $0.isNamed(option.key) })?.name
      else { continue }
      augmentationSettings[augmentation, default: .init()].names.insert(name)
      guard values[name] != nil else { continue }
      settings.provenance["\(declaration.name).\(name)"] = option.keyLocation
    }
  }

  private mutating func refuseConfigKey(_ entry: LocatedValue.Entry) {
    let shown = LocatedValue.quoted(entry.key)
    if LegacyKey.augmentations.contains(NameIndex.fold(entry.key)) {
      checker.diagnostics.warning(
        entry.keyLocation, "config: \(shown) has no effect: WA has this plug-in, Kelvin does not")
      return
    }
    let hint: String
    if checker.diagnostics.isFull {
      hint = ""
    } else if let sweep = OutlineReader.sweepHint(entry.key) {
      hint = sweep
    } else if let key = JobKey.byName[entry.key] {
      hint =
        key == .id
        ? "only sections and workload entries have ids"
        : "it belongs in a \(key.isAllowed(at: .workload) ? "workload entry" : "section")"
    } else {
      let names =
        AgendaKeys.run.map(\.name) + JobKey.names(at: .config)
        + declarations.augmentationIndex.allNames + declarations.workloadIndex.allNames
      hint =
        NearestName.of(entry.key, in: names).map { "did you mean '\($0)'?" }
        ?? "docs/agenda.md lists the keys; any other must name a plug-in"
    }
    checker.diagnostics.error(entry.keyLocation, "config: unknown key \(shown)", hint: hint)
  }

  /// WA's rule: a later source wins, and the more specific key wins; where the two contradict each
  /// other, nobody can know what was meant.
  private mutating func refuseGenericAfterSpecific(_ config: Outline.Config) {
    for generic in config.layer.parameters {
      for earlier in outline.configs {
        for (workload, parameters) in earlier.specific {
          let declaration = declarations.workloads[workload]
          guard
            let option = declaration.options.first(where: { $0.isNamed(generic.key) }),
            let specific = parameters.entries.first(where: { option.isNamed($0.key) })
          else { continue }
          checker.diagnostics.error(
            generic.keyLocation,
            "config: parameter \(LocatedValue.quoted(generic.key)) for all workloads comes after "
              + "the one for '\(declaration.name)' at \(specific.keyLocation)",
            hint: "write it under '\(declaration.name):' here, or remove one of them")
        }
      }
    }
  }
}

extension OptionType {
  /// Whether a word is one of the choices, of this or of its elements.
  fileprivate func accepts(_ word: String) -> Bool {
    switch self {
    case .choice(let words): words.contains(word)
    case .list(let element): element.accepts(word)
    default: false
    }
  }
}
