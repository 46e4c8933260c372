internal import Glibc
internal import KelvinModel
internal import KelvinSystem

// A serial port that another machine serves by RFC 2217.

extension PortLink {
  /// Whether the server wants nothing to be sent for now.
  var isSuspended: Bool { telnet?.comPort?.isSuspended ?? false }

  /// Seconds for the server to say whether it takes commands, and then to answer the rate. A real one
  /// takes milliseconds, but some never answer what their port cannot do.
  private static let agreementSeconds = 3.0
  private static let rateSeconds = 1.0
  /// More data than that before the agreement are not kept.
  private static let backlogLimit = 262_144

  /// Waits until the server has taken the port's settings; data that come meanwhile are kept.
  ///
  /// - Throws: `lost`, when it is no such server, or cannot set the rate.
  func agree(on subject: String, until deadline: Deadline) throws(OwnerFailure) {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 16_384, alignment: 16)
    defer { buffer.deallocate() }
    var limit = deadline.limited(toSeconds: PortLink.agreementSeconds)
    var isAgreed = false
    while let port = telnet?.comPort {
      switch port.agreement {
      case .refused:
        throw OwnerFailure(
          .lost, "\(subject): does not serve a serial port by RFC 2217: it refuses COM-PORT",
          hint: "as 'telnet' the console may work, at the rate that the server chose")
      case .agreed where port.servedBaud != nil:
        return try check(port, subject)
      case .agreed where !isAgreed:
        isAgreed = true
        limit = deadline.limited(toSeconds: PortLink.rateSeconds)
      case .agreed, .asked: break
      }
      try sendReplies(subject, until: limit)
      if backlog.count < PortLink.backlogLimit {
        switch limit.wait(for: descriptor) {
        case .ready:
          guard case .gone(let reason) = read(buffer, into: &backlog) else { continue }
          throw OwnerFailure(.lost, "\(subject): \(reason)", hint: "is it in use already?")
        case .interrupted: throw OwnerFailure(.interrupted, "\(subject): stopped")
        case .passed: break
        }
      }
      // Nobody can be made to answer; a rate that is not confirmed may still be right.
      if isAgreed { return }
      throw OwnerFailure(
        .lost, "\(subject): does not serve a serial port by RFC 2217: no answer to COM-PORT",
        hint: "as 'tcp' or 'telnet' the console may work, at the rate that the server chose")
    }
  }

  private func check(_ port: ComPort, _ subject: String) throws(OwnerFailure) {
    guard port.hasWantedRate else {
      throw OwnerFailure(
        .lost,
        "\(subject): the server set \(port.servedBaud ?? 0) bits a second, not \(port.baud)",
        hint: "its serial port may not go at that rate")
    }
  }

  private func sendReplies(_ subject: String, until deadline: Deadline) throws(OwnerFailure) {
    var rest = telnet?.takeReplies()[...] ?? []
    while !rest.isEmpty {
      do {
        let count = try write(rest)
        rest = rest.dropFirst(count)
        guard count > 0 || deadline.wait(for: descriptor, events: Int16(POLLOUT)) == .ready else {
          throw OwnerFailure(.lost, "\(subject): takes nothing")
        }
      } catch let error as OwnerFailure {
        throw error
      } catch {
        throw OwnerFailure(.lost, "\(subject): \(error)")
      }
    }
  }
}
