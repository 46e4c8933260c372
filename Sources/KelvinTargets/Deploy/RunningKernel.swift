public import KelvinConnections
public import KelvinModel

/// By what the kernel is known that runs on a board now.
public struct RunningKernel: Sendable, Hashable {
  public var bootID: String
  /// Lower-case hex; nil where the kernel has none, or does not show it.
  public var buildID: String?
  /// `uname -r` and `-v`.
  public var release: String
  public var version: String
  public var commandLine: String

  /// Creates a description.
  public init(
    bootID: String, buildID: String?, release: String, version: String, commandLine: String = ""
  ) {
    self.bootID = bootID
    self.buildID = buildID
    self.release = release
    self.version = version
    self.commandLine = commandLine
  }

  /// Reads it, in one round trip.
  ///
  /// Source: kernel/ksysfs.c: /sys/kernel/notes are the notes that were linked into the kernel.
  public static func read(
    through connection: any Connection, until deadline: Deadline
  ) async throws(ConnectionFailure) -> RunningKernel {
    let contents = try await connection.read(
      [
        "/proc/sys/kernel/random/boot_id", "/sys/kernel/notes", "/proc/sys/kernel/osrelease",
        "/proc/sys/kernel/version", "/proc/cmdline"
      ], until: deadline
    ).map { (try? $0.get()) ?? [] }
    func text(_ index: Int) -> String {
      String(String(decoding: contents[index], as: UTF8.self).trimmingASCIIWhitespace)
    }
    guard !text(0).isEmpty else {
      throw ConnectionFailure(
        .unsupported, "/proc/sys/kernel: not readable (\(connection.name))",
        hint: "the target must run Linux with /proc mounted")
    }
    return RunningKernel(
      bootID: text(0), buildID: BuildNotes.buildID(inNotes: contents[1]), release: text(2),
      version: text(3), commandLine: text(4))
  }

  /// What tells that this is not the kernel of an image; nil when it is.
  ///
  /// - Parameter buildID: the one that it must have, where somebody says so.
  public func difference(from image: KernelImage?, buildID wanted: String?) -> String? {
    let ids = wanted.map { [$0] } ?? image?.buildIDs ?? []
    if !ids.isEmpty, let buildID {
      guard !ids.contains(buildID) else { return nil }
      return "build id \(ids.joined(separator: " or ")) is wanted, and \(buildID) runs (\(release))"
    }
    if let wanted {
      return "build id \(wanted) is wanted, and the running kernel shows none (\(release))"
    }
    guard let image else { return nil }
    guard let imageRelease = image.release else {
      return "neither its image nor the running kernel (\(release)) shows a build id"
    }
    guard imageRelease == release else {
      return "\(imageRelease) is wanted, and \(release) runs"
    }
    // The header of an image may have no room for all of it.
    guard let imageVersion = image.version, imageVersion != version else { return nil }
    return "'\(imageRelease) \(imageVersion)' is wanted, and '\(release) \(version)' runs"
  }
}
