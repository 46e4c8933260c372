/// The kernel's CPU list format: `0-3,8,10-11`
/// (Documentation/admin-guide/cputopology.rst).
public enum CPUList {
  /// The CPUs in ascending order; nil when the text is no list, or names CPUs beyond 8,191.
  public static func parse(_ text: String) -> [Int]? {
    var cpus: Set<Int> = []
    for part in text.split(separator: ",") {
      let ends = part.split(separator: "-", omittingEmptySubsequences: false)
        .map { Int($0.filter { !$0.isWhitespace }) }
      guard ends.count <= 2, let first = ends[0], let last = ends[ends.count - 1],
        first >= 0, first <= last, last < 8192
      else { return nil }
      cpus.formUnion(first...last)
    }
    return cpus.sorted()
  }

  /// The shortest list that names these CPUs.
  public static func text(_ cpus: [Int]) -> String {
    var parts: [String] = []
    var run: (first: Int, last: Int)?
    func close() {
      guard let run else { return }
      parts.append(run.first == run.last ? "\(run.first)" : "\(run.first)-\(run.last)")
    }
    for cpu in Set(cpus).sorted() {
      if let open = run, cpu == open.last + 1 {
        run = (open.first, cpu)
      } else {
        close()
        run = (cpu, cpu)
      }
    }
    close()
    return parts.joined(separator: ",")
  }
}
