internal import CLinux
internal import Glibc
package import KelvinModel
internal import KelvinSystem

/// What runs in the owner's process: takes clients, and lets them use the ports that it holds.
///
/// Everything here belongs to the one thread that calls ``run(until:)``; ports have theirs, and tell
/// of changes by a doorbell.
package final class OwnerServer {
  /// What may be chosen.
  package struct Options: Sendable {
    /// Seconds without a client, and without anything that is kept, after which it ends.
    package var idleSeconds: Double
    package var limits: ConsoleLog.Limits
    var backoff = HeldPort.Backoff()

    /// Creates options; by default ten minutes.
    package init(idleSeconds: Double = 600, limits: ConsoleLog.Limits = ConsoleLog.Limits()) {
      self.idleSeconds = idleSeconds
      self.limits = limits
    }
  }

  /// A port and who uses it.
  struct Held {
    let port: HeldPort
    var keep: Bool
    /// For what its lines are driven, such as `rock.power`, and whether that powers a board.
    var drivers: [String: Bool] = [:]
    /// The client that may write.
    var writer: Int?
    /// Requests that are answered when the first attempt to open is over, and when it is closed.
    var opening: [(client: Int, request: UInt64)] = []
    var closing: [(client: Int, request: UInt64)] = []
    /// Who has the name when it is closed, at another place.
    var successor: (client: Int, request: UInt64, address: String, keep: Bool, isLink: Bool)?
    /// What is asked of lines that are not there yet.
    var drives: [(client: Int, request: UInt64, drive: LineDrive, deadline: Deadline)] = []
    var isClosing = false

    /// Closing it may cut a board's power, or somebody said so.
    var isKept: Bool { keep || !powered.isEmpty }
    /// What would be cut with it.
    var powered: [String] { drivers.filter(\.value).keys.sorted() }
    /// Idleness closes nothing that drives a line, for its level may change.
    var outlivesIdleness: Bool { keep || !drivers.isEmpty }
  }

  /// An order that a port has, and whom to tell.
  struct Ordered {
    let client: Int
    let request: UInt64
    /// What was driven, and of which port.
    var drive: (port: HeldPort, name: String, powers: Bool?)?
    /// The link that was borrowed.
    var link: String?
  }

  let places: OwnerPlaces
  let options: Options
  let report: (String) -> Void
  let doorbell = Doorbell()
  var clients: [Int: ServedClient] = [:]
  var held: [String: Held] = [:]
  var orders: [UInt64: Ordered] = [:]
  var nextOrder: UInt64 = 0
  /// Set when a client asked for the end.
  var isEnding = false
  private var nextClient = 0
  private var lastUse = MonotonicTime.now
  private let seat: OwnerSeat

  static let clientLimit = 256
  static let portLimit = 256
  private static let bufferSize = 262_144

  /// Takes the seat of this user's owner; nil: another has it, and listens.
  ///
  /// - Parameter report: takes lines for the owner's own log.
  package init?(
    places: OwnerPlaces, options: Options = Options(),
    report: @escaping (String) -> Void = { _ in }
  ) throws(OwnerFailure) {
    guard let seat = try OwnerSeat.take(places) else { return nil }
    self.seat = seat
    self.places = places
    self.options = options
    self.report = report
  }

  /// Serves until the interrupt, a client or idleness ends it; closes every port.
  ///
  /// - Returns: why it ended.
  package func run(until interrupt: Interrupt) -> String {
    report("owner \(getpid()) listens at \(places.socketPath)")
    let buffer = UnsafeMutableRawBufferPointer.allocate(
      byteCount: OwnerServer.bufferSize, alignment: 16)
    defer { buffer.deallocate() }
    var reason = ""
    while reason.isEmpty {
      turn(interrupt, buffer)
      if interrupt.isRaised {
        reason = "a signal"
      } else if isEnding {
        reason = "asked to"
      } else if isIdle, idleDeadline.hasPassed {
        reason = "idle"
      }
    }
    report("owner \(getpid()) ends: \(reason)")
    end()
    return reason
  }

  /// One round: waits for something to happen, and acts on it.
  private func turn(_ interrupt: Interrupt, _ buffer: UnsafeMutableRawBufferPointer) {
    let order = clients.keys.sorted()
    var polled = [
      pollfd(fd: seat.listener, events: Int16(POLLIN), revents: 0),
      pollfd(fd: doorbell.descriptor, events: Int16(POLLIN), revents: 0),
      pollfd(fd: interrupt.descriptor, events: Int16(POLLIN), revents: 0)
    ]
    for id in order {
      guard let client = clients[id] else { continue }
      polled.append(pollfd(fd: client.descriptor, events: client.events, revents: 0))
    }
    poll(&polled, nfds_t(polled.count), nextDeadline.pollMilliseconds)
    if polled[0].revents != 0 { accept() }
    if polled[1].revents != 0 { doorbell.silence() }
    for (id, entry) in zip(order, polled.dropFirst(3)) where entry.revents != 0 {
      guard let client = clients[id] else { continue }
      // A client that hung up may have sent something before.
      if entry.events & Int16(POLLIN) != 0 || entry.revents & Int16(POLLHUP | POLLERR) != 0 {
        client.receive(buffer)
      }
    }
    attendPorts()
    for client in clients.values { attend(client) }
    for client in clients.values where client.isGone { drop(client) }
    if !isIdle { lastUse = .now }
  }

  /// Does all that can be done for a client without waiting for it.
  private func attend(_ client: ServedClient) {
    // What is stuck goes first, for nothing would bring us here again when it is through.
    client.flush()
    var isGoingOn = true
    while isGoingOn, !client.isGone {
      let hadRequests = takeRequests(of: client)
      let hadBytes = answerReads(of: client)
      client.flush()
      isGoingOn = (hadRequests || hadBytes) && !client.hasOutbound
    }
  }

  /// - Returns: whether there were any.
  private func takeRequests(of client: ServedClient) -> Bool {
    var count = 0
    do throws(OwnerFailure) {
      while !client.isBackedUp, let frame = try client.nextFrame() {
        count += 1
        try handle(frame, from: client)
      }
    } catch {
      report("client \(client.title): \(error)")
      client.refuse(0, error)
      client.isLeaving = true
    }
    return count > 0
  }

  private func accept() {
    while true {
      let descriptor = kelvin_accept(seat.listener)
      guard descriptor >= 0 else {
        if errno == EINTR || errno == ECONNABORTED { continue }
        return
      }
      var processID: pid_t = 0
      var user: uid_t = 0
      guard kelvin_peer(descriptor, &processID, &user) == 0, user == geteuid(),
        clients.count < OwnerServer.clientLimit
      else {
        report("refused a client: process \(processID) of user \(user)")
        close(descriptor)
        continue
      }
      nextClient += 1
      clients[nextClient] = ServedClient(
        id: nextClient, descriptor: descriptor, processID: processID)
    }
  }

  /// Forgets a client; what it used stays as it is.
  private func drop(_ client: ServedClient) {
    clients[client.id] = nil
    for (name, entry) in held where entry.writer == client.id {
      held[name]?.writer = nil
      if entry.port.purpose.isLink { takeBack(entry.port) }
    }
  }

  // MARK: Time

  private var isIdle: Bool { clients.isEmpty && !held.values.contains { $0.outlivesIdleness } }

  private var idleDeadline: Deadline {
    Deadline(
      time: MonotonicTime(
        nanoseconds: lastUse.nanoseconds
          + Int64(min(options.idleSeconds, 1e9) * 1_000_000_000)))
  }

  private var nextDeadline: Deadline {
    var times = clients.values.flatMap { client in
      client.hasOutbound ? [] : client.reads.compactMap { $0.deadline.time }
    }
    if isIdle, let time = idleDeadline.time { times.append(time) }
    return Deadline(time: times.min())
  }

  // MARK: The end

  /// Closes every port; one that hangs in the kernel or in a name's look-up is not waited for.
  private func end() {
    // Ports first: nobody who holds the lock up shall keep them open.
    for held in held.values { held.port.stop() }
    seat.beginLeaving()
    let deadline = Deadline.after(seconds: 3)
    while held.values.contains(where: { !$0.port.snapshot.isFinished }), !deadline.hasPassed {
      _ = deadline.wait(for: doorbell.descriptor)
      doorbell.silence()
    }
    attendPorts()
    for client in clients.values { client.flush() }
    clients = [:]
    held = [:]
  }
}
