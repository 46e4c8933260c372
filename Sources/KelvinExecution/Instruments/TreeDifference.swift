/// Which files of a tree changed between two readings, as text.
struct TreeDifference {
  /// Paths whose content changed, appeared or went away, in order.
  private(set) var changed: [String] = []
  /// For a person: like `diff -U0`, whole values instead of hunks.
  private(set) var text: String = ""

  /// Compares two readings, each from path to content.
  init(from before: [String: [UInt8]], to after: [String: [UInt8]]) {
    for path in Set(before.keys).union(after.keys).sorted() {
      let (old, new) = (before[path], after[path])
      guard old != new else { continue }
      changed.append(path)
      text += path + "\n"
      let (removed, added) = TreeDifference.lines(old, new)
      for line in removed { text += "-" + line + "\n" }
      for line in added { text += "+" + line + "\n" }
    }
  }

  /// The lines that only one of the two contents has, without those that begin and end both.
  private static func lines(_ old: [UInt8]?, _ new: [UInt8]?) -> ([String], [String]) {
    var removed = lines(old ?? [])
    var added = lines(new ?? [])
    while let first = removed.first, first == added.first {
      removed.removeFirst()
      added.removeFirst()
    }
    while let last = removed.last, last == added.last {
      removed.removeLast()
      added.removeLast()
    }
    return (Array(removed), Array(added))
  }

  private static func lines(_ content: [UInt8]) -> ArraySlice<String> {
    let shown = content.prefix(4096)
    var lines = KernelText(Array(shown)).map { String(decoding: $0, as: UTF8.self) }
    if shown.count < content.count { lines.append("[...]") }
    return lines[...]
  }
}
