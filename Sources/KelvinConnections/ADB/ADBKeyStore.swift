internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// The keys by which devices know this host: adb's own, so that a device asks its user once for both.
struct ADBKeyStore: Sendable {
  /// Where adb keeps its key: `~/.android`.
  let directory: String
  /// More keys, as $ADB_VENDOR_KEYS lists them: files, or directories of `*.adb_key`.
  let vendorKeys: String

  /// The user's keys.
  init() {
    let home = getenv("HOME").map { String(cString: $0) } ?? "/"
    let vendor = getenv("ADB_VENDOR_KEYS").map { String(cString: $0) } ?? ""
    self.init(directory: home + "/.android", vendorKeys: vendor)
  }

  init(directory: String, vendorKeys: String = "") {
    self.directory = directory
    self.vendorKeys = vendorKeys
  }

  private var path: String { directory + "/adbkey" }

  /// All keys, the user's first; that is made when there is none.
  func keys() throws(ConnectionFailure) -> [ADBKey] {
    if access(path, F_OK) != 0, errno == ENOENT { try make() }
    var keys = [try read(path)]
    for entry in vendorKeys.split(separator: ":").map(String.init) {
      let names = SmallFile.names(in: entry).filter { $0.hasSuffix(".adb_key") }
      let files = names.isEmpty ? [entry] : names.map { entry + "/" + $0 }
      // adb passes over vendors' keys that it cannot read, and so is it here.
      for file in files { if let key = try? read(file) { keys.append(key) } }
    }
    return keys
  }

  /// The line that a device shows to its user and keeps: base64, a blank, who it is.
  func publicLine(of key: ADBKey) throws(ConnectionFailure) -> String {
    do {
      let user = getenv("USER").map { String(cString: $0) } ?? "kelvin"
      var name = [CChar](repeating: 0, count: 256)
      gethostname(&name, 255)
      let host = String(
        decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
      return "\(try key.publicText()) \(user)@\(host)"
    } catch {
      throw ConnectionFailure(.unsupported, "\(path): \(error.text)")
    }
  }

  private func read(_ path: String) throws(ConnectionFailure) -> ADBKey {
    guard let bytes = SmallFile.read(path, limit: 65_536) else {
      throw ConnectionFailure(.hostFile(.current), "\(path): \(Errno.current)")
    }
    do {
      return try ADBKey(pem: bytes)
    } catch {
      throw ConnectionFailure(
        .unsupported, "\(path): \(error.text)",
        hint: "move it away, and a new one is made; devices then ask their user again")
    }
  }

  /// Makes a key as adb does; when another process makes one at the same time, its key counts.
  private func make() throws(ConnectionFailure) {
    let key: ADBKey
    let pem: [UInt8]
    do {
      key = try ADBKey.generate()
      pem = try key.pem()
    } catch {
      throw ConnectionFailure(.unsupported, "\(path): \(error.text)")
    }
    if mkdir(directory, 0o750) != 0, errno != EEXIST {
      throw ConnectionFailure(.hostFile(.current), "\(directory): \(Errno.current)")
    }
    guard try place(pem, path, mode: 0o600) else { return }
    _ = try place(Array(try publicLine(of: key).utf8), path + ".pub", mode: 0o644)
  }

  /// Puts a whole file in place; false when there is one already.
  private func place(
    _ bytes: [UInt8], _ path: String, mode: mode_t
  ) throws(ConnectionFailure) -> Bool {
    let draft = path + ".kelvin-\(getpid())"
    unlink(draft)
    let file = kelvin_open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
    guard file >= 0 else { throw ADBSync.hostFailure(draft) }
    defer { unlink(draft) }
    let isWritten = write(file, bytes, bytes.count) == bytes.count && fsync(file) == 0
    let error = Errno.current
    close(file)
    guard isWritten else { throw ConnectionFailure(.hostFile(error), "\(draft): \(error)") }
    if link(draft, path) == 0 { return true }
    if errno == EEXIST { return false }
    throw ADBSync.hostFailure(path)
  }
}
