internal import Glibc
public import KelvinSystem

/// The process that holds a lease, named so that any other process can judge whether it still runs.
public struct LeaseHolder: Sendable, Hashable {
  public var host: HostIdentity
  public var process: ProcessIdentity
  /// Who uses the bench: see ``currentUser()``.
  public var user: String

  /// Creates a holder.
  public init(host: HostIdentity, process: ProcessIdentity, user: String) {
    self.host = host
    self.process = process
    self.user = user
  }

  /// The calling process.
  ///
  /// - Throws: ``StoreFailure`` when /proc is not there.
  public static func current() throws(StoreFailure) -> LeaseHolder {
    let host = try HostIdentity.current()
    guard let process = ProcessIdentity(processID: getpid()) else {
      throw StoreFailure(
        .system, path: "/proc/\(getpid())/stat", "could not be read", evidence: text(of: errno),
        hint: "mount /proc")
    }
    return LeaseHolder(host: host, process: process, user: currentUser())
  }

  /// KELVIN_USER where it is set, since several people may share an account of a lab; else the name
  /// of the account, or its number.
  public static func currentUser() -> String {
    if let name = getenv("KELVIN_USER").map({ String(cString: $0) }), !name.isEmpty { return name }
    var entry = passwd()
    var found: UnsafeMutablePointer<passwd>?
    var buffer = [CChar](repeating: 0, count: 16_384)
    if getpwuid_r(geteuid(), &entry, &buffer, buffer.count, &found) == 0, found != nil,
      let name = entry.pw_name
    {
      return String(cString: name)
    }
    return "uid \(geteuid())"
  }

  /// What is known about a holder.
  public enum Standing: String, Sendable, Hashable, CaseIterable {
    /// The very process still runs.
    case alive
    /// It does not: it ended (a zombie has), or its machine was booted since.
    case dead
    /// It runs, or ran, where this process cannot see: on another host, or in another container.
    case elsewhere
  }

  /// Judges the holder.
  ///
  /// - Parameter host: the machine that the judging process runs on.
  public func standing(seenFrom host: HostIdentity) -> Standing {
    guard self.host.bootID == host.bootID else {
      // Another kernel. The same machine can only mean: since booted again.
      return self.host.name == host.name && self.host.machineID == host.machineID
        ? .dead : .elsewhere
    }
    guard self.host.processNamespace == host.processNamespace else { return .elsewhere }
    if process.isAlive { return .alive }
    // /proc may hide other users' processes (hidepid in proc(5)), and is then no evidence.
    if ProcessEntry(processID: process.processID) == nil,
      kill(process.processID, 0) == 0 || errno == EPERM
    {
      return .elsewhere
    }
    return .dead
  }

  /// For messages: `anna, process 4711 on labhost`.
  public var label: String { "\(user), process \(process.processID) on \(host.name)" }
}
