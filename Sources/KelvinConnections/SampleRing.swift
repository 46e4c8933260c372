internal import Synchronization

/// Samples on their way from one thread that must never wait to one that takes them in batches.
///
/// Single producer, single consumer, no lock; what finds no room is counted.
final class SampleRing: Sendable {
  private let capacity: Int
  // Slots between tail and head belong to the consumer, the others to the producer; the atomics
  // below hand them over.
  nonisolated(unsafe) private let slots: UnsafeMutablePointer<Sample>
  private let head = Atomic<Int>(0)
  private let tail = Atomic<Int>(0)
  private let lost = Atomic<Int>(0)

  init(capacity: Int) {
    self.capacity = max(1, capacity)
    slots = .allocate(capacity: self.capacity)
    slots.initialize(
      repeating: Sample(nanoseconds: 0, mantissa: 0, channel: 0), count: self.capacity)
  }

  deinit { slots.deallocate() }

  /// How many samples found no room so far.
  var lostCount: Int { lost.load(ordering: .relaxed) }

  /// Producer: adds a sample, or counts it as lost.
  @inline(__always)
  func push(_ sample: Sample) {
    let position = head.load(ordering: .relaxed)
    guard position &- tail.load(ordering: .acquiring) < capacity else {
      lost.wrappingAdd(1, ordering: .relaxed)
      return
    }
    slots[position % capacity] = sample
    head.store(position &+ 1, ordering: .releasing)
  }

  /// Consumer: takes all samples that are there.
  func drain() -> [Sample] {
    let start = tail.load(ordering: .relaxed)
    let end = head.load(ordering: .acquiring)
    guard end > start else { return [] }
    let samples = [Sample](unsafeUninitializedCapacity: end - start) { buffer, count in
      for position in start..<end {
        buffer.initializeElement(at: position - start, to: slots[position % capacity])
      }
      count = end - start
    }
    tail.store(end, ordering: .releasing)
    return samples
  }
}
