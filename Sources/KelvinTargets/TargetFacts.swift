public import KelvinConnections
public import KelvinModel

/// What a board is, as its kernel tells: the part of a job's fingerprint that holds for one boot.
public struct TargetFacts: Sendable, Hashable {
  public var bootID: String
  /// `uname -r` and `-v`.
  public var kernelRelease: String
  public var kernelVersion: String
  /// `uname -m`: `x86_64`, `aarch64`, `armv7l`.
  public var machine: String
  public var kernelCommandLine: String
  /// SHA-256 of the kernel's configuration as built; nil when the kernel does not tell.
  public var kernelConfiguration: String?
  /// Device-tree model, or DMI board and BIOS version; empty when neither exists.
  public var firmware: String
  public var hostName: String
  /// Online CPUs, from 0.
  public var onlineCPUs: [Int]
  public var osRelease: String

  /// The ABI name under which assets are searched: `x86_64`, `arm64`, `armeabi`, as in WA.
  public var abi: String {
    switch machine {
    case "aarch64", "arm64": "arm64"
    case let machine where machine.hasPrefix("arm"): "armeabi"
    case "i386", "i486", "i586", "i686": "x86"
    default: machine
    }
  }

  /// Names and values for a fingerprint.
  public var fingerprint: [String: String] {
    var values = [
      "boot id": bootID, "kernel": kernelRelease, "kernel version": kernelVersion,
      "machine": machine, "command line": kernelCommandLine, "host name": hostName,
      "os": osRelease
    ]
    if !firmware.isEmpty { values["firmware"] = firmware }
    if let kernelConfiguration { values["kernel configuration"] = kernelConfiguration }
    return values
  }

  private static let files: [TargetPath] = [
    "/proc/sys/kernel/random/boot_id", "/proc/sys/kernel/osrelease", "/proc/sys/kernel/version",
    "/proc/sys/kernel/arch", "/proc/cmdline", "/proc/sys/kernel/hostname",
    "/sys/devices/system/cpu/online", "/etc/os-release", "/proc/device-tree/model",
    "/sys/class/dmi/id/board_name", "/sys/class/dmi/id/bios_version"
  ]

  /// Reads the facts in two or three round trips.
  ///
  /// - Throws: when the link fails, or the board has no readable /proc.
  public static func read(
    through connection: any Connection, until deadline: Deadline
  ) async throws(ConnectionFailure) -> TargetFacts {
    let contents = try await connection.read(files, until: deadline).map { result -> String? in
      guard case .success(let bytes) = result else { return nil }
      // Device-tree strings end with NUL.
      let text = String(decoding: bytes.filter { $0 != 0 }, as: UTF8.self)
      return String(text.trimmingASCIIWhitespace)
    }
    guard let bootID = contents[0], let release = contents[1] else {
      throw ConnectionFailure(
        .unsupported, "/proc/sys/kernel: not readable (\(connection.name))",
        hint: "the target must run Linux with /proc mounted")
    }
    var machine = contents[3]
    if machine == nil {  // Linux before 6.1
      let result = try await connection.execute(Command(["uname", "-m"]), until: deadline)
      machine = String(result.standardOutput.text.trimmingASCIIWhitespace)
    }
    let sums = try await connection.checksum(
      ["/proc/config.gz", TargetPath("/boot/config-\(release)")], until: deadline)
    let configuration = sums.lazy.compactMap { try? $0.get() }.first
    let dmi = [contents[9], contents[10]].compactMap(\.self).joined(separator: ", ")
    return TargetFacts(
      bootID: bootID, kernelRelease: release, kernelVersion: contents[2] ?? "",
      machine: machine ?? "", kernelCommandLine: contents[4] ?? "",
      kernelConfiguration: configuration, firmware: contents[8] ?? dmi,
      hostName: contents[5] ?? "", onlineCPUs: CPUList.parse(contents[6] ?? "") ?? [],
      osRelease: prettyName(contents[7] ?? ""))
  }

  private static func prettyName(_ osRelease: String) -> String {
    for line in osRelease.split(separator: "\n") where line.hasPrefix("PRETTY_NAME=") {
      return line.dropFirst(12).filter { $0 != "\"" }
    }
    return ""
  }
}
