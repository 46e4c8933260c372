internal import ArgumentParser
internal import KelvinModel

/// Sizes on command lines.
enum ByteCount {
  /// Reads `64 MiB`, or a bare number of bytes; one at least.
  static func read(_ text: String, _ option: String) throws -> Int64 {
    guard let quantity = Quantity(text), quantity.unit.map({ $0.dimension == .size }) ?? true,
      let count = Int64(exactly: quantity.value.rounded()), count > 0
    else { throw ValidationError("\(option): expected a size such as '64 MiB', found '\(text)'") }
    return count
  }

  /// `512 B`, `1.5 KiB`, `32.0 MiB`
  static func text(_ count: Int64) -> String {
    if count < 1024 { return "\(count) B" }
    var value = Double(count)
    var unit = ""
    for next in ["KiB", "MiB", "GiB", "TiB"] where value >= 1024 {
      value /= 1024
      unit = next
    }
    return "\((value * 10).rounded() / 10) \(unit)"
  }
}
