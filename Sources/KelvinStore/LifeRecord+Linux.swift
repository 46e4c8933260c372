internal import Glibc
internal import KelvinModel

extension LifeRecord {
  /// Describes the calling process, and reads the three clocks together.
  ///
  /// - Throws: ``StoreFailure`` when /proc is not there.
  public static func current() throws(StoreFailure) -> LifeRecord {
    let process = getpid()
    guard let bootID = LifeRecord.bootID() else {
      throw StoreFailure(
        .system, path: bootIDPath, "could not be read", evidence: text(of: errno),
        hint: "mount /proc")
    }
    guard let ticks = LifeRecord.startTicks(of: process) else {
      throw StoreFailure(
        .system, path: "/proc/\(process)/stat", "could not be read", evidence: text(of: errno),
        hint: "mount /proc")
    }
    return LifeRecord(
      bootID: bootID, processID: process, startTicks: ticks, monotonic: .now,
      boottimeNanoseconds: MonotonicTime.boottimeNanoseconds,
      wallNanoseconds: MonotonicTime.wallNanoseconds)
  }

  /// Whether the process of this life still runs on this machine: same boot, same process id, same
  /// start. A zombie is dead.
  public var isAlive: Bool {
    LifeRecord.bootID() == bootID && LifeRecord.startTicks(of: processID) == startTicks
  }

  private static let bootIDPath = "/proc/sys/kernel/random/boot_id"

  private static func bootID() -> String? {
    guard let text = readSmallFile(bootIDPath) else { return nil }
    return String(text.trimmingASCIIWhitespace)
  }

  /// Field 22 of /proc/PID/stat; nil when there is no such process, or it is a zombie.
  static func startTicks(of process: Int32) -> UInt64? {
    guard let text = readSmallFile("/proc/\(process)/stat"),
      // The command's name, field 2, is in parentheses and may hold spaces and parentheses.
      let nameEnd = text.lastIndex(of: ")")
    else { return nil }
    let fields = text[text.index(after: nameEnd)...].split(separator: " ")
    guard fields.count > 19, fields[0] != "Z", fields[0] != "X" else { return nil }
    return UInt64(fields[19])
  }

  private static func readSmallFile(_ path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = read(descriptor, &buffer, buffer.count)
    guard count > 0 else { return nil }
    return String(decoding: buffer[..<count], as: UTF8.self)
  }
}
