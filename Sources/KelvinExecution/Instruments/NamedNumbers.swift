/// Text with a name and a number in each line: /proc/meminfo (`MemFree:  123 kB`) and /proc/vmstat
/// (`pgfault 123`).
struct NamedNumbers: Hashable {
  struct Number: Hashable {
    var value: UInt64
    /// The kernel writes kB and means KiB.
    var isKibibytes: Bool
  }

  /// In the order of the text.
  private(set) var names: [String] = []
  private(set) var numbers: [String: Number] = [:]

  /// Reads what is well-formed and leaves out the rest.
  init(_ text: KernelText) {
    for line in text where names.count < 4096 {  // kernels have some 200
      var fields = KernelText.Fields(line)
      guard var name = fields.next(), let number = fields.next(),
        let value: UInt64 = KernelText.integer(number)
      else { continue }
      if name.last == UInt8(ascii: ":") { name = name.dropLast() }
      let unit = fields.next()
      let key = KernelText.string(name)
      if numbers[key] == nil { names.append(key) }
      numbers[key] = Number(value: value, isKibibytes: unit?.elementsEqual("kB".utf8) ?? false)
    }
  }

  subscript(name: String) -> Number? { numbers[name] }
}
