/// /proc/net/dev: what each network interface did since it came up (net/core/net-procfs.c).
struct NetworkStatistics: Hashable {
  /// A column of the file and its metric.
  struct Field: Hashable {
    /// Position after the interface's name, from 0.
    var index: Int
    var name: String
    var unit = ""

    var metric: String { "net_" + name }

    static let all: [Field] = [
      Field(index: 0, name: "rx_bytes", unit: "B"), Field(index: 1, name: "rx_packets"),
      Field(index: 2, name: "rx_errors"), Field(index: 3, name: "rx_dropped"),
      Field(index: 4, name: "rx_fifo"), Field(index: 5, name: "rx_frame"),
      Field(index: 6, name: "rx_compressed"), Field(index: 7, name: "rx_multicast"),
      Field(index: 8, name: "tx_bytes", unit: "B"), Field(index: 9, name: "tx_packets"),
      Field(index: 10, name: "tx_errors"), Field(index: 11, name: "tx_dropped"),
      Field(index: 12, name: "tx_fifo"), Field(index: 13, name: "tx_collisions"),
      Field(index: 14, name: "tx_carrier"), Field(index: 15, name: "tx_compressed")
    ]
  }

  struct Interface: Hashable {
    var name: String
    /// All 16 columns.
    var counters: [UInt64]
  }

  /// In the order of the file.
  var interfaces: [Interface] = []

  /// Reads what is well-formed and leaves out the rest.
  init(_ text: KernelText) {
    for line in text where interfaces.count < 16_384 {
      // Old kernels print large numbers right after the colon; a name cannot hold one.
      guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { continue }
      let name = KernelText.string(line[..<colon])
      var counters: [UInt64] = []
      for field in KernelText.Fields(line[(colon + 1)...]) {
        guard counters.count < 16, let counter: UInt64 = KernelText.integer(field) else { break }
        counters.append(counter)
      }
      guard !name.isEmpty, counters.count == 16 else { continue }
      interfaces.append(Interface(name: name, counters: counters))
    }
  }
}
