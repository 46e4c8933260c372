internal import Glibc
internal import KelvinConnections
internal import KelvinExecution
internal import KelvinModel
internal import KelvinStore

/// This life of Kelvin, for the store.
enum Life {
  static func current() -> LifeRecord {
    let bootID = (try? HostFile.read("/proc/sys/kernel/random/boot_id", limit: 64)) ?? []
    return LifeRecord(
      bootID: String(String(decoding: bootID, as: UTF8.self).trimmingASCIIWhitespace),
      processID: getpid(),
      startTicks: ProcessIdentity(processID: getpid())?.startTicks ?? 0, monotonic: .now,
      boottimeNanoseconds: MonotonicTime.boottimeNanoseconds,
      wallNanoseconds: MonotonicTime.wallNanoseconds)
  }
}
