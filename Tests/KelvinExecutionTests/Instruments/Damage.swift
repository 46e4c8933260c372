import Testing

@testable import KelvinExecution

/// Feeds a parser all beginnings of a text and many corrupted versions of it; what the parser makes
/// of them is for `body` to check, and a trap is a failure of the test.
///
/// The corruptions follow from a fixed seed, which a failure names.
func withDamage(
  _ text: String, rounds: Int = 400, seed: UInt64 = 20_261_125, _ body: (KernelText) throws -> Void
) rethrows {
  let bytes = Array(text.utf8)
  for length in 0...bytes.count { try body(KernelText(Array(bytes[..<length]))) }
  var random = SplitMix(state: seed)
  for _ in 0..<rounds {
    var damaged = bytes
    for _ in 0...Int(random.next() % 8) where !damaged.isEmpty {
      let place = Int(random.next() % UInt64(damaged.count))
      switch random.next() % 6 {
      case 0: damaged[place] = UInt8(truncatingIfNeeded: random.next())
      case 1: damaged.remove(at: place)
      case 2: damaged.insert(contentsOf: "99999999999999999999".utf8, at: place)
      case 3: damaged.insert(UInt8(ascii: "\n"), at: place)
      case 4: damaged.insert(contentsOf: damaged[place...].prefix(40), at: place)
      default: damaged[place] = UInt8(ascii: "-")
      }
    }
    try body(KernelText(damaged))
  }
  try body(KernelText([UInt8](repeating: UInt8(ascii: "9"), count: 1 << 20)))
  try body(KernelText((0..<200_000).flatMap { _ in "1 ".utf8 }))
}

/// A small generator with a seed (Steele, Lea, Flood: SplitMix64).
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

extension KernelText {
  init(_ text: String) { self.init(Array(text.utf8)) }
}

/// A file of this machine's kernel, as it is now.
func liveText(_ path: String) throws -> KernelText { KernelText(try HostFile.read(path)) }
