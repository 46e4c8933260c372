internal import KelvinModel

/// Keys that an entry has set so far, to find one set twice under two of its names.
typealias SeenKeys = [JobKey: LocatedValue.Entry]

// Settings of jobs, which may stand at any level.
extension OutlineReader {
  /// Which key an entry sets; nil with the reason in the diagnostics.
  mutating func key(
    _ entry: LocatedValue.Entry, at level: AgendaLevel, as owner: String, _ seen: inout SeenKeys
  ) -> JobKey? {
    guard let key = JobKey.named(entry.key, at: level) else {
      refuseUnknownKey(entry, at: level, as: owner)
      return nil
    }
    // WA's several names for augmentations add up.
    if key != .augmentations, let earlier = seen.updateValue(entry, forKey: key) {
      checker.diagnostics.error(
        entry.keyLocation,
        "\(owner): '\(entry.key)' sets the same as '\(earlier.key)' at \(earlier.keyLocation)",
        hint: "remove one of them")
      return nil
    }
    return key
  }

  private mutating func refuseUnknownKey(
    _ entry: LocatedValue.Entry, at level: AgendaLevel, as owner: String
  ) {
    let hint: String
    if checker.diagnostics.isFull {
      hint = ""
    } else if let sweep = OutlineReader.sweepHint(entry.key) {
      hint = sweep
    } else if let key = JobKey.byName[entry.key], key.isAllowed(at: .workload) {
      hint = "it belongs in a workload entry"
    } else if AgendaKeys.runByName[entry.key] != nil || LegacyKey.unused[entry.key] != nil {
      hint = "it belongs under 'config:'"
    } else if declarations.augmentationIndex[entry.key] != nil {
      hint = "settings of augmentations hold for the whole run and belong under 'config:'"
    } else {
      let names = JobKey.names(at: level)
      hint = NearestName.of(entry.key, in: names).map { "did you mean '\($0)'?" } ?? ""
    }
    checker.diagnostics.error(
      entry.keyLocation, "\(owner): unknown key \(LocatedValue.quoted(entry.key))", hint: hint)
  }

  /// What to write instead of WA's sweeps.
  static func sweepHint(_ key: String) -> String? {
    key.hasPrefix("sweep(")
      ? "Kelvin has no sweeps; write a section for each value, with a common 'group'" : nil
  }

  /// Reads one setting into a level.
  mutating func read(
    _ key: JobKey, _ entry: LocatedValue.Entry, into layer: inout JobLayer, as owner: String
  ) {
    switch key {
    case .id, .group, .workloads, .name: break
    case .iterations:
      if let count = value(key, entry, as: owner)?.integer {
        layer.iterations = Located(value: Int(count), location: entry.keyLocation)
      }
    case .label:
      if let label = value(key, entry, as: owner)?.text {
        layer.label = Located(value: label, location: entry.keyLocation)
      }
    case .setupTimeout, .runTimeout, .extractTimeout, .teardownTimeout:
      if let seconds = value(key, entry, as: owner)?.number {
        layer.timeouts.append(.init(key: key, seconds: seconds, location: entry.keyLocation))
      }
    case .cleanupAssets: readCleanup(entry, into: &layer, as: owner)
    case .link:
      guard let link = value(key, entry, as: owner)?.map else { return }
      let detached = DetachedLink(
        seconds: link["seconds"]?.number, settle: link["settle"]?.number ?? DetachedLink().settle)
      layer.link = Located(
        value: link["state"]?.text == "detached" ? detached : nil, location: entry.keyLocation)
    case .params: readParameters(map(entry, as: owner), into: &layer, as: owner)
    case .runtimeParameters:
      readSettings(map(entry, as: owner), into: &layer, as: owner)
    case .deploy: readDeploy(entry, into: &layer, as: owner)
    case .classifiers: layer.classifiers = map(entry, as: owner)
    case .augmentations: readAugmentations(entry, into: &layer, as: owner)
    case .bootParameters, .flash:
      guard !map(entry, as: owner).isEmpty else { return }
      checker.diagnostics.warning(
        entry.keyLocation, "\(owner): '\(entry.key)' has no effect: nothing uses it yet")
    }
  }

  private mutating func value(
    _ key: JobKey, _ entry: LocatedValue.Entry, as owner: String
  ) -> Value? {
    guard let option = AgendaKeys.declaration(of: key) else { return nil }
    return checker.value(entry.value, of: option, as: owner)
  }

  private mutating func map(
    _ entry: LocatedValue.Entry, as owner: String
  ) -> [LocatedValue.Entry] {
    if entry.value.isNull { return [] }
    if let map = entry.value.map { return map }
    checker.diagnostics.error(
      entry.value.location,
      "\(owner): \(entry.key): expected a map, found \(entry.value.shortDescription)")
    return []
  }

