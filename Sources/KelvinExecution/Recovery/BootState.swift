public import KelvinConnections
public import KelvinModel

/// Which boot a board is in, at one moment; two of them tell whether it has rebooted in between.
public struct BootState: Sendable, Hashable {
  /// The kernel's, drawn at boot; nil where it could not be read.
  public let bootID: String?
  /// Seconds since the boot, time asleep included; nil where it could not be read.
  public let uptime: Double?
  /// When that was read, on this host.
  public let time: MonotonicTime

  /// Creates a state from its parts.
  public init(bootID: String?, uptime: Double?, time: MonotonicTime = .now) {
    self.bootID = bootID
    self.uptime = uptime
    self.time = time
  }

  /// Reads it, in one round trip.
  ///
  /// Sources: drivers/char/random.c (boot_id), fs/proc/uptime.c (of CLOCK_BOOTTIME).
  public static func read(
    through connection: any Connection, until deadline: Deadline
  ) async throws(ConnectionFailure) -> BootState {
    let contents = try await connection.read(
      ["/proc/sys/kernel/random/boot_id", "/proc/uptime"], until: deadline)
    return BootState(
      bootIDFile: try? contents[0].get(), uptimeFile: try? contents[1].get(), time: .now)
  }

  /// Understands the two files.
  init(bootIDFile: [UInt8]?, uptimeFile: [UInt8]?, time: MonotonicTime) {
    let id = bootIDFile.map { KernelText.string($0[...]) } ?? ""
    let words = uptimeFile.map { KernelText.string($0[...]).split(separator: " ") } ?? []
    let seconds = words.first.flatMap { Double($0) }
    self.init(
      bootID: BootState.isUUID(id) ? id.lowercased() : nil,
      uptime: seconds.flatMap { $0.isFinite && $0 >= 0 ? $0 : nil }, time: time)
  }

  private static func isUUID(_ text: String) -> Bool {
    text.utf8.count == 36 && text.utf8.allSatisfy { $0 == UInt8(ascii: "-") || isHex($0) }
      && text.utf8.contains { $0 != UInt8(ascii: "0") && $0 != UInt8(ascii: "-") }
  }

  private static func isHex(_ byte: UInt8) -> Bool {
    (48...57).contains(byte) || (97...102).contains(byte | 0x20)
  }
}

/// Whether a board has rebooted between two moments.
public enum BootChange: Sendable, Hashable {
  case sameBoot
  /// With what shows it.
  case rebooted([String])
  /// With why nothing can be said.
  case unknown(String)

  /// Seconds by which a board's clock and this host's may differ, and the part of the time by which.
  private static let tolerance = (seconds: 5.0, part: 0.01)

  /// Compares what was read before and after, nil where the board did not answer; and what its console
  /// said in between.
  ///
  /// A boot id decides, where both moments have one; except that a board whose id never changes (an
  /// image's, a container's) is found out by its uptime.
  public init(from before: BootState?, to after: BootState?, signs: [KernelSign] = []) {
    let starts = signs.filter(\.kind.isStart)
      .map { "its console said '\($0.line)'" }
    var shown: [String] = []
    var isSame = false
    if let old = before?.bootID, let new = after?.bootID {
      if old != new { shown.append("boot id \(old) before, \(new) after") }
      isSame = old == new
    }
    if let before, let after, let old = before.uptime, let new = after.uptime {
      let elapsed = Double(after.time - before.time) / 1e9
      let missing = old + elapsed - new
      if missing > BootChange.tolerance.seconds + BootChange.tolerance.part * max(0, elapsed) {
        shown.append(
          "up for \(BootChange.text(old)) before, and for \(BootChange.text(new)) "
            + "\(BootChange.text(elapsed)) later")
      } else {
        isSame = true
      }
    }
    if !shown.isEmpty {
      self = .rebooted(shown + starts)
    } else if isSame {
      self = .sameBoot
    } else if !starts.isEmpty {
      self = .rebooted(starts)
    } else if before?.bootID == nil, before?.uptime == nil {
      self = .unknown("its boot id and uptime were not known before")
    } else {
      self = .unknown(
        after == nil ? "it did not answer" : "its boot id and uptime could not be read afterwards")
    }
  }

  private static func text(_ seconds: Double) -> String {
    "\((min(max(seconds, 0), 1e12) * 10).rounded() / 10) s"
  }
}
