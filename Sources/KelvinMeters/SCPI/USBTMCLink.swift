internal import KelvinDevices
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// An instrument on USB, by its test and measurement interface; the kernel's own driver for such gets it back.
final class USBTMCLink: SCPILink {
  private let name: String
  private let device: USBDevice
  private let interface: USBInterface
  private let output: USBDescriptors.Endpoint
  private let input: USBDescriptors.Endpoint
  private let state: Mutex<State>
  private let transfer = USBTransfer(capacity: USBTMCLink.transferSize)

  private struct State {
    var tag: UInt8 = 0
    /// What came and was not yet taken.
    var bytes: [UInt8] = []
  }

  /// Of a transfer: a multiple of every packet size.
  private static let transferSize = 65_536
  /// That an answer may have in one piece: what fits in with its header and the bytes that fill it up.
  private static let answerLimit = transferSize - 512

  /// Opens one, and clears what a predecessor has left in it.
  init(name: String, _ found: HostDevice, until deadline: Deadline) async throws(MeterFailure) {
    self.name = name
    guard let info = USBDeviceInfo(syspath: found.syspath), let all = info.descriptors() else {
      throw MeterFailure(.gone, "\(name): no longer plugged in", hint: "look at its cable")
    }
    let configuration = all.configurations.first { $0.value == info.activeConfiguration }
    // Application specific, test and measurement (USBTMC 1.0, 4.2.1).
    let numbers = configuration?.interfaces.filter {
      $0.interfaceClass == 0xfe && $0.interfaceSubclass == 3
    }
    guard let number = numbers?.first?.number else {
      throw MeterFailure(
        .unsupported, "\(name): \(info) has no interface for test and measurement",
        hint: "some have it switched off in their menus")
    }
    do throws(USBFailure) {
      device = try USBContext().open(info)
      interface = try device.claim(interface: number, until: deadline.limited(toSeconds: 1))
      output = try interface.endpoint(.bulk, isIn: false)
      input = try interface.endpoint(.bulk, isIn: true)
      state = Mutex(State())
      try await Self.clear(device, number, output, interface, until: deadline)
    } catch { throw MeterFailure(error, of: name) }
  }

  /// INITIATE_CLEAR and CHECK_CLEAR_STATUS (USBTMC 1.0, 4.2.1.6 and 4.2.1.7): one that does not know them is
  /// left as it is.
  private static func clear(
    _ device: USBDevice, _ number: UInt8, _ output: USBDescriptors.Endpoint,
    _ interface: USBInterface, until deadline: Deadline
  ) async throws(USBFailure) {
    let limit = deadline.limited(toSeconds: 2)
    func ask(_ request: UInt8, count: Int) async throws(USBFailure) -> [UInt8] {
      try await device.controlRead(
        USBControlSetup(0xa1, request, index: UInt16(number)), count: count, until: limit)
    }
    do throws(USBFailure) {
      guard try await ask(5, count: 1).first == 1 else { return }
      // 2: it is not done yet.
      while try await ask(6, count: 2).first == 2, !limit.hasPassed {
        _ = limit.limited(toSeconds: 0.01).wait()
      }
      try interface.clearHalt(output.address)
    } catch {
      guard error.code == .stall else { throw error }
    }
  }

  deinit {
    interface.release()
    device.close()
  }

  private func nextTag() -> UInt8 {
    state.withLock {
      $0.tag = USBTMCMessage.tag(after: $0.tag)
      return $0.tag
    }
  }

  /// Each line is a message of its own.
  func send(_ lines: [String], until deadline: Deadline) throws(MeterFailure) {
    for line in lines {
      try write(USBTMCMessage.message(Array((line + "\n").utf8), tag: nextTag()), until: deadline)
    }
  }

  private func write(_ bytes: [UInt8], until deadline: Deadline) throws(MeterFailure) {
    guard bytes.count <= Self.transferSize else {
      throw MeterFailure(.invalid, "\(name): a line of \(bytes.count) bytes")
    }
    transfer.fill(bytes)
    do throws(USBFailure) {
      try interface.writeBlocking(
        output.address, from: transfer, count: bytes.count, until: deadline)
    } catch { throw MeterFailure(error, of: name) }
  }

  /// Asks for an answer, or the next piece of one.
  private func receive(until deadline: Deadline) throws(MeterFailure) {
    let tag = nextTag()
    try write(USBTMCMessage.request(Self.answerLimit, tag: tag), until: deadline)
    var bytes = try read(until: deadline)
    guard let answer = USBTMCMessage.answer(bytes, tag: tag, limit: Self.answerLimit) else {
      throw MeterFailure(
        .malfunction, "\(name): its answer is none to the request \(tag)",
        evidence: Excerpt.hex(bytes), hint: "unplug it and plug it in again")
    }
    // Some send the header in a transfer of its own.
    let end = USBTMCMessage.headerSize + answer.count
    while bytes.count < end {
      let more = try read(until: deadline)
      guard !more.isEmpty else {
        throw MeterFailure(
          .malfunction, "\(name): an answer of \(answer.count) bytes ends after \(bytes.count)")
      }
      bytes += more
    }
    let whole = bytes
    state.withLock {
      $0.bytes += whole[USBTMCMessage.headerSize..<end]
      // Not all of them end a line with a newline: the message ends it.
      if answer.isLast, $0.bytes.last != 10 { $0.bytes.append(10) }
    }
  }

  private func read(until deadline: Deadline) throws(MeterFailure) -> [UInt8] {
    do throws(USBFailure) {
      let count = try interface.readBlocking(
        input.address, into: transfer, count: Self.transferSize, until: deadline)
      return transfer.bytes(count)
    } catch { throw MeterFailure(error, of: name) }
  }

  func line(limit: Int, until deadline: Deadline) throws(MeterFailure) -> [UInt8]? {
    while true {
      let found = state.withLock { state -> [UInt8]?? in
        guard let end = state.bytes.prefix(limit + 1).firstIndex(of: 10) else {
          return state.bytes.count > limit ? .some(nil) : nil
        }
        let line = Array(state.bytes[..<end])
        state.bytes.removeFirst(end + 1)
        return line
      }
      if let found { return found }
      try receive(until: deadline)
    }
  }

  func take(_ count: Int, until deadline: Deadline) throws(MeterFailure) -> [UInt8] {
    while state.withLock({ $0.bytes.count }) < count { try receive(until: deadline) }
    return state.withLock {
      let bytes = Array($0.bytes[..<count])
      $0.bytes.removeFirst(count)
      return bytes
    }
  }

  /// Nothing comes without having been asked for; of what was, a rest may be here.
  func leftOver() throws(MeterFailure) -> [UInt8] {
    state.withLock { state in
      defer { state.bytes = [] }
      return state.bytes
    }
  }
}
