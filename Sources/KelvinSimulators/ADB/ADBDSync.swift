internal import CLinux
internal import Glibc
internal import KelvinModel

/// The sync service of the simulated device (AOSP SYNC.TXT), with real files.
struct ADBDSync {
  private let stream: ADBDStream
  private let settings: SimulatedADBD.Settings
  private var inbox: [UInt8] = []
  private var start = 0

  init(_ stream: ADBDStream, _ settings: SimulatedADBD.Settings) {
    self.stream = stream
    self.settings = settings
  }

  /// Until the host quits, hangs up, or breaks the rules.
  mutating func run() {
    while let head = read(8) {
      let id = String(decoding: head[..<4], as: UTF8.self)
      let length = ADBDSync.number(head, 4)
      guard id != "QUIT", length <= 1024, let name = read(length) else { return }
      let path = String(decoding: name, as: UTF8.self)
      guard answer(id, path) else { return }
    }
  }

  /// - Returns: false when the service ends there, as adbd's does after a failure.
  private mutating func answer(_ id: String, _ path: String) -> Bool {
    let isSecond = settings.features.contains("sendrecv_v2")
    switch id {
    case "STAT": return stream.send(Array("STAT".utf8) + short(settings.root + path))
    case "LST2", "STA2":
      return stream.send(
        Array(id.utf8) + long(settings.root + path, follows: id == "STA2"))
    case "LIST": return list(path, isLong: false)
    case "LIS2": return list(path, isLong: true)
    case "RECV": return receive(path)
    case "RCV2" where isSecond:
      guard read(8) != nil else { return false }
      return receive(path)
    case "SEND":
      guard let comma = path.lastIndex(of: ","),
        let mode = UInt32(path[path.index(after: comma)...])
      else { return fail("missing mode") }
      return take(String(path[..<comma]), mode)
    case "SND2" where isSecond:
      guard let more = read(12) else { return false }
      return take(path, UInt32(ADBDSync.number(more, 4)))
    default: return fail("unknown command \(id)")
    }
  }

  // MARK: Status

  private func short(_ path: String) -> [UInt8] {
    var status = stat()
    guard lstat(path, &status) == 0 else { return [UInt8](repeating: 0, count: 12) }
    return ADBDSync.short(status)
  }

  private static func short(_ status: stat) -> [UInt8] {
    word(UInt64(status.st_mode)) + word(UInt64(truncatingIfNeeded: status.st_size))
      + word(UInt64(truncatingIfNeeded: status.st_mtim.tv_sec))
  }

  private func long(_ path: String, follows: Bool) -> [UInt8] {
    var status = stat()
    let result = follows ? stat(path, &status) : lstat(path, &status)
    let error = result == 0 ? 0 : errno
    if error != 0 { return ADBDSync.word(UInt64(error)) + [UInt8](repeating: 0, count: 64) }
    return ADBDSync.long(status)
  }

  private static func long(_ status: stat) -> [UInt8] {
    let times = [status.st_atim, status.st_mtim, status.st_ctim].map { UInt64($0.tv_sec) }
    return word(0) + wide(UInt64(status.st_dev)) + wide(UInt64(status.st_ino))
      + word(UInt64(status.st_mode)) + word(UInt64(status.st_nlink))
      + word(UInt64(status.st_uid)) + word(UInt64(status.st_gid))
      + wide(UInt64(status.st_size)) + times.flatMap(wide)
  }

