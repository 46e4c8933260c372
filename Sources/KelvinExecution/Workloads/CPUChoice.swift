internal import KelvinModel
internal import KelvinTargets

/// The option `cpus`, read as Workload Automation reads it.
enum CPUChoice {
  static let option = OptionDeclaration(
    "cpus", .any, aliases: ["affinity", "taskset_mask"],
    "CPUs that it may run on: a list such as '0-3,8' or [0, 1]. A bare number and 0x... are a mask, "
      + "as in Workload Automation: 3 means CPUs 0 and 1, 0 means all. Default: all.")

  /// The CPUs in ascending order; nil for all.
  ///
  /// - Throws: when the value names no CPUs.
  static func cpus(_ value: Value?) throws(PlainFailure) -> [Int]? {
    switch value {
    case nil, .null: return nil
    case .integer(0): return nil
    case .integer(let mask) where mask > 0: return bits(UInt64(mask))
    case .text(let text) where text.hasPrefix("0x") || text.hasPrefix("0X"):
      if let mask = UInt64(text.dropFirst(2), radix: 16) { return mask == 0 ? nil : bits(mask) }
    case .text(let text):
      if let cpus = CPUList.parse(text), !cpus.isEmpty { return cpus }
    case .list(let elements):
      let lists = elements.map { element -> [Int]? in
        switch element {
        case .integer(let cpu): CPUList.parse("\(cpu)")
        case .text(let text): CPUList.parse(text)
        default: nil
        }
      }
      let cpus = Set(lists.compactMap(\.self).joined()).sorted()
      if !lists.contains(nil), !cpus.isEmpty { return cpus }
    default: break
    }
    throw PlainFailure(
      .configuration, "cpus: \(LocatedValue.quoted(value?.display ?? "")) names no CPUs",
      hint: "write for example '0-3,8', [0, 1] or the mask 0x3")
  }

  private static func bits(_ mask: UInt64) -> [Int] {
    (0..<64).filter { mask >> UInt64($0) & 1 == 1 }
  }
}
