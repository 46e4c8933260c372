internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// One connection to a simulated iiod, on a thread of its own.
final class IIODSession {
  private let socket: Int32
  private let board: IIODBoard
  private let fault: IIODFault
  private let truth: IIODTruth?
  private let stopping: Interrupt
  private var received: [UInt8] = []
  /// Of OPEN: the device, scans in a batch, which of its five channels.
  private var opened: (device: String, batch: Int, channels: [Int], mask: String)?
  private var trigger = ""
  /// Scans that were sent, and when the next one is due on this machine's clock.
  private var sent = 0
  private var taken = 0
  private var due: Int64 = 0

  private var forever: Deadline { Deadline(time: nil, interrupt: stopping) }

  init(
    _ socket: Int32, _ board: IIODBoard, _ fault: IIODFault, _ truth: IIODTruth?,
    _ stopping: Interrupt
  ) {
    self.socket = socket
    self.board = board
    self.fault = fault
    self.truth = truth
    self.stopping = stopping
  }

  /// Until the other side hangs up, or a fault cuts it.
  func serve() {
    while let line = line() {
      let words = line.split(separator: " ").map(String.init)
      guard let command = words.first else { continue }
      guard command != "EXIT", answer(command, Array(words.dropFirst())) else { return }
    }
  }

  /// - Returns: false when the connection is to end.
  private func answer(_ command: String, _ words: [String]) -> Bool {
    switch command {
    case "VERSION": return send("0.24.v0.24  \n")
    case "PRINT": return sendDescription()
    case "TIMEOUT": return send("0\n")
    case "OPEN": return send("\(open(words))\n")
    case "CLOSE":
      let code = opened == nil ? -Int(EBADF) : 0
      opened = nil
      return send("\(code)\n")
    case "READ": return sendValue(words)
    case "WRITE": return takeValue(words)
    case "GETTRIG": return send("\(-Int(ENODEV))\n")
    case "SETTRIG": return send("\(words.count > 1 ? -Int(ENOENT) : 0)\n")
    case "SET": return send("0\n")
    case "READBUF": return sendSamples(words)
    default: return send("\(-Int(EINVAL))\n")
    }
  }

  private func sendDescription() -> Bool {
    let text = board.description
    switch fault {
    case .truncatedDescription:
      let half = String(text.prefix(text.count * 2 / 3))
      return send("\(half.utf8.count)\n\(half)\n")
    case .hugeDescription: return send("100000000000\n")
    default: return send("\(text.utf8.count)\n\(text)\n")
    }
  }

  /// Attributes come with a NUL at their end, which counts.
  private func sendValue(_ words: [String]) -> Bool {
    guard let first = words.first, board.devices.contains(first) else {
      return send("\(-Int(ENODEV))\n")
    }
    guard let value = board.value(words.filter { $0 != "INPUT" }) else {
      return send("\(-Int(ENOENT))\n")
    }
    return send("\(value.utf8.count + 1)\n\(value)\0\n")
  }

  private func takeValue(_ words: [String]) -> Bool {
    guard let count = words.last.flatMap({ Int($0) }), (0...65_536).contains(count) else {
      return send("\(-Int(EINVAL))\n")
    }
    while received.count < count { guard receive() else { return false } }
    let value = String(decoding: received[..<count].prefix { $0 != 0 && $0 != 10 }, as: UTF8.self)
    received.removeFirst(count)
    let code = board.set(words.dropLast().filter { $0 != "INPUT" }, value)
    return send("\(code)\n")
  }

  private func open(_ words: [String]) -> Int {
    guard words.count > 2, board.devices.contains(words[0]) else { return -Int(ENODEV) }
    guard let batch = Int(words[1]), (1...1_000_000).contains(batch), words[2].count == 8,
      let mask = UInt32(words[2], radix: 16), mask & 0x1F == mask, mask != 0
    else { return -Int(EINVAL) }
    let channels = (0..<5).filter { mask >> UInt32($0) & 1 == 1 }
    opened = (words[0], batch, channels, words[2])
    due = MonotonicTime.now.nanoseconds
    (sent, taken) = (0, 0)
    return 0
  }

  // MARK: samples

  /// Words of two bytes, the time stamp on a multiple of 8, the whole, too.
  private func size(_ channels: [Int]) -> Int {
    let words = channels.count(where: { $0 < 4 })
    return channels.contains(4) ? (words * 2 + 7) / 8 * 8 + 8 : words * 2
  }

