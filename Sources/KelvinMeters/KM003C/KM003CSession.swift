internal import KelvinDevices
internal import KelvinModel
internal import Synchronization

/// Questions to a POWER-Z and their answers, one at a time. Used by one thread at a time; blocks it.
///
/// A request has a number, which its reply repeats: replies to others, such as a predecessor's that nobody read,
/// are left out.
final class KM003CSession: Sendable {
  let name: String
  private let link: any KM003CLink
  private let state = Mutex(State())

  private struct State {
    var number: UInt8 = 0
    var strays: Int64 = 0
  }

  /// In seconds (the sources' clients wait as long).
  static let patience = 2.0
  /// Of a reply; what was seen is at most 1,024 bytes long.
  static let limit = 8192
  private static let packet = 64
  /// Replies that belong to nothing, after which there is no point in reading on.
  private static let mostStrays = 32

  init(name: String, _ link: any KM003CLink) {
    self.name = name
    self.link = link
  }

  /// Replies that belonged to nothing that was asked.
  var strays: Int64 { state.withLock { $0.strays } }

  /// Throws away what a predecessor that was killed has not read.
  func drain(until deadline: Deadline) throws(MeterFailure) {
    for _ in 0..<Self.mostStrays {
      do throws(MeterFailure) {
        _ = try link.receive(Self.packet, until: deadline.limited(toSeconds: 0.05))
      } catch {
        guard error.code == .timedOut else { throw error }
        return
      }
    }
  }

  /// Begins to speak with it.
  func connect(until deadline: Deadline) throws(MeterFailure) {
    try order(.connect, "to be spoken with", until: deadline)
  }

  /// Ends that.
  func disconnect(until deadline: Deadline) throws(MeterFailure) {
    try order(.disconnect, "to end", until: deadline)
  }

  /// Has it queue no more samples.
  func stopGraph(until deadline: Deadline) throws(MeterFailure) {
    try order(.stopGraph, "to stop", until: deadline)
  }

  /// Has it queue samples from now on.
  func startGraph(_ rate: KM003CRate, until deadline: Deadline) throws(MeterFailure) {
    try order(.startGraph(rate), "\(rate.hertz) samples a second", until: deadline)
  }

  private func order(
    _ request: KM003CRequest, _ what: String, until deadline: Deadline
  ) throws(MeterFailure) {
    let reply = try ask(request, until: deadline)
    guard reply[0] & 0x7f == KM003CRequest.Kind.accept.rawValue else {
      throw refusal(what, reply)
    }
  }

  /// Asks to be let at the queue.
  ///
  /// Bits 1 and 2 of the reply's upper half are what it grants: 0 is nothing (docs/firmware/handlers.md).
  func authenticate(hardware: [UInt8], until deadline: Deadline) throws(MeterFailure) {
    let filling = (0..<12).map { _ in UInt8.random(in: 0...255) }
    let milliseconds = UInt64(max(0, MonotonicTime.wallNanoseconds / 1_000_000))
    guard
      let request = KM003CRequest.authenticate(
        hardware: hardware, milliseconds: milliseconds, filling: filling)
    else { throw noCipher }
    let reply = try ask(request, until: deadline)
    guard reply[0] & 0x7f == KM003CRequest.Kind.authenticate.rawValue, reply[2] >> 1 & 3 != 0 else {
      throw refusal("to let its queue be read", reply)
    }
  }

  /// Values, queued samples, or both: a reply of type 0x41, whose parts are ``KM003CReply``'s.
  func data(_ parts: KM003CParts, until deadline: Deadline) throws(MeterFailure) -> [UInt8] {
    let reply = try ask(.data(parts), until: deadline)
    guard reply[0] & 0x7f == KM003CRequest.Kind.putData.rawValue else {
      throw refusal("its values", reply)
    }
    return reply
  }

