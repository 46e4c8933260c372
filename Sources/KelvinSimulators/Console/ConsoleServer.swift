internal import CLinux
internal import Glibc
package import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// Lets one host at a time have a line, at a place of this machine, on a thread of its own.
///
/// What is said while no host is there is lost, as on a serial line.
package final class ConsoleServer: Sendable {
  /// Where hosts find it: the link's path or else the terminal's, `127.0.0.1:PORT`, or the socket's path.
  package let address: String

  /// Where a host that does not read is waited for no longer; a UART has no flow control.
  private static let patience: Int64 = 2_000_000_000

  private let vanishing = Mutex<Double?>(nil)
  private let line: Int32
  private let place: ConsolePlace
  private let bell = Doorbell()
  private let ending = Interrupt()
  private let vanishAfter: LineFaults.Interruption?
  private let report: @Sendable (String) -> Void
  private let thread = Mutex<NamedThread?>(nil)

  /// Serves.
  ///
  /// - Parameters:
  ///   - line: the host's end of a line, which it owns from now on.
  ///   - vanishAfter: the place goes away once, after so many bytes of the board's, and comes back.
  package init(
    _ line: Int32, at place: ConsolePlace, vanishAfter: LineFaults.Interruption? = nil,
    report: @escaping @Sendable (String) -> Void = { _ in }
  ) throws(PlainFailure) {
    self.line = line
    self.place = place
    self.vanishAfter = vanishAfter
    self.report = report
    do throws(PlainFailure) {
      let entrance = try Entrance(ConsoleEntrance(place))
      address = entrance.entrance.lastingAddress
      let new = try NamedThread("console server") { [self] in run(entrance.entrance) }
      thread.withLock { $0 = new }
    } catch {
      close(line)
      throw error
    }
  }

  /// Handed to the thread, and used there alone.
  private struct Entrance: @unchecked Sendable {
    let entrance: ConsoleEntrance
    init(_ entrance: ConsoleEntrance) { self.entrance = entrance }
  }

  /// Takes the place away, as an adapter that is unplugged, and brings it back.
  package func vanish(seconds: Double) {
    vanishing.withLock { $0 = seconds }
    bell.ring()
  }

  /// Ends; hosts see a hang-up. Idempotent.
  package func end() {
    ending.raise()
    guard let running = thread.take() else { return }
    running.join()
    close(line)
  }

  // MARK: The thread

  /// The host that is there.
  private struct Host {
    var descriptor: Int32 = -1
    var telnet: TelnetServerCodec?
    /// Not taken by it yet.
    var waiting: [UInt8] = []
    var lastTaken = MonotonicTime.now
  }

  private func run(_ entrance: ConsoleEntrance) {
    var host = Host(descriptor: entrance.master)
    var typed: [UInt8] = []
    var saidBytes = 0
    var vanishAfter = vanishAfter
    while !ending.isRaised {
      wait(entrance, host, typed)
      var isLeaving = false
      if host.descriptor >= 0, typed.count < 65_536 { isLeaving = !hear(&host, &typed) }
      if host.waiting.count < 65_536 {
        guard let said = ConsoleServer.take(line) else { break }
        saidBytes += said.count
        if host.descriptor >= 0 {
          if host.waiting.isEmpty { host.lastTaken = .now }
          host.waiting += host.telnet == nil ? said : TelnetServerCodec.encode(said)
        }
      }
      ConsoleServer.give(&typed, to: line)
      let before = host.waiting.count
      ConsoleServer.give(&host.waiting, to: host.descriptor)
      if host.waiting.count < before { host.lastTaken = .now }
      if entrance.master >= 0, MonotonicTime.now - host.lastTaken > ConsoleServer.patience {
        host.waiting = []
      }
      if isLeaving { leave(&host, entrance) }
      if entrance.listener >= 0 { accept(entrance.listener, &host) }
      if let limit = vanishAfter, saidBytes >= limit.bytes {
        vanishAfter = nil
        vanish(seconds: limit.seconds)
      }
      if let seconds = vanishing.take() {
        leave(&host, entrance)
        typed = []
        guard isBack(entrance, after: seconds) else { break }
        host = Host(descriptor: entrance.master)
      }
    }
    leave(&host, entrance)
    entrance.vanish()
  }

  private func wait(_ entrance: ConsoleEntrance, _ host: Host, _ typed: [UInt8]) {
    var polled = [
      pollfd(fd: line, events: Int16(POLLIN), revents: 0),
      pollfd(fd: host.descriptor, events: Int16(POLLIN), revents: 0),
      pollfd(fd: entrance.listener, events: Int16(POLLIN), revents: 0),
      pollfd(fd: bell.descriptor, events: Int16(POLLIN), revents: 0),
      pollfd(fd: ending.descriptor, events: Int16(POLLIN), revents: 0)
    ]
    if host.waiting.count >= 65_536 { polled[0].events = 0 }
    if typed.count >= 65_536 { polled[1].events = 0 }
    if !typed.isEmpty { polled[0].events |= Int16(POLLOUT) }
    if !host.waiting.isEmpty { polled[1].events |= Int16(POLLOUT) }
    for index in 0..<2 where polled[index].events == 0 { polled[index].fd = -1 }
    poll(&polled, 5, host.waiting.isEmpty ? -1 : 500)
    bell.silence()
  }

  /// What a host types; false when it has gone.
  private func hear(_ host: inout Host, _ typed: inout [UInt8]) -> Bool {
    guard let bytes = ConsoleServer.take(host.descriptor) else { return false }
    guard var telnet = host.telnet else {
      typed += bytes
      return true
    }
    let (data, answer) = telnet.decode(bytes)
    host.telnet = telnet
    host.waiting += answer
    typed += data
    return true
  }

  private func leave(_ host: inout Host, _ entrance: ConsoleEntrance) {
    // A terminal's master goes with the entrance.
    if host.descriptor >= 0, host.descriptor != entrance.master {
      close(host.descriptor)
      report("line: the host has left")
    }
    host = Host(descriptor: entrance.master)
  }

  /// One host has the line; another one is told so, as ser2net does.
  private func accept(_ listener: Int32, _ host: inout Host) {
    let new = kelvin_accept(listener)
    guard new >= 0 else { return }
    guard host.descriptor < 0 else {
      var text = Array("Port already in use\r\n".utf8)
      ConsoleServer.give(&text, to: new)
      close(new)
      return
    }
    host = Host(descriptor: new)
    if case .telnet = place {
      host.telnet = TelnetServerCodec()
      host.waiting = TelnetServerCodec.greeting
    }
    report("line: a host has come")
  }

  // MARK: Going away

  /// What the board says meanwhile is lost.
  private func isBack(_ entrance: ConsoleEntrance, after seconds: Double) -> Bool {
    entrance.vanish()
    report("line: gone for \(seconds) s")
    let deadline = Deadline.after(seconds: seconds, interrupt: ending)
    while deadline.wait(for: line) == .ready {
      guard ConsoleServer.take(line) != nil else { return false }
    }
    // Another program may have the port or the name for a moment.
    let limit = Deadline.after(seconds: 60, interrupt: ending)
    while !ending.isRaised {
      do throws(PlainFailure) {
        try entrance.appear()
        break
      } catch {
        entrance.vanish()
        guard limit.limited(toSeconds: 0.2).wait() == .passed, !limit.hasPassed else {
          report("line: cannot come back: \(error)")
          return false
        }
      }
    }
    report("line: back at \(entrance.address)")
    return !ending.isRaised
  }

  // MARK: Bytes

  /// Nil at the end; what cannot be read now is empty.
  private static func take(_ descriptor: Int32) -> [UInt8]? {
    withUnsafeTemporaryAllocation(byteCount: 16_384, alignment: 1) { buffer in
      let got = read(descriptor, buffer.baseAddress, buffer.count)
      if got < 0 { return errno == EAGAIN || errno == EINTR ? [] : nil }
      return got == 0 ? nil : Array(buffer[..<got])
    }
  }

  private static func give(_ bytes: inout [UInt8], to descriptor: Int32) {
    guard !bytes.isEmpty else { return }
    guard descriptor >= 0 else {
      bytes = []
      return
    }
    var count = send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    if count < 0, errno == ENOTSOCK { count = write(descriptor, bytes, bytes.count) }
    if count > 0 { bytes.removeFirst(count) }
  }
}
