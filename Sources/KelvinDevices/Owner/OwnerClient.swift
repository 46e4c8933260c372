internal import CLinux
internal import Glibc
package import KelvinModel
internal import KelvinSystem

extension Owner {
  /// A connection to the owner of ports; started on demand.
  ///
  /// Used by one thread, which blocks in its calls. When it ends, in whatever way, the owner and the
  /// ports go on. One that reads in one thread and writes in another makes two.
  package final class Client {
    /// The owner's process.
    package let processID: Int32
    /// Where the owner keeps the consoles' logs.
    package let stateDirectory: String
    /// To be polled for answers to ``send(_:)``.
    package let descriptor: Int32
    private var frames = OwnerFrameReader()
    private var nextID: UInt64 = 1
    /// Answers that came while another was waited for.
    private var answers: [UInt64: OwnerFrame] = [:]
    /// Descriptors that came with answers, by requests.
    private var lent: [UInt64: Int32] = [:]
    /// Requests whose answers nobody wants any more.
    private var abandoned: Set<UInt64> = []

    /// How much longer than it was asked to wait an owner may take to say so, in seconds.
    static let slack = 10.0

    /// Connects to this user's owner, and starts it when there is none.
    ///
    /// - Parameters:
    ///   - name: who is calling, for listings: `kelvin run`.
    ///   - starter: nil: it must run already.
    package static func connect(
      to places: OwnerPlaces = .standard, as name: String, starter: OwnerStarter? = .standard,
      until deadline: Deadline
    ) throws(OwnerFailure) -> Client {
      var starts = 0
      while true {
        do throws(OwnerFailure) {
          return try Client(places, name, until: deadline)
        } catch {
          // One that ends at this moment makes room for the next.
          guard error.code == .notRunning || error.code == .ownerGone, let starter, starts < 5
          else { throw error }
          starts += 1
          try starter.start(places, until: deadline)
        }
      }
    }

    private init(
      _ places: OwnerPlaces, _ name: String, until deadline: Deadline
    ) throws(OwnerFailure) {
      let directory = try places.openRuntimeDirectory(makes: false)
      defer { Glibc.close(directory) }
      do {
        descriptor = try UnixSocket.connect(
          directory: directory, name: OwnerPlaces.socketName, until: deadline)
      } catch {
        switch error.rawValue {
        case ENOENT, ECONNREFUSED, ENXIO:
          throw OwnerFailure(
            .notRunning, "no owner of ports runs", evidence: places.socketPath,
            hint: "'kelvin bench up' starts it")
        default: throw OwnerFailure(.system, "\(places.socketPath): \(error)")
        }
      }
      var peer: pid_t = 0
      var user: uid_t = 0
      guard kelvin_peer(descriptor, &peer, &user) == 0, user == geteuid() else {
        Glibc.close(descriptor)
        throw OwnerFailure(.denied, "\(places.socketPath): another user listens there")
      }
      // Set before the first call, which needs the whole object.
      (processID, stateDirectory) = try Client.greet(descriptor, name, until: deadline)
      nextID = 2
    }

    deinit {
      for descriptor in frames.descriptors + lent.values + [descriptor] { Glibc.close(descriptor) }
    }

    /// The descriptor that came with an answer; whoever takes it closes it.
    func takeDescriptor(of id: UInt64) -> Int32? { lent.removeValue(forKey: id) }

    private static func greet(
      _ descriptor: Int32, _ name: String, until deadline: Deadline
    ) throws(OwnerFailure) -> (Int32, String) {
      do throws(OwnerFailure) {
        var frames = OwnerFrameReader()
        let hello = OwnerRequest.hello(version: Owner.version, client: name).frame(id: 1)
        try transmit(hello.encoded, descriptor, until: deadline)
        let limit = deadline.limited(toSeconds: slack)
        let answer = try checked(try receive(&frames, descriptor, until: limit))
        let keys = FrameKeys(header: answer.header)
        return (
          Int32(truncatingIfNeeded: try keys.integer("pid", 1...Int(Int32.max))),
          try keys.text("state")
        )
      } catch {
        Glibc.close(descriptor)
        throw error
      }
    }

    // MARK: Requests and answers

    /// Sends a request and does not wait for its answer.
    func send(_ request: OwnerRequest, until deadline: Deadline) throws(OwnerFailure) -> UInt64 {
      let id = nextID
      nextID += 1
      try Client.transmit(request.frame(id: id).encoded, descriptor, until: deadline)
      return id
    }

    /// Waits for the answer to a request.
    ///
    /// - Throws: what the owner refused it with; `timeout` and `interrupted`, and then a late answer
    ///   is dropped.
    func answer(to id: UInt64, until deadline: Deadline) throws(OwnerFailure) -> OwnerFrame {
      do throws(OwnerFailure) {
        while true {
          if let answer = answers.removeValue(forKey: id) { return try Client.checked(answer) }
          try take(Client.receive(&frames, descriptor, until: deadline))
        }
      } catch {
        if error.code == .timeout || error.code == .interrupted { abandoned.insert(id) }
        throw error
      }
    }

    /// The answer to a request if it has come; never waits.
    func answer(ifThere id: UInt64) throws(OwnerFailure) -> OwnerFrame? {
      try Client.receiveAvailable(&frames, descriptor)
      while let frame = try frames.next() { try take(frame) }
      guard let answer = answers.removeValue(forKey: id) else { return nil }
      return try Client.checked(answer)
    }

    private func take(_ frame: OwnerFrame) throws(OwnerFailure) {
      guard let id = frame.header["id"]?.integer, id > 0 else {
        // Said to the connection as a whole.
        _ = try Client.checked(frame)
        throw OwnerFailure(.malformed, "the owner sent an answer without an id")
      }
      let isWanted = abandoned.remove(UInt64(id)) == nil
      if isWanted { answers[UInt64(id)] = frame }
      guard frame.header["descriptor"]?.boolean == true, !frames.descriptors.isEmpty else { return }
      let passed = frames.descriptors.removeFirst()
      if isWanted { lent[UInt64(id)] = passed } else { Glibc.close(passed) }
    }

    /// Sends a request and waits for its answer.
    func call(_ request: OwnerRequest, until deadline: Deadline) throws(OwnerFailure) -> OwnerFrame
    {
      try answer(to: try send(request, until: deadline), until: deadline)
    }

    /// Blocks until the owner has ended.
    func waitForEnd(until deadline: Deadline) throws(OwnerFailure) {
      do throws(OwnerFailure) {
        while true { _ = try Client.receive(&frames, descriptor, until: deadline) }
      } catch {
        guard error.code == .ownerGone else { throw error }
      }
    }

    // MARK: Bytes

    private static func checked(_ frame: OwnerFrame) throws(OwnerFailure) -> OwnerFrame {
      if frame.header["ok"]?.boolean == true { return frame }
      throw OwnerFailure(refusal: frame.header)
    }

    private static func transmit(
      _ bytes: [UInt8], _ descriptor: Int32, until deadline: Deadline
    ) throws(OwnerFailure) {
      var rest = bytes[...]
      while !rest.isEmpty {
        let count = rest.withUnsafeBytes {
          Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        if count > 0 {
          rest = rest.dropFirst(count)
        } else if errno == EAGAIN {
          try wait(descriptor, Int16(POLLOUT), until: deadline)
        } else if errno != EINTR {
          throw gone(.current)
        }
      }
    }

    private static func receive(
      _ frames: inout OwnerFrameReader, _ descriptor: Int32, until deadline: Deadline
    ) throws(OwnerFailure) -> OwnerFrame {
      while true {
        if let frame = try frames.next() { return frame }
        try wait(descriptor, Int16(POLLIN), until: deadline)
        try receiveAvailable(&frames, descriptor)
      }
    }

    private static func receiveAvailable(
      _ frames: inout OwnerFrameReader, _ descriptor: Int32
    ) throws(OwnerFailure) {
      var buffer = [UInt8](repeating: 0, count: 65_536)
      var passed: Int32 = -1
      let count = kelvin_receive_descriptor(descriptor, &buffer, buffer.count, &passed)
      if passed >= 0 { frames.descriptors.append(passed) }
      if count > 0 {
        frames.append(buffer[..<count])
      } else if count == 0 || (errno != EAGAIN && errno != EINTR) {
        throw gone(count == 0 ? nil : .current)
      }
    }

    private static func wait(
      _ descriptor: Int32, _ events: Int16, until deadline: Deadline
    ) throws(OwnerFailure) {
      switch deadline.wait(for: descriptor, events: events) {
      case .ready: return
      case .passed:
        throw OwnerFailure(.timeout, "the owner of ports does not answer", hint: "is it stopped?")
      case .interrupted: throw OwnerFailure(.interrupted, "interrupted")
      }
    }

    private static func gone(_ error: KelvinModel.Errno?) -> OwnerFailure {
      OwnerFailure(
        .ownerGone, "the owner of ports went away", evidence: error.map { "\($0)" } ?? "",
        hint: "what the consoles said is in their logs; attach again")
    }
  }
}

extension OwnerFailure {
  /// What the owner refused a request with.
  init(refusal header: [String: Value]) {
    self.init(
      header["code"]?.text.flatMap(Code.init(rawValue:)) ?? .malformed,
      header["message"]?.text ?? "the owner of ports refused a request without a reason",
      evidence: header["evidence"]?.text ?? "", hint: header["hint"]?.text ?? "")
  }
}
