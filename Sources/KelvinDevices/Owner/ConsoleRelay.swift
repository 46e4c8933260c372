internal import Glibc
package import KelvinModel
internal import KelvinSystem

/// Joins a console that the owner holds to a pair of descriptors, such as a terminal's, and survives
/// the owner's death: it attaches again where it was.
///
/// Used by one thread, which blocks in ``run(until:)``.
package final class ConsoleRelay {
  /// Why a relay ended.
  package enum End: Sendable, Hashable {
    /// The escape byte was read.
    case escaped
    case passed
    case interrupted
    /// Nobody reads the output any more.
    case outputGone
  }

  /// What to relay, and how.
  package struct Options: Sendable {
    package var name: String
    /// To be opened again where a new owner does not hold it; nil: as the owner says.
    package var address: ConsoleAddress?
    package var keep = false
    package var position = ConsolePosition.end
    /// Whether input is sent.
    package var writes = true
    /// Takes the right to write from another client.
    package var takesOver = false
    /// Ends the relay when read; nil: every byte is sent.
    package var escape: UInt8?

    /// Relays a console both ways, from its end on.
    package init(name: String) { self.name = name }
  }

  private let options: Options
  private let connect: () throws(OwnerFailure) -> Owner.Client
  private let report: (String) -> Void
  private let input: Int32
  private let output: Int32

  private var client: Owner.Client
  private var attachment: ConsoleAttachment
  private var address: ConsoleAddress?
  private var mayWrite = false
  private var hasInput: Bool
  /// Requests whose answers are awaited.
  private var read: UInt64?
  private var write: UInt64?

  /// Attaches to the console; opens it first when an address is given.
  ///
  /// - Parameters:
  ///   - input: -1: nothing is sent.
  ///   - report: takes a line for the person who watches.
  ///   - connect: gives a connection to an owner, started when necessary.
  package init(
    _ options: Options, input: Int32, output: Int32, report: @escaping (String) -> Void,
    until deadline: Deadline, connect: @escaping () throws(OwnerFailure) -> Owner.Client
  ) throws(OwnerFailure) {
    self.options = options
    self.connect = connect
    self.report = report
    self.input = input
    self.output = output
    hasInput = input >= 0
    address = options.address
    let client = try connect()
    if let address {
      _ = try client.open(options.name, at: address, keep: options.keep, until: deadline)
    }
    attachment = try client.attach(options.name, from: options.position, until: deadline)
    self.client = client
    if address == nil {
      let status = try client.list(until: deadline).first { $0.name == options.name }
      address = try status.map { status throws(OwnerFailure) in try ConsoleAddress(status.address) }
    }
    if attachment.state != .open { report("\(options.name): \(attachment.state)") }
    try takeWriter(until: deadline)
  }

  private func takeWriter(until deadline: Deadline) throws(OwnerFailure) {
    guard options.writes else { return }
    do throws(OwnerFailure) {
      try client.takeWriter(options.name, force: options.takesOver, until: deadline)
      mayWrite = true
    } catch {
      guard error.code == .writerTaken else { throw error }
      report("\(error.description); only reading")
    }
  }

  /// Relays until the escape byte, the deadline or the interrupt.
  package func run(until deadline: Deadline) throws(OwnerFailure) -> End {
    while true {
      do throws(OwnerFailure) {
        return try relay(until: deadline)
      } catch {
        guard error.code == .ownerGone else { throw error }
        try attachAgain(until: deadline)
      }
    }
  }

  /// A new owner continues the log, so that nothing that the old one received is missed.
  private func attachAgain(until deadline: Deadline) throws(OwnerFailure) {
    report("\(options.name): the owner of ports went away; attaching again")
    read = nil
    write = nil
    mayWrite = false
    client = try connect()
    if let address {
      _ = try client.open(options.name, at: address, keep: options.keep, until: deadline)
    }
    attachment = try client.attach(
      options.name, from: .position(attachment.position), until: deadline)
    try takeWriter(until: deadline)
  }

  private func relay(until deadline: Deadline) throws(OwnerFailure) -> End {
    while true {
      if deadline.isInterrupted { return .interrupted }
      if deadline.hasPassed { return .passed }
      if let id = read, let answer = try client.answer(ifThere: id) {
        read = nil
        if let news = try client.news(of: &attachment, answer: answer), !show(news) {
          return .outputGone
        }
      }
      if read == nil { read = try client.requestNews(of: attachment, until: .never) }
      if let id = write { try finishWrite(id) }
      let canSend = hasInput && write == nil
      var polled = [
        pollfd(fd: client.descriptor, events: Int16(POLLIN), revents: 0),
        pollfd(fd: canSend ? input : -1, events: Int16(POLLIN), revents: 0),
        pollfd(fd: deadline.interrupt?.descriptor ?? -1, events: Int16(POLLIN), revents: 0)
      ]
      poll(&polled, 3, deadline.pollMilliseconds)
      if polled[1].revents != 0, try !sendInput() { return .escaped }
    }
  }

  /// - Returns: false when the output is gone.
  private func show(_ news: ConsoleNews) -> Bool {
    if news.skipped > 0 { report("\(options.name): \(news.skipped) bytes are no longer kept") }
    if news.lost > 0 { report("\(options.name): \(news.lost) bytes could not be logged") }
    var rest = news.bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(output, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      if count < 0, errno == EAGAIN {
        // A terminal that somebody else made non-blocking.
        _ = Deadline.never.wait(for: output, events: Int16(POLLOUT))
        continue
      }
      guard count > 0 else { return false }
      rest = rest.dropFirst(count)
    }
    if let state = news.newState { report("\(options.name): \(state)") }
    return true
  }

  /// - Returns: false when the escape byte came.
  private func sendInput() throws(OwnerFailure) -> Bool {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = Glibc.read(input, &buffer, buffer.count)
    if count < 0, errno == EINTR || errno == EAGAIN { return true }
    guard count > 0 else {
      hasInput = false
      return true
    }
    var bytes = buffer[..<count]
    var isEscaped = false
    if let escape = options.escape, let end = bytes.firstIndex(of: escape) {
      bytes = bytes[..<end]
      isEscaped = true
    }
    if mayWrite, !bytes.isEmpty {
      write = try client.send(
        .write(name: options.name, bytes: Array(bytes), milliseconds: 10_000),
        until: .after(seconds: Owner.Client.slack))
      if isEscaped, let id = write {
        // The last words are sent before leaving, as far as the console takes them.
        _ = try? client.answer(to: id, until: .after(seconds: 1))
      }
    }
    return !isEscaped
  }

  private func finishWrite(_ id: UInt64) throws(OwnerFailure) {
    do throws(OwnerFailure) {
      if try client.answer(ifThere: id) != nil { write = nil }
    } catch {
      guard error.code != .ownerGone else { throw error }
      write = nil
      report(error.description)
      if error.code == .writerTaken { mayWrite = false }
    }
  }
}
