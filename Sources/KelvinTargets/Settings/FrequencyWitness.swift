internal import KelvinConnections
internal import KelvinModel

/// What tells at which frequency CPUs really ran while a frequency, or limits, were set: what was asked is
/// not always what runs.
///
/// Sources: Linux Documentation/cpu-freq/cpufreq-stats.rst (time_in_state: kHz and ticks of 10 ms),
/// admin-guide/acpi/cppc_sysfs.rst (feedback counters), admin-guide/pm/cpufreq.rst (cpuinfo_cur_freq: as
/// the hardware says, where it does).
struct FrequencyWitness: Sendable, Hashable {
  /// `cpu0-1`.
  let label: String
  let policy: String
  let cpus: [Int]
  /// In kHz.
  let expected: ClosedRange<Int>
  let setting: String

  /// How far a reading may be beside what is expected: rounding, and measuring while it changes.
  private static let tolerance = 0.02
  /// Share of a window that may be spent elsewhere: the moment of the change itself.
  private static let shareLimit = 0.02

  /// Of wishes that hold, those that say which frequencies are to run.
  static func witnesses(of wishes: [SettingWish]) -> [FrequencyWitness] {
    var found: [String: (low: Int?, high: Int?, wish: SettingWish)] = [:]
    for wish in wishes {
      let parts = wish.point.id.split(separator: "/")
      guard wish.point.id.contains("/cpufreq/policy"), let value = Int(wish.value),
        let name = parts.last
      else { continue }
      let policy = String(wish.point.id.dropLast(name.count + 1))
      var entry = found[policy] ?? (nil, nil, wish)
      switch name {
      case "scaling_setspeed": entry = (value, value, wish)
      // A fixed frequency is narrower than the limits around it.
      case "scaling_min_freq" where entry.low == nil: entry.low = value
      case "scaling_max_freq" where entry.high == nil: entry.high = value
      default: break
      }
      found[policy] = entry
    }
    return found.sorted { $0.key < $1.key }.compactMap { policy, entry in
      let low = entry.low ?? 0
      let high = entry.high ?? Int.max / 4
      guard entry.low != nil || entry.high != nil, low <= high else { return nil }
      return FrequencyWitness(
        label: "cpu" + CPUList.text(entry.wish.point.cpus), policy: policy,
        cpus: entry.wish.point.cpus, expected: low...high, setting: entry.wish.setting)
    }
  }

  /// What is read at each end of a window; what a board does not have tells nothing.
  var points: [SettingPoint] { paths.map { SettingPoint(file: $0, $0) } }

  private var paths: [String] {
    ["\(policy)/stats/time_in_state", "\(policy)/cpuinfo_cur_freq"]
      + cpus.flatMap { cpu in
        let root = "/sys/devices/system/cpu/cpu\(cpu)"
        return [
          "\(root)/acpi_cppc/feedback_ctrs", "\(root)/acpi_cppc/reference_perf",
          "\(root)/acpi_cppc/nominal_perf", "\(root)/acpi_cppc/nominal_freq",
          "\(root)/thermal_throttle/core_throttle_count"
        ]
      }
  }
  private static let filesOfCPU = 5

  /// What two readings around a window say.
  struct Finding: Sendable, Hashable {
    /// In kHz, over the window; nil where nothing counts.
    var effective: Double?
    /// What disagrees with what was set.
    var disagreements: [String] = []
  }

