/// What is wrong with a simulated iiod.
package enum IIODFault: Sendable, Hashable {
  case none
  /// The connection ends at a scan's border after so many scans.
  case cut(after: Int)
  /// It ends in the middle of a batch, and of a scan.
  case truncated(after: Int)
  /// One byte of a scan is left out.
  case byteLoss(after: Int)
  /// Reading the device fails with EIO.
  case ioError(after: Int)
  /// Nothing comes any more.
  case stall(after: Int)
  /// A batch says that it is longer than anything that was asked for.
  case hugeLength(after: Int)
  /// The kernel's buffer ran over: so many scans are missing once.
  case gap(after: Int, count: Int)
  /// Batches come with another mask than was asked for.
  case wrongMask
  /// The description ends in the middle.
  case truncatedDescription
  /// A description of 100 GB is announced.
  case hugeDescription

  /// By their names on a command line.
  package static func named(_ name: String, after: Int) -> IIODFault? {
    switch name {
    case "none": IIODFault.none
    case "cut": .cut(after: after)
    case "truncation": .truncated(after: after)
    case "byte-loss": .byteLoss(after: after)
    case "eio": .ioError(after: after)
    case "stall": .stall(after: after)
    case "huge-length": .hugeLength(after: after)
    case "gap": .gap(after: after, count: 25)
    case "wrong-mask": .wrongMask
    case "truncated-description": .truncatedDescription
    default: nil
    }
  }
}
