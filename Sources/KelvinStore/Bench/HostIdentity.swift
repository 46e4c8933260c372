internal import Glibc
internal import KelvinSystem

/// Which machine a process runs on, and since which boot.
public struct HostIdentity: Sendable, Hashable {
  public var name: String
  /// /etc/machine-id (machine-id(5)); empty where there is none. Tells machines of one name apart.
  public var machineID: String
  /// /proc/sys/kernel/random/boot_id: the same for all that share a running kernel.
  public var bootID: String
  /// The link /proc/self/ns/pid: process ids mean the same only within one namespace.
  public var processNamespace: String

  /// Creates an identity.
  public init(name: String, machineID: String, bootID: String, processNamespace: String) {
    self.name = name
    self.machineID = machineID
    self.bootID = bootID
    self.processNamespace = processNamespace
  }

  /// The machine that the calling process runs on.
  ///
  /// - Throws: ``StoreFailure`` when /proc is not there.
  public static func current() throws(StoreFailure) -> HostIdentity {
    let bootIDPath = "/proc/sys/kernel/random/boot_id"
    guard let bootID = SmallFile.text(bootIDPath, limit: 64), !bootID.isEmpty else {
      throw StoreFailure(
        .system, path: bootIDPath, "could not be read", evidence: text(of: errno),
        hint: "mount /proc")
    }
    var name = [CChar](repeating: 0, count: 256)
    gethostname(&name, name.count - 1)
    var link = [CChar](repeating: 0, count: 64)
    let count = readlink("/proc/self/ns/pid", &link, link.count)
    return HostIdentity(
      name: string(name.prefix { $0 != 0 }),
      machineID: SmallFile.text("/etc/machine-id", limit: 64) ?? "", bootID: bootID,
      processNamespace: string(link.prefix(max(0, count))))
  }

  private static func string(_ bytes: ArraySlice<CChar>) -> String {
    String(decoding: bytes.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}