  /// A piece of its memory; nil when it refuses it.
  func memory(_ place: KM003CMemory, until deadline: Deadline) throws(MeterFailure) -> [UInt8]? {
    guard let request = KM003CRequest.memory(place) else { throw noCipher }
    let reply = try ask(request, until: deadline)
    // The reply has the request's type with the reserved bit; a refusal has none.
    guard reply[0] == KM003CRequest.Kind.readMemory.rawValue | 0x80 else { return nil }
    let size = (Int(place.size) + BlockCipher.size - 1) & ~(BlockCipher.size - 1)
    let limit = deadline.limited(toSeconds: Self.patience)
    var bytes: [UInt8] = []
    var pieces = 0
    while bytes.count < size {
      bytes += try link.receive(Self.packet, until: limit)
      pieces += 1
      guard pieces < Self.mostStrays else { break }
    }
    guard bytes.count == size else {
      throw malformed("\(bytes.count) bytes of memory instead of \(size)", bytes)
    }
    return KM003CCipher.memory(bytes).map { Array($0.prefix(Int(place.size))) }
  }

  private var noCipher: MeterFailure {
    MeterFailure(.unsupported, "\(name): libcrypto on this machine has no AES")
  }

  private func refusal(_ what: String, _ reply: [UInt8]) -> MeterFailure {
    MeterFailure(
      .malfunction, "\(name): it refuses \(what)", evidence: Excerpt.hex(reply),
      hint: "unplug it and plug it in again; 'reading: values' asks for less")
  }

  private func malformed(_ what: String, _ bytes: [UInt8]) -> MeterFailure {
    MeterFailure(
      .malfunction, "\(name): \(what)", evidence: Excerpt.hex(bytes), hint: "is it a POWER-Z?")
  }

  // MARK: one question

  /// Sends a request, and gives its reply: four bytes at least.
  private func ask(
    _ request: KM003CRequest, until deadline: Deadline
  ) throws(MeterFailure) -> [UInt8] {
    let number = state.withLock { state in
      state.number &+= 1
      return state.number
    }
    let limit = deadline.limited(toSeconds: Self.patience)
    do throws(MeterFailure) {
      try link.send(request.bytes(number: number), until: limit)
      for _ in 0..<Self.mostStrays {
        let reply = try frame(until: limit)
        if Self.isReply(reply, to: request, number) { return reply }
        state.withLock { $0.strays += 1 }
      }
    } catch {
      guard error.code == .timedOut, !deadline.isInterrupted else { throw error }
      throw MeterFailure(
        .timedOut, "\(name): it does not answer", evidence: "to type \(request.kind.rawValue)",
        hint: "unplug it and plug it in again")
    }
    throw malformed("what it sends are no replies to what it is asked", [])
  }

  /// To be let at the queue is answered without a number (docs/features/authentication.md). A refusal is of any
  /// type below 0x40.
  private static func isReply(
    _ reply: [UInt8], to request: KM003CRequest, _ number: UInt8
  ) -> Bool {
    guard reply.count >= KM003CReply.headerSize else { return false }
    let kind = reply[0] & 0x7f
    if request.kind == .authenticate, kind == request.kind.rawValue { return reply.count == 36 }
    guard reply[1] == number else { return false }
    switch request.kind {
    case .getData where kind == KM003CRequest.Kind.putData.rawValue: return true
    case .readMemory where kind == request.kind.rawValue: return reply.count == 20
    default: return kind < 0x40 && reply.count == KM003CReply.headerSize
    }
  }

  /// One message: packets up to the first that is not full, or as many as it says itself, since nobody has told
  /// whether one that ends with a full packet is followed by an empty one.
  private func frame(until deadline: Deadline) throws(MeterFailure) -> [UInt8] {
    var bytes: [UInt8] = []
    // An empty packet that ended the message before.
    for _ in 0..<Self.mostStrays where bytes.isEmpty {
      bytes = try link.receive(Self.packet, until: deadline)
    }
    guard bytes.count == Self.packet,
      bytes[0] & 0x7f == KM003CRequest.Kind.putData.rawValue
    else { return bytes }
    while true {
      // What makes no sense is told by who takes it.
      guard let length = try? KM003CReply.length(bytes.span), bytes.count < length,
        bytes.count < Self.limit
      else { return bytes }
      let whole = (length - bytes.count + Self.packet - 1) / Self.packet * Self.packet
      let more = try link.receive(min(whole, Self.limit - bytes.count), until: deadline)
      bytes += more
      if more.count % Self.packet != 0 || more.isEmpty { return bytes }
    }
  }
}
