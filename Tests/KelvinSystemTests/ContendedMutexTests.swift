import Synchronization
import Testing

@testable import KelvinSystem

/// Threads that wait for each other. The thread sanitizer reports a race here unless it is told of
/// Mutex's slow paths: scripts/test-sanitized does so, by scripts/tsan-mutex.c.
struct ContendedMutexTests {
  private final class Counter: Sendable {
    let value = Mutex(0)
  }

  @Test(.timeLimit(.minutes(1)))
  func countsEachTurnOfEachThread() throws {
    let counter = Counter()
    let threads = try (0..<4).map { _ in
      try NamedThread("counter") {
        for _ in 0..<50_000 { counter.value.withLock { $0 += 1 } }
      }
    }
    for thread in threads { thread.join() }
    #expect(counter.value.withLock { $0 } == 200_000)
  }
}
