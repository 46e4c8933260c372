/// How far a counter of the kernel went between two readings.
enum CounterStep: Hashable {
  case advanced(UInt64)
  /// It went back, and that is what a counter of its width does at its end.
  case wrapped(UInt64)
  /// It went back although it cannot have wrapped: it was reset, and how far it went is not known.
  case reset

  /// Compares two readings of a counter that is 32 or 64 bits wide.
  ///
  /// A 64-bit counter never wraps in the life of a board. A 32-bit one that was reset cannot be
  /// told from one that wrapped, which is why both are reported.
  init(from before: UInt64, to after: UInt64, bits: Int) {
    if after >= before {
      self = .advanced(after - before)
    } else if bits == 32, before <= UInt64(UInt32.max) {
      self = .wrapped(after + (1 << 32) - before)
    } else {
      self = .reset
    }
  }

  /// How far it went; nil when that is not known.
  var value: UInt64? {
    switch self {
    case .advanced(let value), .wrapped(let value): value
    case .reset: nil
    }
  }
}
