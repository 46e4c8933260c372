/// /proc/interrupts or /proc/softirqs: counts by interrupt and CPU
/// (Documentation/filesystems/proc.rst 1.2, fs/proc/softirqs.c).
///
/// The header names the columns: online CPUs only in /proc/interrupts, so they change with hotplug.
struct InterruptTable: Hashable {
  struct Row: Hashable {
    /// `24`, `NMI`, `IPI0`, `TIMER`.
    var label: String
    /// Chip, hardware number, trigger and handlers, as one text.
    var description: String
    /// By column; `ERR` and `MIS` have a single count that belongs to no CPU.
    var counts: [UInt64]
  }

  /// CPU numbers of the columns.
  var cpus: [Int] = []
  var rows: [Row] = []

  /// Reads what is well-formed and leaves out the rest; nil when there is no header.
  init?(_ text: KernelText) {
    var lines = text.makeIterator()
    guard let header = lines.next() else { return nil }
    for field in KernelText.Fields(header) {
      guard field.starts(with: "CPU".utf8),
        let number: UInt16 = KernelText.integer(field.dropFirst(3))
      else { return nil }
      cpus.append(Int(number))
    }
    guard !cpus.isEmpty else { return nil }
    while let line = lines.next(), rows.count < 65_536 {
      guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { continue }
      let label = KernelText.string(line[..<colon])
      guard !label.isEmpty else { continue }
      var fields = KernelText.Fields(line[(colon + 1)...])
      var counts: [UInt64] = []
      var rest = fields.rest
      while counts.count < cpus.count, let field = fields.next() {
        guard let count: UInt64 = KernelText.integer(field) else { break }
        counts.append(count)
        rest = fields.rest
      }
      guard counts.count == cpus.count || counts.count == 1 else { continue }
      let words = KernelText.Fields(rest).map { String(decoding: $0, as: UTF8.self) }
      rows.append(Row(label: label, description: words.joined(separator: " "), counts: counts))
    }
  }

  /// The counts of each row by CPU number; -1 stands for no CPU.
  func counts(of row: Row) -> [Int: UInt64] {
    if row.counts.count == cpus.count {
      return Dictionary(zip(cpus, row.counts)) { first, _ in first }
    }
    return [-1: row.counts[0]]
  }
}

/// What happened between two readings of an interrupt table.
struct InterruptDifference: Hashable {
  struct Entry: Hashable {
    var label: String
    var description: String
    /// Nil when the count belongs to no CPU.
    var cpu: Int?
    /// Nil when the table did not have it then.
    var before: UInt64?
    var after: UInt64?
    /// Nil when there is no telling: it appeared or went away.
    var step: CounterStep?
  }

  /// In the order of the later table, then what went away; what is 0 in both is left out.
  var entries: [Entry] = []
  /// Sum of all steps.
  var total: UInt64 = 0
  /// CPUs whose column is in one of the tables only.
  var changedCPUs: [Int]

  init(from before: InterruptTable, to after: InterruptTable) {
    changedCPUs = Set(before.cpus).symmetricDifference(after.cpus).sorted()
    // An IRQ number that was given to another device is another interrupt.
    struct Key: Hashable { let label: String, description: String }
    func key(_ row: InterruptTable.Row) -> Key {
      Key(label: row.label, description: row.description)
    }
    let old = Dictionary(before.rows.map { (key($0), $0) }) { first, _ in first }
    var seen: Set<Key> = []
    for row in after.rows where seen.insert(key(row)).inserted {
      let from = old[key(row)].map(before.counts) ?? [:]
      append(row, from: from, to: after.counts(of: row))
    }
    for row in before.rows where seen.insert(key(row)).inserted {
      append(row, from: before.counts(of: row), to: [:])
    }
  }

  private mutating func append(
    _ row: InterruptTable.Row, from: [Int: UInt64], to: [Int: UInt64]
  ) {
    for cpu in Set(from.keys).union(to.keys).sorted() {
      let (before, after) = (from[cpu], to[cpu])
      if before ?? 0 == 0, after ?? 0 == 0 { continue }
      var step: CounterStep?
      if let before, let after {
        // The kernel prints these as unsigned int on every machine.
        step = CounterStep(from: before, to: after, bits: 32)
        total &+= step?.value ?? 0
      }
      entries.append(
        Entry(
          label: row.label, description: row.description, cpu: cpu < 0 ? nil : cpu,
          before: before, after: after, step: step))
    }
  }
}
