internal import KelvinModel

// Sections and workload entries.
extension OutlineReader {
  /// Reads both lists; ids are collected first, so that automatic ones avoid those written.
  mutating func readEntries(sections: [LocatedValue], workloads: [LocatedValue]) {
    var sectionIDs = IDs(prefix: "s", kind: "section")
    var workloadIDs = IDs(prefix: "wk", kind: "workload")
    for workload in workloads { workloadIDs.collect(workload, &checker.diagnostics) }
    for section in sections {
      sectionIDs.collect(section, &checker.diagnostics)
      for workload in nestedWorkloads(section) {
        workloadIDs.collect(workload, &checker.diagnostics)
      }
    }
    outline.workloads.reserveCapacity(workloads.count)
    for workload in workloads { readWorkload(workload, section: nil, &workloadIDs) }
    for section in sections { readSection(section, &sectionIDs, &workloadIDs) }
  }

  private func nestedWorkloads(_ section: LocatedValue) -> [LocatedValue] {
    section.map?.first { $0.key == JobKey.workloads.rawValue }?.value.list ?? []
  }

  private mutating func readSection(
    _ value: LocatedValue, _ sectionIDs: inout IDs, _ workloadIDs: inout IDs
  ) {
    guard let entries = value.map else {
      checker.diagnostics.error(
        value.location, "a section must be a map, not \(value.shortDescription)",
        hint: "write for example '- id: fast'")
      return
    }
    var section = Outline.Section(id: sectionIDs.id(of: value), location: value.location)
    outline.ids.insert(section.id)
    let owner = "section '\(section.id)'"
    var seen = SeenKeys()
    for entry in entries {
      guard let key = key(entry, at: .section, as: owner, &seen) else { continue }
      switch key {
      case .id: break
      case .group:
        guard !entry.value.isNull else { continue }
        guard let scalar = entry.value.scalar else {
          refuse(entry, "a word")
          continue
        }
        section.group = Located(value: scalar.text, location: entry.keyLocation)
      case .workloads:
        if !entry.value.isNull, entry.value.list == nil {
          refuse(entry, "a list of workload names or maps")
        }
      default: read(key, entry, into: &section.layer, as: owner)
      }
    }
    let position = outline.sections.count
    outline.sections.append(section)
    for workload in nestedWorkloads(value) {
      readWorkload(workload, section: position, &workloadIDs)
    }
  }

  private mutating func readWorkload(
    _ value: LocatedValue, section: Int?, _ ids: inout IDs
  ) {
    let entries: [LocatedValue.Entry]
    switch value.content {
    case .map(let map): entries = map
    case .scalar(let scalar) where !scalar.isNull:
      entries = [.init(key: "name", keyLocation: value.location, value: value)]
    default:
      checker.diagnostics.error(
        value.location, "a workload entry must be a name or a map, not \(value.shortDescription)")
      return
    }
    let id = ids.id(of: value)
    outline.ids.insert(id)
    let owner = "workload entry '\(id)'"
    var declaration: Int?
    var isNamed = false
    var layer = JobLayer()
    var seen = SeenKeys()
    if let lone = loneWorkloadName(entries) {
      checker.diagnostics.error(
        lone.keyLocation, "\(owner): unknown key '\(lone.key)'",
        hint: "write 'name: \(lone.key)', and its parameters under 'params:'")
      return
    }
    for entry in entries {
      guard let key = key(entry, at: .workload, as: owner, &seen) else { continue }
      switch key {
      case .id: break
      case .name:
        isNamed = true
        declaration = workload(entry)
      default: read(key, entry, into: &layer, as: owner)
      }
    }
    guard isNamed else {
      checker.diagnostics.error(
        value.location, "\(owner): 'name' is missing", hint: "name the workload to run")
      return
    }
    guard let declaration else { return }
    var workload = Outline.Workload(
      id: id, declaration: declaration, section: section, location: value.location, layer: layer)
    workload.parameters = checker.settings(
      layer.parameters, of: declarations.workloads[declaration], at: value.location)
    outline.workloads.append(workload)
  }

  /// `- fio: {size: 1}` instead of `- name: fio`.
  private func loneWorkloadName(_ entries: [LocatedValue.Entry]) -> LocatedValue.Entry? {
    guard entries.count == 1, let entry = entries.first,
      JobKey.named(entry.key, at: .workload) == nil, declarations.workloadIndex[entry.key] != nil
    else { return nil }
    return entry
  }

  private mutating func workload(_ entry: LocatedValue.Entry) -> Int? {
    guard let scalar = entry.value.scalar, !scalar.isNull else {
      refuse(entry, "the name of a workload")
      return nil
    }
    if let index = declarations.workloadIndex[scalar.text] { return index }
    let nearest =
      checker.diagnostics.isFull
      ? nil : NearestName.of(scalar.text, in: declarations.workloadIndex.allNames)
    checker.diagnostics.error(
      entry.value.location, "unknown workload \(LocatedValue.quoted(scalar.text))",
      hint: nearest.map { "did you mean '\($0)'?" } ?? "'kelvin list workloads' lists them")
    return nil
  }
}

/// Ids of one kind of entry: those written, and automatic ones that avoid them.
struct IDs {
  let prefix: String
  let kind: String
  private var written: [String: SourceLocation] = [:]
  private var counter = 0

  init(prefix: String, kind: String) {
    self.prefix = prefix
    self.kind = kind
  }

  /// Notes and checks the id that an entry writes.
  mutating func collect(_ entry: LocatedValue, _ diagnostics: inout DiagnosticList) {
    guard let value = IDs.written(entry) else { return }
    guard let scalar = value.scalar, !scalar.text.isEmpty else {
      diagnostics.error(
        value.location, "\(kind) id: expected a word, found \(value.shortDescription)")
      return
    }
    let id = scalar.text
    let shown = LocatedValue.quoted(id)
    if let earlier = written[id] {
      diagnostics.error(
        value.location, "\(kind) id \(shown) is already used at \(earlier)",
        hint: "ids must differ; use 'label' for a name that repeats")
      return
    }
    written[id] = value.location
    if id == "global" {
      diagnostics.error(value.location, "\(kind) id 'global' is reserved")
    } else if id.contains("-") {
      diagnostics.error(
        value.location, "\(kind) id \(shown) contains '-', which joins section and workload ids",
        hint: "write \(LocatedValue.quoted(id.replacing("-", with: "_")))")
    } else if id.unicodeScalars.contains(where: { $0.value < 0x20 || $0 == "/" || $0 == "\u{7f}" })
    {
      diagnostics.error(
        value.location, "\(kind) id \(shown) contains '/' or a control character",
        hint: "ids become names of directories")
    } else if id.utf8.count > 100 {
      diagnostics.error(value.location, "\(kind) id \(shown) is longer than 100 bytes")
    }
  }

  /// The entry's id: as written, or the next automatic one.
  mutating func id(of entry: LocatedValue) -> String {
    if let scalar = IDs.written(entry)?.scalar { return scalar.text }
    while true {
      counter += 1
      let id = prefix + String(counter)
      if written[id] == nil { return id }
    }
  }

  private static func written(_ entry: LocatedValue) -> LocatedValue? {
    guard let value = entry.map?.first(where: { $0.key == JobKey.id.rawValue })?.value,
      !value.isNull
    else { return nil }
    return value
  }
}
