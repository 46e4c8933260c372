/// What goes wrong on a line. Seeded, so that a line is the same each time, but for when.
package struct LineFaults: Sendable, Hashable {
  /// Shares of bytes that are lost, doubled, or have a bit changed, each way.
  package var lost: Double
  package var doubled: Double
  package var changed: Double
  /// Foreign lines a second, put between any two bytes of what the board says.
  package var noisePerSecond: Double
  /// Lines that come among the noise, beside kernel messages and the like.
  package var noiseTexts: [String]
  /// The line's speed; nil is as fast as it goes.
  package var bitsPerSecond: Int?
  /// How much later bytes arrive, each way.
  package var delaySeconds = 0.0
  /// Once the board has said so many bytes, nothing passes any more.
  package var stallAfter: Int?
  /// Once the board has said so many bytes, nothing passes for a while.
  package var cutAfter: Interruption?
  package var seed: UInt64

  /// Something that happens once, after so many bytes, for so long.
  package struct Interruption: Sendable, Hashable {
    package var bytes: Int
    package var seconds: Double

    package init(bytes: Int, seconds: Double) {
      self.bytes = bytes
      self.seconds = seconds
    }
  }

  package init(
    lost: Double = 0, doubled: Double = 0, changed: Double = 0, noisePerSecond: Double = 0,
    noiseTexts: [String] = [], bitsPerSecond: Int? = nil, seed: UInt64 = 1
  ) {
    self.lost = lost
    self.doubled = doubled
    self.changed = changed
    self.noisePerSecond = noisePerSecond
    self.noiseTexts = noiseTexts
    self.bitsPerSecond = bitsPerSecond
    self.seed = seed
  }

  /// What boards say unasked: kernel messages, journald's lines, a daemon's, and worse.
  package func noiseLine(_ generator: inout SeededGenerator) -> [UInt8] {
    let number = Int.random(in: 0..<1_000_000, using: &generator)
    let text: String
    switch Int.random(in: 0..<5, using: &generator) {
    case 0:
      text =
        "[\(LineFaults.padded(number / 1000)).\(LineFaults.six(number))] usb 1-1: new device "
        + "\(number)"
    case 1: text = "[   12.\(LineFaults.six(number))] "
    case 2: text = "Nov 26 02:44:01 board systemd[1]: Started session \(number) of user root."
    case 3 where !noiseTexts.isEmpty: text = noiseTexts[number % noiseTexts.count]
    default:
      text = String(
        decoding: (0..<Int.random(in: 0..<90, using: &generator)).map { _ in
          UInt8.random(in: 32...126, using: &generator)
        }, as: UTF8.self)
    }
    return Array("\(text)\r\n".utf8)
  }

  private static func six(_ number: Int) -> String {
    String(String(1_000_000 + number % 1_000_000).dropFirst())
  }

  private static func padded(_ number: Int) -> String {
    String(repeating: " ", count: max(0, 5 - String(number).count)) + String(number)
  }
}
