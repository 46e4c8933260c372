/// Follows a sender of YMODEM by what it sends: how much of the file has gone. Pure.
///
/// A block is SOH and 128 bytes, or STX and 1024, behind its number and the number's complement, before
/// two bytes of CRC (Forsberg, "XMODEM/YMODEM Protocol Reference", 1988, chapters 4 and 5).
struct YModemMeter: Sendable {
  /// Bytes of the file, and of what fills its last block, in the blocks that were begun.
  private(set) var sent: Int64 = 0
  /// Blocks that were begun, the file's header among them; repetitions count once.
  private(set) var blocks = 0
  /// Blocks that were sent again.
  private(set) var repeats = 0
  private var expected: UInt8 = 0
  private var size = 0
  /// Bytes of the present block that are still to come; its number is the first of them.
  private var left = 0

  /// Takes what the sender sent.
  mutating func append(_ bytes: some Sequence<UInt8>) {
    for byte in bytes {
      if left == 0 {
        // Between blocks: the end of the file, or the sender giving up.
        guard byte == 1 || byte == 2 else { continue }
        size = byte == 1 ? 128 : 1024
        left = size + 4
        continue
      }
      if left == size + 4 { begin(byte) }
      left -= 1
    }
  }

  private mutating func begin(_ number: UInt8) {
    guard number == expected else {
      // The empty header behind the file is none of its blocks.
      if number == expected &- 1, blocks > 0 { repeats += 1 }
      return
    }
    if blocks > 0 { sent += Int64(size) }
    blocks += 1
    expected &+= 1
  }
}
