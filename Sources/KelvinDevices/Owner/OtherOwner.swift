internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// Another owner of this user that has what this one wants: two sessions with different
/// XDG_RUNTIME_DIR have one each.
struct OtherOwner: Sendable, Hashable {
  let processID: Int32
  /// Where it listens; empty: nobody knows.
  let socket: String

  /// Reads what the holder of a log wrote into its lock.
  init?(lockFile path: String) {
    guard let bytes = SmallFile.read(path, limit: 8192),
      case .map(let values)? = Value(json: String(decoding: bytes, as: UTF8.self)),
      let processID = values["pid"]?.integer.flatMap(Int32.init(exactly:)), processID > 0
    else { return nil }
    self.processID = processID
    let socket = values["socket"]?.text ?? ""
    self.socket = socket.hasSuffix("/" + OwnerPlaces.socketName) ? socket : ""
  }

  /// Looks at a process; nil: it is no owner of ports.
  init?(processID: Int32) {
    guard let bytes = SmallFile.read("/proc/\(processID)/cmdline", limit: 65_536) else {
      return nil
    }
    let words = bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    guard words.dropFirst().first == "bench", words.dropFirst(2).first == "owner" else {
      return nil
    }
    self.processID = processID
    let option = words.firstIndex(of: "--runtime-directory")
    let directory = option.flatMap { words.dropFirst($0 + 1).first }
    socket = directory.map { $0 + "/" + OwnerPlaces.socketName } ?? ""
  }

  /// What an owner calls itself as the user of a GPIO line.
  static var consumer: String { prefix + "\(getpid())" }
  private static let prefix = "kelvin owner "

  /// Reads that name; nil: it is another user's, or no such owner runs.
  init?(consumer: String) {
    guard consumer.hasPrefix(OtherOwner.prefix),
      let processID = Int32(consumer.dropFirst(OtherOwner.prefix.count))
    else { return nil }
    self.init(processID: processID)
  }

  /// Says in a lock that is held who holds it. Locking does not depend on it.
  static func write(socket: String, to lock: Int32) {
    let values: [String: Value] = [
      "pid": .integer(Int64(getpid())), "socket": .text(socket)
    ]
    var text = Value.map(values).json + "\n"
    guard ftruncate(lock, 0) == 0 else { return }
    text.withUTF8 { _ = pwrite(lock, $0.baseAddress, $0.count, 0) }
  }

  var description: String {
    "process \(processID)" + (socket.isEmpty ? "" : ", the owner of ports at \(socket),")
  }

  /// How that one is used or ended.
  var hint: String {
    guard !socket.isEmpty else { return "end it: 'kill \(processID)'" }
    let directory = String(socket.dropLast(OwnerPlaces.socketName.utf8.count + 1))
    var (before, after) = ("", "")
    if directory.hasSuffix("/kelvin") {
      before = "XDG_RUNTIME_DIR='\(directory.dropLast(7))' "
    } else if directory == "/tmp/kelvin-\(geteuid())" {
      before = "env -u XDG_RUNTIME_DIR "
    } else {
      after = " --runtime-directory '\(directory)'"
    }
    return
      "use that one: '\(before)kelvin bench up\(after)', or end it: "
      + "'\(before)kelvin bench down\(after)'"
  }
}
