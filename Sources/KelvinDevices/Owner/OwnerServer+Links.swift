internal import KelvinModel

// Links: ports that a client uses itself while the owner holds them open.

extension OwnerServer {
  /// Bytes go between the client and the kernel, so the protocols that this process speaks cannot be
  /// lent.
  static func checkLink(_ address: PortAddress) throws(OwnerFailure) {
    switch address {
    case .console(.serial), .console(.pty), .console(.socket), .console(.tcp): return
    case .console(.telnet), .console(.rfc2217), .gpio:
      throw OwnerFailure(
        .invalid, "\(address): cannot be lent as a link", hint: "serial, pty, socket and tcp can")
    }
  }

  /// Leaves a link to a client, the only one until it gives it back or goes.
  func borrow(
    _ name: String, _ number: UInt64, _ client: ServedClient
  ) throws(OwnerFailure) {
    guard let entry = held[name] else { throw unknown(name) }
    guard entry.port.purpose.isLink else {
      throw OwnerFailure(
        .unsupported, "'\(name)': is no link but a \(entry.port.purpose.kind.rawValue)")
    }
    if let other = entry.writer {
      throw OwnerFailure(
        .writerTaken, "'\(name)': \(clients[other]?.title ?? "another client") uses it")
    }
    try hand(.lend, to: entry.port, deadline: .after(seconds: 5)) {
      Ordered(client: client.id, request: number, link: name)
    }
    held[name]?.writer = client.id
    client.attached.insert(name)
  }

  /// Has the port's own thread use it again.
  func takeBack(_ port: HeldPort) {
    // One that cannot take orders is lost or ends, and begins anew without anybody.
    try? hand(.takeBack, to: port, deadline: .never) { Ordered(client: 0, request: 0) }
  }

  /// Gives a port an order.
  func hand(
    _ action: PortOrder.Action, to port: HeldPort, deadline: Deadline, for whom: () -> Ordered
  ) throws(OwnerFailure) {
    nextOrder += 1
    try port.order(PortOrder(id: nextOrder, action: action, deadline: deadline))
    orders[nextOrder] = whom()
  }
}
