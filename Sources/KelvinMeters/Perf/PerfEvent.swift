internal import KelvinModel

/// One of the kernel's performance events, as /sys/bus/event_source/devices describes it (Linux,
/// Documentation/ABI/testing/sysfs-bus-event_source-devices-events and -format).
struct PerfEvent: Sendable, Hashable {
  /// `energy-pkg`.
  var name: String
  /// perf_event_attr.type and .config.
  var type: UInt32
  var config: UInt64
  /// What one count is, in ``unit``.
  var scale: Double
  /// As the kernel says: `Joules`.
  var unit: String
  /// One for each package, or whatever the unit counts for.
  var cpus: [Int]

  /// Puts an event's terms where its formats say.
  ///
  /// - Parameters:
  ///   - terms: `event=0x02,umask=0x1`; a term without a value is 1.
  ///   - formats: by the term's name: `config:0-7`, `config:0-3,32-35`.
  /// - Returns: nil for terms without a format, outside of `config`, or of values that do not fit.
  static func config(_ terms: String, formats: [String: String]) -> UInt64? {
    var config: UInt64 = 0
    for term in terms.split(separator: ",") {
      let parts = term.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map {
        String($0.trimmingASCIIWhitespace)
      }
      guard let name = parts.first, let format = formats[name],
        let value = parts.count == 2 ? number(parts[1]) : 1, let bits = bits(format)
      else { return nil }
      var rest = value
      for bit in bits {
        config |= (rest & 1) << UInt64(bit)
        rest >>= 1
      }
      guard rest == 0 else { return nil }
    }
    return terms.isEmpty ? nil : config
  }

  private static func number(_ text: String) -> UInt64? {
    text.hasPrefix("0x") ? UInt64(text.dropFirst(2), radix: 16) : UInt64(text)
  }

  /// Bits of `config`, from the lowest of the value on.
  private static func bits(_ format: String) -> [Int]? {
    let parts = format.split(separator: ":", maxSplits: 1)
    guard parts.count == 2, parts[0] == "config" else { return nil }
    var bits: [Int] = []
    for range in parts[1].split(separator: ",") {
      let ends = range.split(separator: "-", omittingEmptySubsequences: false).map {
        Int($0.trimmingASCIIWhitespace)
      }
      guard ends.count <= 2, let low = ends[0], let high = ends[ends.count - 1],
        0 <= low, low <= high, high < 64
      else { return nil }
      bits += low...high
    }
    return bits.isEmpty ? nil : bits
  }
}
