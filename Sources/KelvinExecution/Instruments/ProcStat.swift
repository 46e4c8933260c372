/// /proc/stat: what each CPU spent its time on since boot (Documentation/filesystems/proc.rst 1.7).
struct ProcStat: Hashable {
  /// Times of one CPU or of all, in ticks of 10 ms; the kernel counts guests into user and nice.
  struct Times: Hashable {
    var user: UInt64 = 0
    var nice: UInt64 = 0
    var system: UInt64 = 0
    var idle: UInt64 = 0
    var iowait: UInt64 = 0
    var irq: UInt64 = 0
    var softirq: UInt64 = 0
    var steal: UInt64 = 0
  }

  /// The line `cpu`; nil when the text has none.
  var total: Times?
  /// Online CPUs by number.
  var cpus: [Int: Times] = [:]

  /// Reads what is well-formed and leaves out the rest.
  init(_ text: KernelText) {
    for line in text where line.starts(with: "cpu".utf8) {
      var fields = KernelText.Fields(line)
      guard let name = fields.next() else { continue }
      var values: [UInt64] = []
      while values.count < 8, let field = fields.next() {
        guard let value: UInt64 = KernelText.integer(field) else { break }
        values.append(value)
      }
      guard values.count == 8 else { continue }  // as since Linux 2.6.11
      let times = Times(
        user: values[0], nice: values[1], system: values[2], idle: values[3], iowait: values[4],
        irq: values[5], softirq: values[6], steal: values[7])
      if name.count == 3 {
        total = times
      } else if let number: UInt16 = KernelText.integer(name.dropFirst(3)) {
        cpus[Int(number)] = times
      }
    }
  }
}

/// What a CPU did between two readings of /proc/stat, in percent of the time that passed.
struct CPUShares: Hashable {
  var busy: Double
  var user: Double
  var system: Double
  var iowait: Double
  var irq: Double
  var steal: Double

  /// Compares two readings; nil when no tick passed between them.
  ///
  /// Idle and I/O-wait times may go back a little, as the kernel documents; that counts as none.
  init?(from before: ProcStat.Times, to after: ProcStat.Times) {
    func step(_ field: KeyPath<ProcStat.Times, UInt64>) -> Double {
      let (from, to) = (before[keyPath: field], after[keyPath: field])
      return to > from ? Double(to - from) : 0
    }
    let user = step(\.user) + step(\.nice)
    let irq = step(\.irq) + step(\.softirq)
    let system = step(\.system)
    let steal = step(\.steal)
    let iowait = step(\.iowait)
    let total = user + system + irq + steal + iowait + step(\.idle)
    guard total > 0 else { return nil }
    busy = 100 * (user + system + irq) / total
    self.user = 100 * user / total
    self.system = 100 * system / total
    self.iowait = 100 * iowait / total
    self.irq = 100 * irq / total
    self.steal = 100 * steal / total
  }
}
