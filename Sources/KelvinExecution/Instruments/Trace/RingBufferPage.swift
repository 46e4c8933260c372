/// What one page of a kernel's trace ring buffer holds.
///
/// Source: Linux include/linux/ring_buffer.h and kernel/trace/ring_buffer.c.
struct RingBufferPage: Sendable, Hashable {
  /// Events that were lost right before the page.
  enum Loss: Sendable, Hashable {
    case none
    /// Some; the page had no room for their number.
    case unknown
    case events(UInt64)
  }

  /// Records with data: events, function calls, markers.
  private(set) var events = 0
  private(set) var loss = Loss.none
  /// Its records do not fill what it says that is used.
  private(set) var isDamaged = false

  /// Bits of the commit field beside the count of bytes.
  private static let missedEvents: UInt64 = 1 << 31
  private static let storedNumber: UInt64 = 1 << 30
  private static let countMask: UInt64 = (1 << 27) - 1

  /// Walks through a page; one that is cut short is damaged, and counts what is there.
  init(_ page: ArraySlice<UInt8>, _ layout: RingBufferLayout) {
    guard page.count >= layout.dataOffset else {
      isDamaged = true
      return
    }
    let commit = layout.long(page, at: layout.commitOffset)
    let used = Int(commit & RingBufferPage.countMask)
    let room = min(layout.dataSize, page.count - layout.dataOffset)
    let data = page[(page.startIndex + layout.dataOffset)...]
    isDamaged = used > room
    if commit & RingBufferPage.missedEvents != 0 {
      loss = .unknown
      if commit & RingBufferPage.storedNumber != 0, used + layout.commitSize <= room {
        loss = .events(layout.long(data, at: used))
      }
    }
    walk(data, end: min(used, room), layout)
  }

  private mutating func walk(_ data: ArraySlice<UInt8>, end: Int, _ layout: RingBufferLayout) {
    var place = 0
    while place < end {
      guard place + 4 <= end else {
        isDamaged = true
        return
      }
      let head = layout.word(data, at: place)
      let kind = layout.isBigEndian ? head >> 27 : head & 31
      let delta = layout.isBigEndian ? head & 0x7FF_FFFF : head >> 5
      var size = 4 + 4 * Int(kind)
      switch kind {
      // The rest of the page is empty.
      case 29 where delta == 0: return
      // The size stands behind the head, and counts itself.
      case 0, 29:
        guard place + 8 <= end else {
          isDamaged = true
          return
        }
        size = 4 + (Int(layout.word(data, at: place + 4)) + 3) / 4 * 4
      // Time.
      case 30, 31: size = 8
      default: break
      }
      guard size >= 8, place + size <= end else {
        isDamaged = true
        return
      }
      if kind < 29 { events += 1 }
      place += size
    }
  }
}
