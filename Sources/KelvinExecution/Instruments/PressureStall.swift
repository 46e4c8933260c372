/// One of /proc/pressure/{cpu,io,memory,irq}: how long tasks were stalled, since boot
/// (Documentation/accounting/psi.rst).
struct PressureStall: Hashable {
  /// Microseconds in which some task was stalled; the file `irq` has no such line.
  var some: UInt64?
  /// Microseconds in which all tasks that could run were stalled; older kernels have none for cpu.
  var full: UInt64?

  /// Reads what is well-formed and leaves out the rest.
  init(_ text: KernelText) {
    for line in text {
      var fields = KernelText.Fields(line)
      guard let kind = fields.next() else { continue }
      for field in fields where field.starts(with: "total=".utf8) {
        let total: UInt64? = KernelText.integer(field.dropFirst(6))
        if kind.elementsEqual("some".utf8) { some = total }
        if kind.elementsEqual("full".utf8) { full = total }
      }
    }
  }
}
