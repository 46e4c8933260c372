/// How far a flash has come.
public struct FastbootProgress: Sendable, Hashable {
  public enum Stage: Sendable, Hashable {
    /// Bytes go to the board.
    case sending
    /// The board writes what it has got.
    case writing
    /// All of it is written.
    case done
  }

  public var stage: Stage
  /// Of ``parts``, from 1 on.
  public var part: Int
  public var parts: Int
  /// Bytes, of all parts.
  public var sent: Int64
  public var total: Int64

  /// Creates a progress.
  public init(stage: Stage, part: Int, parts: Int, sent: Int64, total: Int64) {
    self.stage = stage
    self.part = part
    self.parts = parts
    self.sent = sent
    self.total = total
  }
}

/// What a flash came to.
public struct FlashReport: Sendable, Hashable {
  /// With the slot, where the board has slots.
  public var partition: String
  /// How many downloads there were.
  public var parts: Int
  /// Bytes that were sent.
  public var sent: Int64
  /// Bytes of the partition that the image is about.
  public var size: Int64
}
