/// How far the values of a channel may be off, as limits: true value = value ± (gain·|value| + offset).
///
/// What is stated as a limit is taken for a rectangular distribution (JCGM 100:2008, 4.3.7): its
/// standard uncertainty is the limit over √3. What a calibration certificate states as an expanded
/// uncertainty has its own coverage factor.
public struct Accuracy: Sendable, Hashable, Codable {
  /// Relative to the value: 0.005 for 0.5 %.
  public var gain: Double
  /// In the channel's unit.
  public var offset: Double
  /// The smallest step, in the channel's unit; nil when it is the channel's ``Channel/scale``.
  public var resolution: Double?
  /// The standard deviation of one sample, in the channel's unit; nil when nobody says.
  public var noise: Double?
  /// Nil for limits; for expanded uncertainties by how much they are: 2 for 95 %.
  public var coverageFactor: Double?
  /// Who says so, and under which conditions.
  public var source: String

  /// Describes an accuracy.
  public init(
    gain: Double, offset: Double, resolution: Double? = nil, noise: Double? = nil,
    coverageFactor: Double? = nil, source: String = ""
  ) {
    self.gain = gain
    self.offset = offset
    self.resolution = resolution
    self.noise = noise
    self.coverageFactor = coverageFactor
    self.source = source
  }
}
