import KelvinModel
import KelvinSystem
import Synchronization

@testable import KelvinMeters

/// A POWER-Z without a wire: answers requests as a function says, in packets of up to 64 bytes.
final class KM003CWire: KM003CLink {
  private struct State {
    var packets: [[UInt8]] = []
    var requests: [[UInt8]] = []
    var answer: @Sendable ([UInt8]) -> [[UInt8]]
    var end: (command: Int, failure: MeterFailure)?
  }
  private let state: Mutex<State>

  /// - Parameter answer: the messages that become of a request; an empty one is an empty packet.
  init(_ answer: @escaping @Sendable ([UInt8]) -> [[UInt8]]) {
    state = Mutex(State(answer: answer))
  }

  var requests: [[UInt8]] { state.withLock { $0.requests } }

  /// From a command on, counted from 1, nothing but this becomes of anything.
  func end(at command: Int, _ failure: MeterFailure) {
    state.withLock { $0.end = (command, failure) }
  }

  private func check() throws(MeterFailure) {
    let failure = state.withLock { state in
      state.end.flatMap { state.requests.count >= $0.command ? $0.failure : nil }
    }
    if let failure { throw failure }
  }

  /// What waits to be read before anything is asked.
  func put(_ messages: [[UInt8]]) {
    state.withLock { $0.packets += messages.flatMap(Self.packets) }
  }

  private static func packets(_ message: [UInt8]) -> [[UInt8]] {
    guard !message.isEmpty else { return [[]] }
    return stride(from: 0, to: message.count, by: 64).map {
      Array(message[$0..<min($0 + 64, message.count)])
    }
  }

  func send(_ bytes: [UInt8], until deadline: Deadline) throws(MeterFailure) {
    let answer = state.withLock { state in
      state.requests.append(bytes)
      return state.answer
    }
    try check()
    put(answer(bytes))
  }

  func receive(_ count: Int, until deadline: Deadline) throws(MeterFailure) -> [UInt8] {
    precondition(count % 64 == 0 && count > 0)
    try check()
    let taken = state.withLock { state -> [UInt8]? in
      guard !state.packets.isEmpty else { return nil }
      var bytes: [UInt8] = []
      while bytes.count < count, !state.packets.isEmpty {
        let packet = state.packets.removeFirst()
        bytes += packet
        if packet.count < 64 { return bytes }
      }
      // A transfer that is not full waits for more.
      return bytes.count == count ? bytes : nil
    }
    guard let taken else { throw MeterFailure(.timedOut, "m: no answer in time") }
    return taken
  }

  /// What a POWER-Z answers to anything but a request for data.
  static func common(_ request: [UInt8]) -> [[UInt8]] {
    switch request[0] {
    case 0x44:
      [
        [0xc4] + Array(request[1..<4]) + [UInt8](repeating: 1, count: 16),
        // Whole blocks of 16.
        [UInt8](
          repeating: 7,
          count: KM003CRequest.memory(.hardware)?.payload == Array(request[4...]) ? 16 : 64)
      ]
    case 0x4c: [[0x4c, 0, 3, 2] + [UInt8](repeating: 0, count: 32)]
    default: [[0x05, request[1], 0, 0]]
    }
  }
}
