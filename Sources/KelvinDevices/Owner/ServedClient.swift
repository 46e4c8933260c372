internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// A client as the owner sees it: its socket, what it has asked and what is on the way to it.
///
/// Belongs to the owner's thread.
final class ServedClient {
  /// A read that waits for bytes.
  struct PendingRead {
    let request: UInt64
    let name: String
    let position: UInt64
    let limit: Int
    let serial: UInt64?
    let deadline: Deadline
  }

  let id: Int
  let descriptor: Int32
  let processID: Int32
  /// What it called itself; nil: it has not said hello.
  var program: String?
  var attached: Set<String> = []
  var reads: [PendingRead] = []
  /// Where it reads, per console.
  var logs: [String: ConsoleLogReader] = [:]
  /// Nothing more is taken from it; it goes when all is sent.
  var isLeaving = false
  /// Its socket is of no more use.
  private(set) var isGone = false
  private var frames = OwnerFrameReader()
  private var outbound: [UInt8] = []
  private var sent = 0
  /// Descriptors that go with answers on the way, one with each.
  private var passing: [Int32] = []

  /// A client whose answers it does not take is not listened to any more.
  private static let outboundLimit = 1 << 20
  static let readLimit = 64

  init(id: Int, descriptor: Int32, processID: Int32) {
    self.id = id
    self.descriptor = descriptor
    self.processID = processID
  }

  deinit { for descriptor in passing + [descriptor] { close(descriptor) } }

  /// `kelvin run (1234)`.
  var title: String { "\(program ?? "?") (\(processID))" }

  var hasOutbound: Bool { sent < outbound.count }

  /// What to poll for.
  var events: Int16 {
    (hasOutbound ? Int16(POLLOUT) : 0)
      | (isLeaving || isBackedUp ? 0 : Int16(POLLIN))
  }

  /// Whether so much is on the way to it that nothing more is taken from it.
  var isBackedUp: Bool { outbound.count - sent > ServedClient.outboundLimit }

  /// Takes what the socket has, a bounded piece of it.
  func receive(_ buffer: UnsafeMutableRawBufferPointer) {
    let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
    if count > 0 {
      frames.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    } else if count == 0 || (errno != EAGAIN && errno != EINTR) {
      isGone = true
    }
  }

  func nextFrame() throws(OwnerFailure) -> OwnerFrame? { isLeaving ? nil : try frames.next() }

  func send(_ frame: OwnerFrame) {
    if sent == outbound.count {
      outbound = []
      sent = 0
    }
    outbound += frame.encoded
  }

  /// - Parameter descriptor: goes with the answer, and is closed here.
  func answer(
    _ request: UInt64, _ values: [String: Value] = [:], body: [UInt8] = [],
    passing descriptor: Int32? = nil
  ) {
    var header = values
    if let descriptor {
      passing.append(descriptor)
      header["descriptor"] = true
    }
    header["id"] = .integer(Int64(clamping: request))
    header["ok"] = true
    send(OwnerFrame(header: header, body: body))
  }

  func refuse(_ request: UInt64, _ failure: OwnerFailure, _ values: [String: Value] = [:]) {
    var header = values
    header["id"] = .integer(Int64(clamping: request))
    header["ok"] = false
    header["code"] = .text(failure.code.rawValue)
    header["message"] = .text(failure.message)
    if !failure.evidence.isEmpty { header["evidence"] = .text(failure.evidence) }
    if !failure.hint.isEmpty { header["hint"] = .text(failure.hint) }
    send(OwnerFrame(header: header))
  }

  /// Sends what the socket takes now.
  func flush() {
    while hasOutbound {
      let count = outbound[sent...].withUnsafeBytes { bytes in
        guard let passed = passing.first else {
          return Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
        }
        // Those behind it need bytes of their own to go with.
        let count = passing.count > 1 ? 1 : bytes.count
        return kelvin_send_descriptor(descriptor, bytes.baseAddress, count, passed)
      }
      if count > 0 {
        sent += count
        if !passing.isEmpty { close(passing.removeFirst()) }
      } else if errno == EAGAIN {
        break
      } else if errno != EINTR {
        isGone = true
        return
      }
    }
    if isLeaving, !hasOutbound { isGone = true }
  }
}
