internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// A connection to a device itself, without a server: carries any number of streams at once, on a
/// thread of its own. Each stream's other end is one of a pair of sockets, so that whoever uses it
/// waits with poll(2) as for any other.
///
/// Of each stream one payload at a time is on its way, in each direction, until it is acknowledged
/// (AOSP protocol.txt): a stream that nobody reads holds up none of the others.
final class ADBLink: Sendable {
  let name: String
  let agreement: ADBAgreement
  private let doorbell = Doorbell()
  private let stopping = Interrupt()
  private let shared = Shared()
  private let thread = Mutex<NamedThread?>(nil)
  /// On USB: what the connection goes through, and ends with.
  private let cable: ADBUSBCable?

  /// What the thread and its users both hold.
  private final class Shared: Sendable {
    private struct State {
      var openings: [ADBOpening] = []
      var end: String?
    }
    private let state = Mutex(State())

    /// Why the link has ended; nil while it lives.
    var end: String? { state.withLock { $0.end } }

    /// Asks for a stream.
    ///
    /// - Returns: why that is too late; nil when it is not.
    func ask(_ opening: ADBOpening) -> String? {
      state.withLock { state in
        if state.end == nil { state.openings.append(opening) }
        return state.end
      }
    }

    /// What was asked for since the last time.
    func take() -> [ADBOpening] {
      state.withLock { state in
        defer { state.openings = [] }
        return state.openings
      }
    }

    /// Nothing can be asked for any more.
    func finish(_ why: String) { state.withLock { $0.end = why } }
  }

  /// Takes over a connection that is greeted.
  ///
  /// - Parameter stream: its buffer is empty: a device speaks only when asked.
  init(
    _ stream: ADBStream, _ agreement: ADBAgreement, name: String, cable: ADBUSBCable? = nil
  ) throws(ConnectionFailure) {
    self.name = name
    self.cable = cable
    self.agreement = agreement
    let descriptor = fcntl(stream.descriptor, F_DUPFD_CLOEXEC, 3)
    guard descriptor >= 0 else {
      throw ConnectionFailure(.system(.current), "\(name): \(Errno.current)")
    }
    do throws(PlainFailure) {
      let started = try NamedThread("adb-link") { [shared, doorbell, stopping] in
        var loop = ADBLinkLoop(
          descriptor, agreement, doorbell: doorbell, stopping: stopping,
          mayGreetTwice: cable != nil, take: shared.take)
        let said = loop.run()
        // The cable knows better than the socket.
        let why = cable?.end ?? said
        shared.finish(why)
        loop.end(shared.take(), why)
        Glibc.close(descriptor)
      }
      thread.withLock { $0 = started }
    } catch {
      Glibc.close(descriptor)
      throw ConnectionFailure(.system(.io), error.message)
    }
  }

  deinit { close() }

  /// Why the link has ended; nil while it lives.
  var end: String? { shared.end }

  /// Hangs up and waits for the thread. Idempotent.
  func close() {
    stopping.raise()
    thread.withLock { $0 }?.join()
    cable?.pull()
  }

  /// Opens a service of the device.
  func open(_ service: String, until deadline: Deadline) throws(ConnectionFailure) -> ADBStream {
    guard service.utf8.count < agreement.maximumPayload else {
      throw ConnectionFailure(.unsupported, "\(name): a service of \(service.utf8.count) bytes")
    }
    let opening = ADBOpening(service)
    if let end = shared.ask(opening) {
      throw ConnectionFailure(.connectionLost, "\(name): \(end)")
    }
    doorbell.ring()
    let stream = "\(name): \(service.prefix { $0 != ":" })"
    switch deadline.wait(for: opening.done.descriptor) {
    case .ready: break
    case .passed:
      opening.give(.failure(.abandoned))
      throw ConnectionFailure(.timedOut, "\(stream): the device does not answer")
    case .interrupted:
      opening.give(.failure(.abandoned))
      throw ConnectionFailure(.interrupted, "\(stream): stopped")
    }
    switch opening.result {
    case .success(let descriptor):
      return ADBStream(descriptor, name: stream, reason: { opening.end })
    case .failure(.refused), nil:
      throw ConnectionFailure(.unsupported, "\(stream): the device refused '\(service)'")
    case .failure(.abandoned):
      throw ConnectionFailure(.timedOut, "\(stream): the device does not answer")
    case .failure(.lost(let why)): throw ConnectionFailure(.connectionLost, "\(stream): \(why)")
    }
  }
}

/// A stream that somebody waits for, and later the link's word on how it ended.
final class ADBOpening: Sendable {
  enum Refusal: Error { case refused, abandoned, lost(String) }

  let service: String
  /// Raised with the result.
  let done = Interrupt()
  private struct State {
    var result: Result<Int32, Refusal>?
    var end: String?
  }
  private let state = Mutex(State())

  init(_ service: String) { self.service = service }

  var result: Result<Int32, Refusal>? { state.withLock { $0.result } }
  /// Why the stream was cut; nil when it was not.
  var end: String? { state.withLock { $0.end } }

  /// Gives the result to the one who waits.
  ///
  /// - Returns: false when it is given already: nobody waits any more.
  @discardableResult
  func give(_ result: Result<Int32, Refusal>) -> Bool {
    let isFirst = state.withLock { state in
      guard state.result == nil else { return false }
      state.result = result
      return true
    }
    if isFirst { done.raise() }
    return isFirst
  }

  func cut(_ why: String) { state.withLock { $0.end = why } }
}
