import KelvinSystem
import Synchronization
import Testing

struct OnceTests {
  @Test func oneOfManyComesFirst() async {
    let shared = Shared()
    #expect(!shared.hasBegun)
    let firsts = await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<50 { group.addTask { shared.begin() } }
      return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
    }
    #expect(firsts == 1)
    #expect(shared.hasBegun)
  }

  private final class Shared: Sendable {
    private let once = Once()
    var hasBegun: Bool { once.hasBegun }
    func begin() -> Bool { once.begin() }
  }

  @Test func whatIsTakenIsGone() {
    let value = Mutex<Int?>(7)
    #expect(value.take() == 7)
    #expect(value.take() == nil)
  }
}