  /// Settings of the device under the names that their declarations give them.
  private mutating func readSettings(
    _ entries: [LocatedValue.Entry], into layer: inout JobLayer, as owner: String
  ) {
    var seen: [SettingName: LocatedValue.Entry] = [:]
    for entry in entries {
      guard let name = SettingName(entry.key, in: declarations.settings.declarations),
        let declaration = declarations.settings[name]
      else {
        checker.diagnostics.error(
          entry.keyLocation, "\(owner): unknown setting \(LocatedValue.quoted(entry.key))",
          hint: checker.diagnostics.isFull ? "" : declarations.settings.hint(for: entry.key))
        continue
      }
      if let earlier = seen.updateValue(entry, forKey: name) {
        checker.diagnostics.error(
          entry.keyLocation,
          "\(owner): '\(entry.key)' sets the same as '\(earlier.key)' at \(earlier.keyLocation)",
          hint: "remove one of them")
        continue
      }
      if let value = checker.value(entry.value, of: declaration.option, as: owner) {
        layer.runtimeParameters.append(
          Located(value: .init(name.description, value), location: entry.keyLocation))
      }
    }
  }

  /// Images and the way, each key by itself: other levels may say the rest.
  private mutating func readDeploy(
    _ entry: LocatedValue.Entry, into layer: inout JobLayer, as owner: String
  ) {
    guard let entries = entry.value.map else {
      if value(.deploy, entry, as: owner)?.text == "none" {
        layer.deploysNothing = entry.keyLocation
      }
      return
    }
    let values = checker.right(
      entries, AgendaKeys.deploy, as: "\(owner): deploy", at: entry.keyLocation)
    for written in entries {
      guard let value = values[written.key] else { continue }
      layer.deploy.append(
        Located(value: .init(written.key, value), location: written.keyLocation))
    }
  }

  private mutating func readCleanup(
    _ entry: LocatedValue.Entry, into layer: inout JobLayer, as owner: String
  ) {
    if let flag = value(.cleanupAssets, entry, as: owner)?.boolean {
      layer.cleanupAssets = Located(value: flag, location: entry.keyLocation)
    }
  }

  /// WA has `cleanup_assets` among the workload's parameters.
  private mutating func readParameters(
    _ entries: [LocatedValue.Entry], into layer: inout JobLayer, as owner: String
  ) {
    let cleanup = [JobKey.cleanupAssets.rawValue] + JobKey.cleanupAssets.aliases
    guard entries.contains(where: { cleanup.contains($0.key) }) else {
      layer.parameters = entries
      return
    }
    for entry in entries {
      if cleanup.contains(entry.key) {
        readCleanup(entry, into: &layer, as: owner)
      } else {
        layer.parameters.append(entry)
      }
    }
  }

  private mutating func readAugmentations(
    _ entry: LocatedValue.Entry, into layer: inout JobLayer, as owner: String
  ) {
    if entry.value.isNull { return }
    guard entry.value.map == nil else {
      checker.diagnostics.error(
        entry.value.location,
        "\(owner): \(entry.key): expected a list of names, found a map",
        hint: "settings of an augmentation stand under its own name in 'config:'")
      return
    }
    for item in entry.value.list ?? [entry.value] {
      guard let text = item.scalar?.text, !text.isEmpty, text != "~" else {
        checker.diagnostics.error(
          item.location,
          "\(owner): \(entry.key): expected a name, found \(item.shortDescription)",
          hint: "'~name' disables one augmentation, '~~' all inherited ones")
        continue
      }
      if text == "~~" {
        layer.dropsInherited = true
        continue
      }
      let isEnabled = !text.hasPrefix("~")
      let name = isEnabled ? text : String(text.dropFirst())
      guard let index = augmentation(name, isEnabled: isEnabled, at: item.location) else {
        continue
      }
      if let earlier = layer.toggles.first(where: { $0.augmentation == index }) {
        guard earlier.isEnabled != isEnabled else { continue }
        checker.diagnostics.error(
          item.location,
          "\(owner): \(LocatedValue.quoted(text)) contradicts \(earlier.location)",
          hint: "enable or disable it, not both")
        continue
      }
      layer.toggles.append(
        .init(augmentation: index, isEnabled: isEnabled, location: item.location))
    }
  }

  /// The position of an augmentation; nil with the reason in the diagnostics.
  mutating func augmentation(
    _ name: String, isEnabled: Bool, at location: SourceLocation
  ) -> Int? {
    if let index = declarations.augmentationIndex[name] { return index }
    let shown = LocatedValue.quoted(name)
    let isWAs = LegacyKey.augmentations.contains(NameIndex.fold(name))
    if isWAs, !isEnabled {
      checker.diagnostics.warning(location, "Kelvin has no augmentation \(shown) to disable")
      return nil
    }
    let hint: String
    if checker.diagnostics.isFull {
      hint = ""
    } else if isWAs {
      hint = "WA has it, Kelvin does not; remove it"
    } else if declarations.workloadIndex[name] != nil {
      hint = "this is a workload"
    } else {
      hint =
        NearestName.of(name, in: declarations.augmentationIndex.allNames).map {
          "did you mean '\($0)'?"
        }
        ?? "'kelvin list instruments' and 'kelvin list outputs' list them"
    }
    checker.diagnostics.error(location, "unknown augmentation \(shown)", hint: hint)
    return nil
  }
}
