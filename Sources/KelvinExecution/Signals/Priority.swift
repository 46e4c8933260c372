/// How close to the measured window a callback is called: the fastest hug it from both sides.
public struct Priority: RawRepresentable, Hashable, Comparable, Sendable {
  public var rawValue: Int

  /// Creates a priority; WA uses -30...30.
  public init(rawValue: Int) { self.rawValue = rawValue }

  public static let extremelySlow = Priority(rawValue: -30)
  public static let verySlow = Priority(rawValue: -20)
  public static let slow = Priority(rawValue: -10)
  public static let normal = Priority(rawValue: 0)
  public static let fast = Priority(rawValue: 10)
  public static let veryFast = Priority(rawValue: 20)
  public static let extremelyFast = Priority(rawValue: 30)

  public static func < (a: Priority, b: Priority) -> Bool { a.rawValue < b.rawValue }
}
