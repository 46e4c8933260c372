internal import KelvinModel

/// What holds for the whole run: WA's run keys, and the settings of instruments and outputs.
struct SettingsBuilder {
  private(set) var run = RunSettings()
  private(set) var seed: UInt64?
  /// As written, by canonical name; later files win key by key.
  private var plugins: [String: [LocatedValue.Entry]] = [:]
  private let byName: [String: Declaration]
  private let knownKeys: [String]

  init(declarations: Declarations = Declarations(workloads: [], instruments: [], outputs: [])) {
    var byName: [String: Declaration] = [:]
    for declaration in declarations.instruments + declarations.outputs {
      for name in [declaration.name] + declaration.aliases { byName[name] = declaration }
    }
    self.byName = byName
    knownKeys =
      Layer.keys(.global) + SettingsBuilder.runKeys
      + (declarations.instruments + declarations.outputs).map(\.name)
  }

  /// The instrument or output of this name or alias.
  func declaration(named name: String) -> Declaration? { byName[name] }

  static let runKeys = [
    "execution_order", "reboot_policy", "retry_on_status", "max_retries", "bail_on_init_failure",
    "bail_on_job_failure", "run_name", "project", "project_stage", "seed", "device",
    "device_config"
  ]

  /// Keys of Workload Automation that have no place here, and what to write instead.
  private static let answers: [String: String] = [
    "user_directory": "Kelvin's own files are in ~/.config/kelvin",
    "assets_repository": "assets are found in $KELVIN_ASSETS and ~/.config/kelvin/assets",
    "logging": "use --verbose, --quiet and --log-format",
    "verbosity": "use --verbose or --quiet",
    "default_output_directory": "use -d; runs go to ./runs",
    "extra_plugin_paths": "plug-ins are Swift packages",
    "allow_phone_home": "Kelvin never phones home",
    "remote_assets_url": "assets are found in $KELVIN_ASSETS and ~/.config/kelvin/assets",
    "remote_assets_username": "assets are not fetched",
    "remote_assets_password":
      "assets are not fetched; remove the password from this file"
  ]

  mutating func take(
    _ entry: LocatedValue.Entry, isUsers: Bool, into diagnostics: inout [Diagnostic]
  ) {
    let value = entry.value
    let name = "config: \(entry.key)"
    func checked(_ type: OptionType, range: ClosedRange<Double>? = nil) -> Value? {
      let checked = type.validate(value, as: name, range: range, into: &diagnostics)
      if checked != nil { run.provenance[entry.key] = value.location }
      return checked
    }
    switch entry.key {
    case "execution_order":
      let type = OptionType.choice(ExecutionOrder.allCases.map(\.rawValue))
      if let text = checked(type)?.text, let order = ExecutionOrder(rawValue: text) {
        run.executionOrder = order
      }
    case "reboot_policy":
      let type = OptionType.choice(RebootPolicy.allCases.map(\.rawValue))
      guard let text = checked(type)?.text, let policy = RebootPolicy(rawValue: text) else { break }
      if policy != .never, policy != .asNeeded {
        diagnostics.append(
          Diagnostic(
            isUsers ? .warning : .error, at: value.location,
            "\(name): '\(text)' would reboot the machine that Kelvin runs on",
            hint: "on the local machine write never or as_needed"))
        if isUsers { break }
      }
      run.rebootPolicy = policy
    case "retry_on_status":
      let words = Verdict.Status.allCases.map(\.rawValue)
      var statuses: [Verdict.Status] = []
      for element in value.list ?? [value] {
        guard let text = element.scalar?.text,
          let status = Verdict.Status(rawValue: text.lowercased())
        else {
          diagnostics.append(
            Diagnostic(
              at: element.location,
              "\(name): expected one of \(words.joined(separator: ", ")), found "
                + element.shortDescription))
          continue
        }
        statuses.append(status)
      }
      run.provenance[entry.key] = value.location
      run.retryOnStatus = statuses
    case "max_retries":
      if let number = checked(.integer, range: 0...1000)?.integer { run.maxRetries = Int(number) }
    case "bail_on_init_failure":
      if let flag = checked(.boolean)?.boolean { run.bailOnInitFailure = flag }
    case "bail_on_job_failure":
      if let flag = checked(.boolean)?.boolean { run.bailOnJobFailure = flag }
    case "run_name": run.runName = checked(.text)?.text ?? run.runName
    case "project": run.project = checked(.text)?.text ?? run.project
    case "project_stage": run.projectStage = checked(.text)?.text ?? run.projectStage
    case "seed":
      if let number = checked(.integer, range: 0...9.2e18)?.integer { seed = UInt64(number) }
    case "device":
      let text = value.scalar?.text ?? ""
      if !["local", "generic_local"].contains(text) {
        diagnostics.append(
          Diagnostic(
            isUsers ? .warning : .error, at: value.location,
            "\(name): \(value.shortDescription) is no device that this version can reach",
            hint: "write 'generic_local' for this machine; boards come with bench.yaml"))
      }
    case "device_config":
      diagnostics.append(
        Diagnostic(
          .warning, at: entry.keyLocation,
          "\(name): left out; the local machine has no settings, boards come with bench.yaml"))
    case let key where SettingsBuilder.answers[key] != nil:
      diagnostics.append(
        Diagnostic(
          .warning, at: entry.keyLocation, "\(name): left out",
          hint: SettingsBuilder.answers[key] ?? ""))
    default: takePlugin(entry, isUsers: isUsers, into: &diagnostics)
    }
  }

  private mutating func takePlugin(
    _ entry: LocatedValue.Entry, isUsers: Bool, into diagnostics: inout [Diagnostic]
  ) {
    guard let declaration = byName[entry.key] else {
      diagnostics.append(
        Diagnostic(
          isUsers ? .warning : .error, at: entry.keyLocation,
          "config: unknown key '\(entry.key)'",
          hint: NearestName.hint(for: entry.key, in: knownKeys)))
      return
    }
    guard let map = entry.value.map else {
      if !entry.value.isNull {
        diagnostics.append(
          Diagnostic(
            at: entry.value.location,
            "config: \(entry.key): expected a map, found \(entry.value.shortDescription)"))
      }
      return
    }
    for setting in map {
      let option = declaration.options.first { $0.isNamed(setting.key) }
      plugins[declaration.name, default: []].removeAll { earlier in
        earlier.key == setting.key || option?.isNamed(earlier.key) == true
      }
      plugins[declaration.name, default: []].append(setting)
    }
  }

  /// Validated settings of what is enabled or configured, defaults filled in.
  mutating func finish(
    enabled: [String], seed chosen: UInt64, into diagnostics: inout [Diagnostic]
  ) -> RunSettings {
    run.seed = chosen
    for name in Set(enabled).union(plugins.keys).sorted() {
      guard let declaration = byName[name] else { continue }
      let entries = plugins[name] ?? []
      let location = entries.first?.keyLocation ?? SourceLocation(file: "config")
      if let values = declaration.options.validate(
        entries, as: "config: \(name)", at: location, into: &diagnostics)
      {
        run.augmentations[name] = values
      }
      for entry in entries { run.provenance["\(name).\(entry.key)"] = entry.value.location }
    }
    return run
  }
}