  private func sendSamples(_ words: [String]) -> Bool {
    guard let opened, words.count > 1, words[0] == opened.device else {
      return send("\(-Int(EBADF))\n")
    }
    let size = size(opened.channels)
    guard var rest = Int(words[1]), rest >= size else { return send("0\n") }
    var isFirst = true
    while rest >= size {
      let count = min(opened.batch, rest / size)
      var bytes: [UInt8] = []
      bytes.reserveCapacity(count * size)
      var lines = ""
      for _ in 0..<count { bytes += scan(opened.device, opened.channels, size, &lines) }
      guard waitUntilDue() else { return false }
      var header = "\(bytes.count)\n"
      if isFirst { header += (fault == .wrongMask ? "00000001" : opened.mask) + "\n" }
      isFirst = false
      switch spoil(&bytes, &header, before: sent, count, size) {
      case .some(let goesOn):
        guard send(header), send(bytes), goesOn else { return false }
        if case .ioError = fault { return true }
      case nil: guard send(header), send(bytes) else { return false }
      }
      truth?.append(lines)
      sent += count
      rest -= count * size
    }
    return true
  }

  /// Until the last scan of a batch has been taken. False when the other side is gone.
  private func waitUntilDue() -> Bool {
    let deadline = Deadline(time: MonotonicTime(nanoseconds: due), interrupt: stopping)
    while !deadline.hasPassed {
      guard deadline.wait(for: socket) == .ready else { return !stopping.isRaised }
      // Readable: a command that waits its turn, or the end.
      guard receive() else { return false }
    }
    return true
  }

  private func scan(
    _ device: String, _ channels: [Int], _ size: Int, _ lines: inout String
  ) -> [UInt8] {
    if case .gap(let after, let count) = fault, taken == after {
      due += Int64(Double(count) * 1e9 / board.rate)
    }
    due += Int64(1e9 / board.rate)
    taken += 1
    let time = board.boardTime(due)
    let codes = board.codes(device, at: time)
    var bytes: [UInt8] = []
    for channel in channels where channel < 4 {
      bytes.append(UInt8(truncatingIfNeeded: codes[channel]))
      bytes.append(UInt8(truncatingIfNeeded: codes[channel] >> 8))
    }
    if channels.contains(4) {
      while bytes.count % 8 != 0 { bytes.append(0) }
      for byte in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: time >> Int64(8 * byte))) }
    }
    if truth != nil {
      let (current, voltage) = IIODBoard.truth(at: time)
      lines += "\(time),\(current),\(voltage)\n"
    }
    return bytes
  }

  /// Makes of a batch what the fault makes of it; nil when there is none in it, false when the
  /// connection ends with it.
  private func spoil(
    _ bytes: inout [UInt8], _ header: inout String, before: Int, _ count: Int, _ size: Int
  ) -> Bool? {
    func place(_ after: Int) -> Int? {
      after >= before && after < before + count ? after - before : nil
    }
    switch fault {
    case .cut(let after):
      guard let place = place(after) else { return nil }
      bytes.removeLast((count - place) * size)
      return false
    case .truncated(let after):
      guard let place = place(after) else { return nil }
      bytes.removeLast((count - place) * size - size / 2)
      return false
    case .byteLoss(let after):
      guard let place = place(after) else { return nil }
      bytes.remove(at: place * size)
      return true
    case .ioError(let after):
      guard place(after) != nil else { return nil }
      bytes = []
      header = "\(-Int(EIO))\n"
      return true
    case .stall(let after):
      guard place(after) != nil else { return nil }
      bytes = []
      header = ""
      _ = forever.wait()
      return false
    case .hugeLength(let after):
      guard place(after) != nil else { return nil }
      header = "4000000000\n"
      return true
    default: return nil
    }
  }

  // MARK: bytes

  private func line() -> String? {
    while true {
      if let end = received.firstIndex(of: 10) {
        let text = String(decoding: received[..<end].filter { $0 != 13 }, as: UTF8.self)
        received.removeSubrange(...end)
        return text
      }
      guard received.count < 65_536, receive() else { return nil }
    }
  }

  private func receive() -> Bool {
    while true {
      guard forever.wait(for: socket) == .ready else { return false }
      var buffer = [UInt8](repeating: 0, count: 4096)
      let count = recv(socket, &buffer, buffer.count, 0)
      if count < 0, errno == EAGAIN || errno == EINTR { continue }
      guard count > 0 else { return false }
      received += buffer[..<count]
      return true
    }
  }

  private func send(_ text: String) -> Bool { send(Array(text.utf8)) }

  private func send(_ bytes: [UInt8]) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes {
        Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count > 0 {
        rest = rest.dropFirst(count)
      } else if count < 0, errno == EAGAIN {
        guard forever.wait(for: socket, events: Int16(POLLOUT)) == .ready else { return false }
      } else if count == 0 || errno != EINTR {
        return false
      }
    }
    return true
  }
}
