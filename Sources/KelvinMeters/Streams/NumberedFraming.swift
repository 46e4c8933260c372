/// Samples of one size that follow each other in a stream, and that nothing marks but a number in each, which
/// goes on by one.
package protocol NumberedFraming: Sendable {
  /// Bytes of a sample.
  var size: Int { get }
  /// Numbers begin again from 0 there.
  var modulus: UInt32 { get }
  /// The number of a stream's first sample; nil where it may be any.
  var first: UInt32? { get }
  /// Whether the last sample of all is left out, since no number behind it says that it is whole: where a byte
  /// that belongs to no sample may follow it.
  var needsSuccessor: Bool { get }
  /// The number of the sample at a place; nil where none can be, or not all of it is there.
  func number(_ bytes: Span<UInt8>, at place: Int) -> UInt32?
  /// How far samples follow one another.
  ///
  /// - Parameter number: that of the sample at a place.
  /// - Returns: where the first one begins that does not, or that is not there as a whole, and the number
  ///   that it should have.
  func follow(
    _ bytes: Span<UInt8>, from place: Int, number: UInt32
  ) -> (place: Int, number: UInt32)
}
