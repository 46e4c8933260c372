/// The owner of ports: one small process per user and host that holds consoles and lines, so that they
/// outlive the commands that use them (docs/owner.md).
///
/// ``Owner/Client`` is how everything else talks to it, ``OwnerServer`` what runs in the process,
/// ``OwnerPlaces`` where both meet.
package enum Owner {
  /// The version of the protocol; both sides must speak the same one.
  package static let version = 2

  /// A name becomes a directory's, and stands on command lines.
  package static func isValidName(_ name: String) -> Bool {
    let bytes = name.utf8
    guard let first = bytes.first, first != UInt8(ascii: "."), first != UInt8(ascii: "-") else {
      return false
    }
    return bytes.count <= 100
      && bytes.allSatisfy { $0 > 32 && $0 != 127 && $0 != UInt8(ascii: "/") }
  }
}
