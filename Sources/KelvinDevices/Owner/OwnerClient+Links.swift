internal import Glibc
package import KelvinModel

/// The far end of a link while this process has it to itself.
///
/// The descriptor is non-blocking, and shared with the owner: closing it closes nothing, so that DTR
/// stays, and with it what depends on it. Rates and modes may be changed.
package final class BorrowedLink: Sendable {
  package let name: String
  package let descriptor: Int32

  init(name: String, descriptor: Int32) {
    self.name = name
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }
}

extension Owner.Client {
  /// Has a port held as a link: a serial port, or a socket, that stays open while clients come and go.
  /// What it says while nobody has borrowed it is thrown away.
  ///
  /// - Parameter keep: idleness never closes it, because closing it would change something, as it cuts
  ///   the output of a supply.
  /// - Throws: `conflict` when the name or the address is held otherwise, `invalid` for protocols.
  package func open(
    link name: String, at address: ConsoleAddress, keep: Bool, until deadline: Deadline
  ) throws(OwnerFailure) -> Holding {
    let answer = try call(
      .open(name: name, address: address.description, keep: keep, isLink: true), until: deadline)
    return try Holding(answer.header["holding"] ?? .null)
  }

  /// Takes a link to itself, until ``giveBack(_:until:)`` or the end of this client.
  ///
  /// - Throws: `writerTaken`, naming who has it; `lost` when the far end is gone for now.
  package func borrow(
    _ name: String, until deadline: Deadline
  ) throws(OwnerFailure) -> BorrowedLink {
    let id = try send(.borrow(name: name), until: deadline)
    _ = try answer(to: id, until: deadline)
    guard let descriptor = takeDescriptor(of: id) else {
      throw OwnerFailure(.malformed, "'\(name)': lent without a descriptor")
    }
    return BorrowedLink(name: name, descriptor: descriptor)
  }

  /// Leaves a link to others; the descriptor must not be used any more.
  package func giveBack(_ link: BorrowedLink, until deadline: Deadline) throws(OwnerFailure) {
    _ = try call(.giveBack(name: link.name), until: deadline)
  }
}
