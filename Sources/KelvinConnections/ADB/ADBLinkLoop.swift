internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// The work of a link's thread: moves payloads between the device's connection and the streams' ends.
struct ADBLinkLoop {
  private struct Stream {
    let opening: ADBOpening
    /// Our end of the pair; -1 until the device has answered.
    var descriptor: Int32 = -1
    var remoteID: UInt32 = 0
    /// Whether the device has acknowledged what was sent last.
    var maySend = false
    /// What the other end has not taken yet; it is acknowledged to the device when it is empty.
    var waiting: [UInt8] = []
    /// The device has closed the stream: what waits is still delivered.
    var isClosing = false
    /// The other end has hung up, and what it sent last is not acknowledged yet.
    var isHungUp = false
  }

  private let device: Int32
  private let agreement: ADBAgreement
  private let doorbell: Doorbell
  private let stopping: Interrupt
  private let take: () -> [ADBOpening]
  private var streams: [UInt32: Stream] = [:]
  /// What the device still has to say to an earlier host has other numbers.
  private var nextID = UInt32.random(in: 1...0x7FFF_FFFF)
  /// To the device. Streams are read only while it is empty, so it stays small.
  private var output: [UInt8] = []
  private var outputStart = 0
  private var reader: ADBMessageReader
  private var scratch = [UInt8](repeating: 0, count: 1 << 18)
  private var failure: String?
  /// Whether a second greeting may be a late answer to this host, rather than a restart's.
  private var mayGreetAgain: Bool

  /// - Parameter mayGreetTwice: whether an earlier host's greeting, or a repeated one, may still be
  ///   answered.
  init(
    _ device: Int32, _ agreement: ADBAgreement, doorbell: Doorbell, stopping: Interrupt,
    mayGreetTwice: Bool, take: @escaping () -> [ADBOpening]
  ) {
    self.device = device
    mayGreetAgain = mayGreetTwice
    reader = ADBMessageReader(device)
    self.agreement = agreement
    self.doorbell = doorbell
    self.stopping = stopping
    self.take = take
  }

  /// Runs until the link ends.
  ///
  /// - Returns: why it ended.
  mutating func run() -> String {
    while failure == nil {
      if stopping.isRaised { return "it was closed" }
      let hasOutput = outputStart < output.count
      var polled = [
        pollfd(fd: stopping.descriptor, events: Int16(POLLIN), revents: 0),
        pollfd(fd: doorbell.descriptor, events: Int16(POLLIN), revents: 0),
        pollfd(fd: device, events: Int16(hasOutput ? POLLIN | POLLOUT : POLLIN), revents: 0)
      ]
      var ids: [UInt32] = []
      for (id, stream) in streams where stream.descriptor >= 0 {
        var events: Int32 = 0
        if stream.maySend, !hasOutput { events |= Int32(POLLIN) }
        if !stream.waiting.isEmpty { events |= Int32(POLLOUT) }
        // A hang-up is always told, and would be told again and again while it cannot be dealt with.
        if events == 0, stream.isHungUp || hasOutput { continue }
        polled.append(pollfd(fd: stream.descriptor, events: Int16(events), revents: 0))
        ids.append(id)
      }
      poll(&polled, nfds_t(polled.count), -1)
      if polled[1].revents != 0 {
        doorbell.silence()
        for opening in take() { open(opening) }
      }
      for (id, entry) in zip(ids, polled.dropFirst(3)) where entry.revents != 0 {
        serve(id, entry.revents)
      }
      if polled[2].revents != 0 || outputStart < output.count { flush() }
      if polled[2].revents & Int16(POLLIN | POLLHUP | POLLERR) != 0 { receive() }
    }
    return failure ?? "it ended"
  }

  /// Ends all streams, and refuses those that are still to be opened.
  mutating func end(_ openings: [ADBOpening], _ why: String) {
    for opening in openings { opening.give(.failure(.lost(why))) }
    for stream in streams.values {
      stream.opening.cut(why)
      if stream.descriptor >= 0 { close(stream.descriptor) }
      stream.opening.give(.failure(.lost(why)))
    }
    streams = [:]
  }

  private mutating func open(_ opening: ADBOpening) {
    // Zero is no stream's number.
    while nextID == 0 || streams[nextID] != nil { nextID &+= 1 }
    streams[nextID] = Stream(opening: opening)
    send(.open, nextID, 0, Array(opening.service.utf8) + [0])
    nextID &+= 1
  }

  // MARK: To the device

  private mutating func send(
    _ command: ADBMessage.Command, _ argument0: UInt32, _ argument1: UInt32, _ payload: [UInt8] = []
  ) {
    ADBMessage.appendHeader(
      to: &output, command, argument0, argument1, length: payload.count,
      check: agreement.checks ? ADBMessage.check(payload[...]) : 0)
    output += payload
  }

  private mutating func flush() {
    while outputStart < output.count {
      let count = output.withUnsafeBytes {
        write(device, $0.baseAddress?.advanced(by: outputStart), $0.count - outputStart)
      }
      if count > 0 {
        outputStart += count
      } else if errno == EAGAIN || errno == EINTR {
        return
      } else {
        failure = "the device hung up: \(Errno.current)"
        return
      }
    }
    output.removeAll(keepingCapacity: true)
    outputStart = 0
  }

