internal import Synchronization

/// A bounded queue between two threads, without a lock and without allocation: one puts in, one takes
/// out.
final class IndexRing<Element: BitwiseCopyable & Sendable>: Sendable {
  private let capacity: Int
  // Slots from tail to head are the taker's, the others the putter's; the atomics hand them over.
  private let slots: CPointer<Element>
  private let head = Atomic<Int>(0)
  private let tail = Atomic<Int>(0)

  init(capacity: Int, filledWith element: Element) {
    self.capacity = capacity
    slots = CPointer(raw: .allocate(capacity: capacity))
    slots.raw.initialize(repeating: element, count: capacity)
  }

  deinit { slots.raw.deallocate() }

  /// - Returns: false when it is full.
  func put(_ element: Element) -> Bool {
    let position = head.load(ordering: .relaxed)
    guard position &- tail.load(ordering: .acquiring) < capacity else { return false }
    slots.raw[position % capacity] = element
    head.store(position &+ 1, ordering: .releasing)
    return true
  }

  func take() -> Element? {
    let position = tail.load(ordering: .relaxed)
    guard head.load(ordering: .acquiring) > position else { return nil }
    let element = slots.raw[position % capacity]
    tail.store(position &+ 1, ordering: .releasing)
    return element
  }

  /// How many are in it: at least that for the taker, at most for the putter.
  var count: Int { head.load(ordering: .acquiring) &- tail.load(ordering: .relaxed) }
}