  private func list(_ path: String, isLong: Bool) -> Bool {
    var bytes: [UInt8] = []
    let directory = settings.root + path
    var names: [String] = []
    if let handle = opendir(directory) {
      while let entry = readdir(handle) {
        names.append(
          withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
          })
      }
      closedir(handle)
    }
    for name in names {
      var status = stat()
      guard lstat(directory + "/" + name, &status) == 0 else { continue }
      let isHostile = stream.fault == .hostileNames && name != "." && name != ".."
      let shown = Array((isHostile ? "../" + name : name).utf8)
      bytes += Array((isLong ? "DNT2" : "DENT").utf8)
      bytes += isLong ? ADBDSync.long(status) : ADBDSync.short(status)
      bytes += ADBDSync.word(UInt64(shown.count)) + shown
    }
    bytes += Array("DONE".utf8) + [UInt8](repeating: 0, count: isLong ? 72 : 16)
    return stream.send(bytes)
  }

  // MARK: Contents

  private func receive(_ path: String) -> Bool {
    let file = kelvin_open(settings.root + path, O_RDONLY | O_CLOEXEC, 0)
    guard file >= 0 else { return fail("open failed: \(Errno.current)") }
    defer { close(file) }
    var buffer = [UInt8](repeating: 0, count: 65_536)
    var bytes: [UInt8] = []
    while true {
      let count = Glibc.read(file, &buffer, buffer.count)
      guard count >= 0 else { return fail("read failed: \(Errno.current)") }
      if count == 0 { break }
      let told = stream.fault == .hostileSizes ? 0x7FFF_FFFF : count
      bytes += Array("DATA".utf8) + ADBDSync.word(UInt64(told))
      bytes += buffer[..<count]
      if bytes.count >= 1 << 19 {
        guard stream.send(bytes) else { return false }
        bytes = []
      }
    }
    return stream.send(bytes + Array("DONE".utf8) + ADBDSync.word(0))
  }

  private mutating func take(_ name: String, _ mode: UInt32) -> Bool {
    let path = settings.root + name
    let isLink = mode & 0o170000 == 0o120000
    if let slash = path.lastIndex(of: "/") { ADBDSync.makeDirectories(String(path[..<slash])) }
    var file: Int32 = -1
    var reason: Errno?
    if !isLink {
      unlink(path)
      file = kelvin_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
      if file < 0 { reason = .current }
    }
    defer { if file >= 0 { close(file) } }
    // The reason is told at once, and what still comes is thrown away.
    if let reason { _ = fail("couldn't create file: \(reason)") }
    var target: [UInt8] = []
    while let head = read(8) {
      let id = String(decoding: head[..<4], as: UTF8.self)
      let value = ADBDSync.number(head, 4)
      if id == "DONE" {
        guard reason == nil else { return false }
        if isLink {
          unlink(path)
          guard symlink(String(decoding: target, as: UTF8.self), path) == 0 else {
            return fail("couldn't create symlink: \(Errno.current)")
          }
        } else {
          // As adbd has it: group and others get what the owner has.
          let owner = mode & 0o700
          fchmod(file, mode_t(owner | owner >> 3 | owner >> 6))
          var times = [timespec(tv_sec: value, tv_nsec: 0), timespec(tv_sec: value, tv_nsec: 0)]
          futimens(file, &times)
        }
        return stream.send(Array("OKAY".utf8) + ADBDSync.word(0))
      }
      guard id == "DATA", value <= 65_536, let bytes = read(value) else {
        return fail("invalid data message")
      }
      if isLink { target += bytes }
      if file >= 0, reason == nil, let error = ADBDSync.write(bytes, to: file) {
        reason = error
        _ = fail("write failed: \(error)")
      }
    }
    return false
  }

  /// Writes all; a disk that is nearly full takes a part first, and says why with the next.
  private static func write(_ bytes: [UInt8], to file: Int32) -> Errno? {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return .current }
      rest = rest.dropFirst(count)
    }
    return nil
  }

  private static func makeDirectories(_ path: String) {
    if path.isEmpty || mkdir(path, 0o755) == 0 || errno != ENOENT { return }
    guard let slash = path.lastIndex(of: "/") else { return }
    makeDirectories(String(path[..<slash]))
    mkdir(path, 0o755)
  }

  // MARK: Bytes

  private func fail(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    stream.send(Array("FAIL".utf8) + ADBDSync.word(UInt64(bytes.count)) + bytes)
    return false
  }

  /// Reads exactly so many bytes; nil at the end.
  private mutating func read(_ count: Int) -> [UInt8]? {
    while inbox.count - start < count {
      guard let bytes = stream.receive() else { return nil }
      inbox.removeFirst(start)
      start = 0
      inbox += bytes
    }
    defer { start += count }
    return Array(inbox[start..<(start + count)])
  }

  private static func number(_ bytes: [UInt8], _ offset: Int) -> Int {
    (0..<4).reduce(0) { $0 | Int(bytes[offset + $1]) << ($1 * 8) }
  }

  private static func word(_ value: UInt64) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
  }

  private static func wide(_ value: UInt64) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
  }
}