  func compare(_ before: [String?], _ after: [String?]) -> Finding {
    var finding = Finding()
    guard before.count == paths.count, after.count == paths.count else { return finding }
    if let residency = FrequencyWitness.residency(before[0], after[0]) {
      let total = residency.values.reduce(0, +)
      finding.effective = residency.reduce(0) { $0 + Double($1.key) * $1.value } / total
      let outside = residency.filter { !isExpected(Double($0.key)) }
      let share = outside.values.reduce(0, +) / total
      if share > FrequencyWitness.shareLimit {
        let worst = outside.max { $0.value < $1.value }.map {
          FrequencyWitness.text(Double($0.key))
        }
        finding.disagreements.append(
          "ran outside of it for \(Int((share * 100).rounded())) % of the window, most at "
            + (worst ?? "?"))
      }
    }
    for (index, cpu) in cpus.enumerated() {
      let first = 2 + index * FrequencyWitness.filesOfCPU
      if let delivered = FrequencyWitness.delivered(
        Array(before[first..<(first + 4)]), Array(after[first..<(first + 4)]))
      {
        if index == 0 { finding.effective = delivered }
        if !isExpected(delivered) {
          finding.disagreements.append(
            "cpu\(cpu) was delivered \(FrequencyWitness.text(delivered)) by its counters")
        }
      }
      if let from = before[first + 4].flatMap({ Int($0) }),
        let to = after[first + 4].flatMap({ Int($0) }), to > from
      {
        finding.disagreements.append("cpu\(cpu) was throttled \(to - from) time(s) by its heat")
      }
    }
    if let hardware = after[1].flatMap({ Double($0) }), hardware > 0, !isExpected(hardware) {
      finding.disagreements.append("the hardware says \(FrequencyWitness.text(hardware))")
    }
    return finding
  }

  /// What was set, for people.
  var wanted: String {
    if expected.lowerBound == expected.upperBound {
      return FrequencyWitness.text(Double(expected.lowerBound))
    }
    let high = expected.upperBound == Int.max / 4
    return high
      ? "at least \(FrequencyWitness.text(Double(expected.lowerBound)))"
      : expected.lowerBound == 0
        ? "at most \(FrequencyWitness.text(Double(expected.upperBound)))"
        : "\(FrequencyWitness.text(Double(expected.lowerBound))) to "
          + FrequencyWitness.text(Double(expected.upperBound))
  }

  private func isExpected(_ kilohertz: Double) -> Bool {
    kilohertz >= Double(expected.lowerBound) * (1 - FrequencyWitness.tolerance)
      && kilohertz <= Double(expected.upperBound) * (1 + FrequencyWitness.tolerance)
  }

  /// Ticks of the window by kHz; nil when there was none, or the table was reset.
  static func residency(_ before: String?, _ after: String?) -> [Int: Double]? {
    guard let before = before.map(table), let after = after.map(table) else { return nil }
    var steps: [Int: Double] = [:]
    for (frequency, ticks) in after {
      let step = ticks - (before[frequency] ?? 0)
      guard step >= 0 else { return nil }
      if step > 0 { steps[frequency] = step }
    }
    // A single tick says where the window began, not where it was.
    return steps.values.reduce(0, +) >= 2 ? steps : nil
  }

  private static func table(_ text: String) -> [Int: Double] {
    var table: [Int: Double] = [:]
    for line in text.split(separator: "\n").prefix(4096) {
      let fields = String(line).words
      guard fields.count == 2, let frequency = Int(fields[0]), frequency > 0,
        let ticks = UInt64(fields[1])
      else {
        continue
      }
      table[frequency] = Double(ticks)
    }
    return table
  }

  /// kHz from CPPC's counters: reference performance times delivered by reference, scaled by what the
  /// nominal frequency (MHz) is in performance.
  static func delivered(_ before: [String?], _ after: [String?]) -> Double? {
    guard let from = before[0].flatMap(counters), let to = after[0].flatMap(counters),
      let reference = after[1].flatMap({ Double($0) }),
      let nominal = after[2].flatMap({ Double($0) }), nominal > 0,
      let megahertz = after[3].flatMap({ Double($0) }), megahertz > 0,
      to.reference > from.reference,
      to.delivered >= from.delivered
    else { return nil }
    let ratio =
      Double(to.delivered - from.delivered) / Double(to.reference - from.reference)
    return reference * ratio / nominal * megahertz * 1000
  }

  /// `ref:856008192 del:2196096`
  private static func counters(_ text: String) -> (reference: UInt64, delivered: UInt64)? {
    var values: [String: UInt64] = [:]
    for word in text.words {
      let halves = word.split(separator: ":")
      guard halves.count == 2, let value = UInt64(halves[1]) else { continue }
      values[String(halves[0])] = value
    }
    guard let reference = values["ref"], let delivered = values["del"] else { return nil }
    return (reference, delivered)
  }

  private static func text(_ kilohertz: Double) -> String {
    CPUFrequencySettings.text(kilohertz: Int(kilohertz.rounded()))
  }
}
