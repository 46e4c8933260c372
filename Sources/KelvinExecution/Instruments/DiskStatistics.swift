/// /proc/diskstats: what each block device did since boot (Documentation/admin-guide/iostats.rst).
struct DiskStatistics: Hashable {
  /// A field of the file, its metric, and how the kernel counts it.
  struct Field: Hashable {
    /// Position after the device's name, from 0.
    var index: Int
    var name: String
    var metric: String
    var unit: String
    /// Units for each step of the counter; sectors are 512 bytes whatever the device says.
    var factor: UInt64 = 1
    /// Milliseconds are printed as unsigned int on every machine, the rest is unsigned long.
    var isAlways32Bits = false

    static let all: [Field] = [
      Field(index: 0, name: "reads", metric: "disk_reads", unit: ""),
      Field(index: 1, name: "read_merges", metric: "disk_read_merges", unit: ""),
      Field(index: 2, name: "read_bytes", metric: "disk_read_bytes", unit: "B", factor: 512),
      Field(
        index: 3, name: "read_time", metric: "disk_read_time", unit: "ms", isAlways32Bits: true),
      Field(index: 4, name: "writes", metric: "disk_writes", unit: ""),
      Field(index: 5, name: "write_merges", metric: "disk_write_merges", unit: ""),
      Field(index: 6, name: "written_bytes", metric: "disk_written_bytes", unit: "B", factor: 512),
      Field(
        index: 7, name: "write_time", metric: "disk_write_time", unit: "ms", isAlways32Bits: true),
      // 8 is how much is in flight: no counter.
      Field(index: 9, name: "io_time", metric: "disk_io_time", unit: "ms", isAlways32Bits: true),
      Field(
        index: 10, name: "weighted_io_time", metric: "disk_weighted_io_time", unit: "ms",
        isAlways32Bits: true),
      Field(index: 11, name: "discards", metric: "disk_discards", unit: ""),
      Field(
        index: 13, name: "discarded_bytes", metric: "disk_discarded_bytes", unit: "B", factor: 512),
      Field(index: 15, name: "flushes", metric: "disk_flushes", unit: ""),
      Field(
        index: 16, name: "flush_time", metric: "disk_flush_time", unit: "ms", isAlways32Bits: true)
    ]
  }

  struct Device: Hashable {
    var name: String
    /// `254:0`; another device under the same name has another one.
    var number: String
    /// 11 before Linux 4.18, 15 before 5.5, 17 since.
    var counters: [UInt64]
  }

  /// In the order of the file.
  var devices: [Device] = []

  /// Reads what is well-formed and leaves out the rest.
  init(_ text: KernelText) {
    for line in text where devices.count < 16_384 {
      var fields = KernelText.Fields(line)
      guard let major = fields.next(), let minor = fields.next(), let name = fields.next(),
        let majorNumber: UInt32 = KernelText.integer(major),
        let minorNumber: UInt32 = KernelText.integer(minor)
      else { continue }
      var counters: [UInt64] = []
      while counters.count < 32, let field = fields.next() {
        guard let counter: UInt64 = KernelText.integer(field) else { break }
        counters.append(counter)
      }
      guard counters.count >= 11 else { continue }
      devices.append(
        Device(
          name: KernelText.string(name), number: "\(majorNumber):\(minorNumber)",
          counters: counters))
    }
  }
}
