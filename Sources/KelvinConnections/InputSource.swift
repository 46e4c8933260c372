internal import CLinux
internal import Glibc
internal import KelvinModel

/// What is fed to a command: bytes, a host file that is read piece by piece, or what a descriptor has,
/// taken when there is room for it.
struct InputSource {
  /// What is to be sent next.
  private(set) var piece: ArraySlice<UInt8>
  private let path: String
  private var file: Int32 = -1
  /// Of a file: what was read so far.
  private(set) var checksum = PosixChecksum()
  /// To be polled for input when there is room; -1 where nothing more comes.
  private var descriptor: Int32 = -1
  /// Why the file could not be read to its end.
  private(set) var failure: ConnectionFailure?

  private static let pieceSize = 1 << 18

  /// - Throws: when a host file cannot be opened.
  init(_ input: Command.Input) throws(ConnectionFailure) {
    piece = []
    path = if case .file(let path) = input { path } else { "" }
    switch input {
    case .null: break
    case .bytes(let bytes): piece = bytes[...]
    case .descriptor(let number): descriptor = number
    case .file:
      file = kelvin_open(path, O_RDONLY | O_CLOEXEC, 0)
      if file < 0 { throw ConnectionFailure(hostFile: path, .current) }
      advance()
    }
  }

  init(_ bytes: [UInt8]) {
    piece = bytes[...]
    path = ""
  }

  /// What a descriptor has, to its end.
  init(descriptor: Int32) {
    self.init([])
    self.descriptor = descriptor
  }

  /// Nothing is left, and nothing more comes.
  var isAtEnd: Bool { piece.isEmpty && descriptor < 0 }
  /// To be polled now: -1 while there is a piece to be sent.
  var awaited: Int32 { piece.isEmpty ? descriptor : -1 }

  /// Takes what the descriptor has, if it has anything.
  mutating func fill() {
    guard awaited >= 0 else { return }
    var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    guard poll(&waiting, 1, 0) > 0 else { return }
    var bytes = [UInt8](repeating: 0, count: 65_536)
    let count = read(descriptor, &bytes, bytes.count)
    if count > 0 {
      piece = bytes[..<count]
    } else if count == 0 || (errno != EINTR && errno != EAGAIN) {
      descriptor = -1
    }
  }

  /// Takes away what was sent; at the end of a piece of a file the next one is read.
  mutating func drop(_ count: Int) {
    piece = piece.dropFirst(count)
    if piece.isEmpty { advance() }
  }

  /// Nothing more is wanted.
  mutating func end() {
    piece = []
    descriptor = -1
    if file >= 0 { close(file) }
    file = -1
  }

  private mutating func advance() {
    guard file >= 0 else { return }
    var bytes = [UInt8](repeating: 0, count: InputSource.pieceSize)
    var count = read(file, &bytes, bytes.count)
    while count < 0, errno == EINTR { count = read(file, &bytes, bytes.count) }
    if count < 0 { failure = ConnectionFailure(hostFile: path, .current) }
    guard count > 0 else {
      end()
      return
    }
    bytes.withUnsafeBytes { checksum.update(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
    piece = bytes[..<count]
  }
}
