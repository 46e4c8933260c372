/// A packet of the shell protocol, version 2: one byte of kind, four of length (little endian), then
/// the payload (AOSP shell_protocol.h).
enum ADBShellPacket: Hashable, Sendable {
  case input([UInt8])
  case output([UInt8])
  case error([UInt8])
  /// The status modulo 256, as the device's own shell tells it.
  case exit(UInt8)
  case closeInput
  /// Of a pseudo terminal.
  case windowSize(rows: Int, columns: Int)

  /// Payloads beyond this are refused: adbd's own buffer is 1 MiB at most.
  static let maximumLength = 16 << 20

  /// The bytes of a packet's header.
  static func header(_ kind: UInt8, length: Int) -> [UInt8] {
    [kind] + [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: length >> $0) }
  }

  /// The packet as bytes.
  var encoded: [UInt8] {
    switch self {
    case .input(let bytes): return ADBShellPacket.header(0, length: bytes.count) + bytes
    case .output(let bytes): return ADBShellPacket.header(1, length: bytes.count) + bytes
    case .error(let bytes): return ADBShellPacket.header(2, length: bytes.count) + bytes
    case .exit(let status): return ADBShellPacket.header(3, length: 1) + [status]
    case .closeInput: return ADBShellPacket.header(4, length: 0)
    case .windowSize(let rows, let columns):
      let text = Array("\(rows)x\(columns),0x0\0".utf8)
      return ADBShellPacket.header(5, length: text.count) + text
    }
  }
}

/// Takes shell packets apart as their bytes arrive, wherever they are split. What it finds goes to the
/// two outputs at once; a payload needs not be whole for that.
struct ADBShellDecoder {
  /// Why bytes cannot be from a shell.
  struct Mistake: Error, Hashable {
    let text: String
  }

  /// The exit packet's status, once it came.
  private(set) var status: UInt8?
  private var header: [UInt8] = []
  private var kind: UInt8 = 0
  private var remaining = 0

  /// Whether a packet has begun and not ended.
  var isInPacket: Bool { !header.isEmpty || remaining > 0 }

  /// Takes bytes; appends what they hold. Stops at the exit packet: nothing after it counts.
  mutating func take(
    _ bytes: ArraySlice<UInt8>, output: inout [UInt8], error: inout [UInt8]
  ) throws(Mistake) {
    var rest = bytes
    while status == nil, !rest.isEmpty {
      if remaining == 0 {
        guard try takeHeader(&rest) else { return }
        if remaining == 0 { continue }
        if rest.isEmpty { return }
      }
      let part = rest.prefix(remaining)
      switch kind {
      case 1: output.append(contentsOf: part)
      case 2: error.append(contentsOf: part)
      case 3: status = part.first
      default: break
      }
      remaining -= part.count
      rest = rest.dropFirst(part.count)
    }
  }

  /// True when the header is whole.
  private mutating func takeHeader(_ rest: inout ArraySlice<UInt8>) throws(Mistake) -> Bool {
    while header.count < 5 {
      guard let byte = rest.popFirst() else { return false }
      header.append(byte)
    }
    kind = header[0]
    let length = header[1...4].reversed().reduce(0) { $0 << 8 | Int($1) }
    header.removeAll(keepingCapacity: true)
    guard kind <= 5 else { throw Mistake(text: "a packet of kind \(kind)") }
    guard length <= ADBShellPacket.maximumLength else {
      throw Mistake(text: "a packet of \(length) bytes")
    }
    guard kind != 3 || length == 1 else {
      throw Mistake(text: "an exit status of \(length) bytes")
    }
    remaining = length
    return true
  }
}
