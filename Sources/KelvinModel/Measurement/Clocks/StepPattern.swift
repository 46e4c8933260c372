/// Steps of load at known times, to be found again in a trace of power.
public struct StepPattern: Sendable, Hashable {
  /// When the load changes, on the host's clock, in nanoseconds; ascending, in turn to busy and to idle.
  public var edges: [Int64]

  /// Takes edges, the first to busy.
  public init(edges: [Int64]) { self.edges = edges }

  /// A pseudo-random binary sequence of maximal length: 2^order − 1 dwells, each busy or idle, so that it
  /// matches itself at one place only.
  ///
  /// - Parameters:
  ///   - order: 3...10; the sequence is that of the primitive polynomials in N. Zierler and J. Brillhart,
  ///     "On primitive trinomials (mod 2)", 1968, and x⁸+x⁴+x³+x²+1.
  ///   - dwell: in nanoseconds.
  public static func pseudoRandom(order: Int, dwell: Int64, start: Int64) -> StepPattern {
    let taps: [Int: UInt32] = [
      3: 0b110, 4: 0b1100, 5: 0b10100, 6: 0b110000, 7: 0b1100000, 8: 0b10111000,
      9: 0b100010000, 10: 0b1001000000
    ]
    let order = min(10, max(3, order))
    let tap = taps[order] ?? 0b1100000
    var register: UInt32 = 1
    var edges: [Int64] = []
    var isBusy = false
    let length = 1 << order - 1
    for index in 0..<length {
      let next = register & 1 == 1
      if next != isBusy { edges.append(start + Int64(index) * dwell) }
      isBusy = next
      let feedback = (register & tap).nonzeroBitCount & 1
      register = (register << 1 | UInt32(feedback)) & (1 << UInt32(order) - 1)
    }
    if isBusy { edges.append(start + Int64(length) * dwell) }
    return StepPattern(edges: edges)
  }
}
