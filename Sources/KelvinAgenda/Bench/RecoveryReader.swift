internal import KelvinModel

/// Reads `recovery`: a list of rungs, each a name or a name with its options.
///
///     recovery: [reconnect, {sysrq: {keys: sub}}, {power_cycle: {count: 3, off: 5 s}}]
struct RecoveryReader {
  /// Starts messages: `board 'rock'`.
  let owner: String

  /// A rung as written, and where.
  typealias Written = (plan: RungPlan, location: SourceLocation)

  /// The ladder; nil when anything of it is wrong.
  func read(_ value: LocatedValue, _ checker: inout ValueChecker) -> [Written]? {
    guard let list = value.list, !list.isEmpty else {
      checker.diagnostics.error(
        value.location,
        "\(owner): recovery: expected a list of rungs, found "
          + (value.list == nil ? value.shortDescription : "an empty list"),
        hint: value.list == nil
          ? "write for example '[reconnect, {power_cycle: {count: 3, off: 5 s}}]'"
          : "'reboot_policy: never' of an agenda leaves a board as it is")
      return nil
    }
    var rungs: [Written] = []
    for element in list.prefix(DiagnosticList.limit) {
      guard let (name, options, place) = parts(element, &checker),
        let rung = rung(name, at: place, &checker)
      else { continue }
      if let earlier = rungs.first(where: { $0.plan.rung == rung }) {
        checker.diagnostics.error(
          place,
          "\(owner): recovery: '\(name)' is already a rung at \(earlier.location)",
          hint: "'count' says how often it is tried")
        continue
      }
      if let plan = plan(rung, options, at: place, &checker) { rungs.append((plan, place)) }
    }
    return rungs.count == list.count ? rungs : nil
  }

  /// The name of a rung, and its options.
  private func parts(
    _ element: LocatedValue, _ checker: inout ValueChecker
  ) -> (name: String, options: [LocatedValue.Entry], place: SourceLocation)? {
    if let scalar = element.scalar, !scalar.isNull { return (scalar.text, [], element.location) }
    guard let map = element.map, map.count == 1, let entry = map.first else {
      checker.diagnostics.error(
        element.location,
        "\(owner): recovery: expected a rung, or one rung with its options, found "
          + element.shortDescription,
        hint: "write for example 'reset', or '{reset: {count: 3}}'")
      return nil
    }
    guard !entry.value.isNull else { return (entry.key, [], entry.keyLocation) }
    guard let options = entry.value.map else {
      checker.diagnostics.error(
        entry.value.location,
        "\(owner): recovery: \(LocatedValue.printable(entry.key)): expected a map of options, found "
          + entry.value.shortDescription)
      return nil
    }
    return (entry.key, options, entry.keyLocation)
  }

  private func rung(
    _ name: String, at place: SourceLocation, _ checker: inout ValueChecker
  ) -> Rung? {
    if let rung = Rung(rawValue: name.replacing("-", with: "_").lowercased()) { return rung }
    checker.diagnostics.error(
      place, "\(owner): recovery: unknown rung \(LocatedValue.quoted(name))",
      hint: NearestName.hint(for: name, in: Rung.allCases.map(\.rawValue)))
    return nil
  }

  private func plan(
    _ rung: Rung, _ entries: [LocatedValue.Entry], at place: SourceLocation,
    _ checker: inout ValueChecker
  ) -> RungPlan? {
    let options = RecoveryKeys.options(of: rung)
    let values = checker.diagnostics.collect { found in
      options.validate(
        Array(entries.prefix(DiagnosticList.limit)), as: "\(owner): recovery: \(rung.rawValue)",
        at: place, into: &found)
    }
    guard let values else { return nil }
    var plan = RungPlan(rung, count: values["count"]?.integer.map(Int.init))
    plan.timeoutSeconds = values["timeout"]?.number
    plan.pulseSeconds = values["pulse"]?.number ?? plan.pulseSeconds
    plan.offSeconds = values["off"]?.number
    plan.rescue.commands = values["commands"]?.list?.compactMap(\.text) ?? []
    plan.rescue.boot = values["boot"]?.text ?? plan.rescue.boot
    plan.rescue.flash = values["flash"]?.map?.compactMapValues(\.text) ?? [:]
    plan.rescue.run = values["run"]?.list?.compactMap(\.text) ?? []
    plan.keys = values["keys"]?.text ?? plan.keys
    return isRight(plan, entries, at: place, &checker) ? plan : nil
  }

  /// What no option's type can say.
  private func isRight(
    _ plan: RungPlan, _ entries: [LocatedValue.Entry], at place: SourceLocation,
    _ checker: inout ValueChecker
  ) -> Bool {
    // Linux drivers/tty/sysrq.c, sysrq_key_table_key2index: digits and small letters.
    if plan.keys.isEmpty
      || !plan.keys.utf8.allSatisfy({ (48...57).contains($0) || (97...122).contains($0) })
    {
      let keys = entries.first { $0.key == "keys" }
      checker.diagnostics.error(
        keys?.value.location ?? place,
        "\(owner): recovery: sysrq: keys: expected letters and digits of SysRq's commands, found "
          + LocatedValue.quoted(plan.keys), hint: "'sub' syncs, remounts read-only, and boots")
      return false
    }
    let others = entries.filter { ["commands", "boot", "flash"].contains($0.key) }
    if !plan.rescue.run.isEmpty, let other = others.first {
      checker.diagnostics.error(
        other.keyLocation,
        "\(owner): recovery: bootloader: '\(other.key)' and 'run' exclude each other",
        hint: "'run' stands for everything that is done")
      return false
    }
    return true
  }
}