  /// Deals with what poll(2) said of a stream's end.
  private mutating func serve(_ id: UInt32, _ events: Int16) {
    if let stream = streams[id], !stream.waiting.isEmpty { deliver(id) }
    guard let stream = streams[id] else { return }
    let isHungUp = events & Int16(POLLHUP | POLLERR) != 0
    if stream.maySend, outputStart >= output.count {
      read(id)
    } else if isHungUp, !stream.maySend {
      // Nobody reads answers any more; what was written is still to be sent.
      if hasUnread(stream.descriptor) { streams[id]?.isHungUp = true } else { finish(id) }
    }
  }

  private func hasUnread(_ descriptor: Int32) -> Bool {
    var byte: UInt8 = 0
    return recv(descriptor, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT)) > 0
  }

  /// Reads a payload from a stream's end.
  private mutating func read(_ id: UInt32) {
    guard let stream = streams[id] else { return }
    let room = min(agreement.maximumPayload, scratch.count)
    let count = scratch.withUnsafeMutableBytes {
      Glibc.read(stream.descriptor, $0.baseAddress, room)
    }
    guard count > 0 else {
      if count < 0, errno == EAGAIN || errno == EINTR { return }
      finish(id)
      return
    }
    let check = agreement.checks ? ADBMessage.check(scratch[..<count]) : 0
    ADBMessage.appendHeader(
      to: &output, .write, id, stream.remoteID, length: count, check: check)
    output.append(contentsOf: scratch[..<count])
    streams[id]?.maySend = false
  }

  /// The other end has hung up: so does this side.
  private mutating func finish(_ id: UInt32) {
    guard let stream = streams.removeValue(forKey: id) else { return }
    close(stream.descriptor)
    if !stream.isClosing { send(.close, id, stream.remoteID) }
  }

  // MARK: From the device

  private mutating func receive() {
    // As much as there is, but not for ever: streams wait too.
    for _ in 0..<64 where failure == nil {
      switch reader.next() {
      case .message(let header): act(header)
      case .nothing: return
      case .failed(let why): failure = why
      }
    }
  }

  private mutating func act(_ header: ADBMessage.Header) {
    let (remote, id) = (header.argument0, header.argument1)
    // It answers in order: what it says of our streams comes after its last greeting.
    if streams[id] != nil { mayGreetAgain = false }
    if agreement.checks, ADBMessage.check(reader.payload[..<header.length]) != header.check {
      failure = "a payload's checksum is wrong"
      return
    }
    switch header.command {
    case .okay: acknowledged(id, remote)
    case .close: closed(id)
    case .write:
      guard let stream = streams[id], stream.remoteID == remote, !stream.isClosing else {
        send(.close, 0, remote)
        return
      }
      guard stream.waiting.isEmpty else {
        failure = "the device sent without waiting for its answer"
        return
      }
      streams[id]?.waiting = Array(reader.payload[..<header.length])
      deliver(id)
    case .open: send(.close, 0, remote)
    case .connect: if !mayGreetAgain { failure = "the device has restarted" }
    case .auth, .startTLS: break
    }
  }

  private mutating func acknowledged(_ id: UInt32, _ remote: UInt32) {
    guard let stream = streams[id] else {
      send(.close, 0, remote)
      return
    }
    guard stream.descriptor < 0 else {
      if stream.remoteID == remote { streams[id]?.maySend = true }
      return
    }
    var pair: [Int32] = [-1, -1]
    let kind =
      Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    guard socketpair(AF_UNIX, kind, 0, &pair) == 0 else {
      stream.opening.give(.failure(.lost("no pair of sockets: \(Errno.current)")))
      streams[id] = nil
      send(.close, id, remote)
      return
    }
    for end in pair {
      var size: Int32 = 1 << 20
      setsockopt(end, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    }
    guard stream.opening.give(.success(pair[1])) else {
      // Whoever asked does not wait any more.
      close(pair[0])
      close(pair[1])
      streams[id] = nil
      send(.close, id, remote)
      return
    }
    streams[id]?.descriptor = pair[0]
    streams[id]?.remoteID = remote
    streams[id]?.maySend = true
  }

  private mutating func closed(_ id: UInt32) {
    guard let stream = streams[id] else { return }
    if stream.descriptor < 0 {
      streams[id] = nil
      stream.opening.give(.failure(.refused))
    } else if stream.waiting.isEmpty {
      streams[id]?.isClosing = true
      finish(id)
    } else {
      streams[id]?.isClosing = true
      streams[id]?.maySend = false
    }
  }

  /// Hands what waits to a stream's other end; when that has taken all of it, the device may go on.
  private mutating func deliver(_ id: UInt32) {
    guard let stream = streams[id] else { return }
    var rest = stream.waiting[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes {
        Glibc.send(stream.descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count > 0 {
        rest = rest.dropFirst(count)
      } else if errno == EAGAIN {
        streams[id]?.waiting = Array(rest)
        return
      } else if errno != EINTR {
        finish(id)
        return
      }
    }
    streams[id]?.waiting = []
    if stream.isClosing {
      finish(id)
    } else {
      send(.okay, id, stream.remoteID)
    }
  }
}
