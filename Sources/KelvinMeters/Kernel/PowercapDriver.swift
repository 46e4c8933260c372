internal import Glibc
public import KelvinConnections
public import KelvinModel

/// Energy counters of the kernel's powercap class: Intel's and AMD's RAPL domains.
///
/// `energy_uj` counts microjoules from 0 to `max_energy_range_uj` and starts again, each domain at its
/// own maximum (Linux, Documentation/power/powercap/powercap.rst); only root may read it since 5.10.
/// That maximum is taken for the number of codes, which is short by one unit of the register
/// (docs/measurement.md, "Counters").
public struct PowercapDriver: MeterDriver {
  public init() {}

  static let directory: TargetPath = "/sys/class/powercap"

  public var declaration: Declaration {
    Declaration(
      .meter, "rapl", summary: "Energy counters of the processor: Intel and AMD RAPL.",
      description: """
        Read from /sys/class/powercap. Each domain (package, cores, memory, platform) is a channel; \
        domains lie within each other and must not be added up: psys holds the packages, a package \
        its cores. A counter that starts again is understood, each at its own maximum; a window in \
        which one may have done so several times is refused for it.
        """,
      options: [
        .init(
          "rate", .quantity(.frequency, bare: "Hz"), default: .number(20), range: 0.01...1000,
          isDetail: true,
          "How often it is read. The counters move about 1000 times a second."),
        .init("channels", .list(.text), isDetail: true, "Only these of its channels."),
        AccuracyOptions.option
      ],
      verified: "recorded trees only")
  }

  public func find(
    through connection: any Connection, until deadline: Deadline
  ) async throws(MeterFailure) -> [FoundMeter] {
    let found = try await domains(through: connection, until: deadline)
    guard !found.channels.isEmpty else { return [] }
    return [
      FoundMeter(
        name: "rapl", driver: "rapl", options: [:],
        summary: "RAPL: " + found.channels.map(\.site).joined(separator: ", "),
        channels: found.channels, obstacle: found.obstacle)
    ]
  }

  public func open(
    name: String, options: [String: Value], through connection: any Connection,
    until deadline: Deadline
  ) async throws(MeterFailure) -> any Meter {
    let found = try await domains(through: connection, until: deadline)
    guard !found.channels.isEmpty else {
      throw MeterFailure(
        .notFound, "\(name): \(connection.name) has no energy counters in \(Self.directory)",
        hint: "virtual machines have none, and Arm processors have none either; "
          + "load intel_rapl_msr on a PC")
    }
    if let obstacle = found.obstacle { throw obstacle }
    return try KernelMeter.open(
      name: name, driver: "rapl", model: "RAPL", location: "\(connection.name): \(Self.directory)",
      channels: found.channels, files: found.files, rate: options["rate"]?.number ?? 20,
      properties: found.channels.map { channel in
        MeterProperty(channel.name, "\(channel.site), counts to \(channel.wrap ?? 0) uJ")
      }, options: options, verified: declaration.verified ?? "", through: connection)
  }

  private struct Domains {
    var channels: [Channel] = []
    var files: [TargetPath] = []
    var obstacle: MeterFailure?
  }

  private func domains(
    through connection: any Connection, until deadline: Deadline
  ) async throws(MeterFailure) -> Domains {
    var found = Domains()
    do throws(ConnectionFailure) {
      let tree = try await KernelFiles.read(
        Self.directory, through: connection, until: deadline
      ) { ["name", "max_energy_range_uj", "energy_uj"].contains($0) }
      for zone in tree.devices where tree.files[zone]?.contains("energy_uj") == true {
        // The same counters twice: once by registers, once by memory.
        if zone.hasPrefix("intel-rapl-mmio") { continue }
        let path = Self.directory.appending(zone).appending("energy_uj")
        let site = name(of: zone, tree)
        if let error = tree.errors["\(zone)/energy_uj"], found.obstacle == nil {
          found.obstacle = obstacle(error, path, connection.name)
        }
        let range = tree.integer(zone, "max_energy_range_uj").flatMap { UInt64(exactly: $0) }
        found.channels.append(
          Channel(
            name: site, unit: "J", scale: 1e-6, site: site, kind: .energy, wrap: range ?? 0))
        found.files.append(path)
      }
    } catch {
      throw MeterFailure(error, of: connection.name)
    }
    return found
  }

  /// `package-0`, and what lies in it: `package-0/core`.
  private func name(of zone: String, _ tree: KernelFiles) -> String {
    let own = tree.text(zone, "name") ?? zone
    let parts = zone.split(separator: ":")
    guard parts.count > 2, let parent = tree.text(parts.prefix(2).joined(separator: ":"), "name")
    else { return own }
    return "\(parent)/\(own)"
  }

  func obstacle(_ error: Errno, _ path: TargetPath, _ board: String) -> MeterFailure {
    guard error.rawValue == EACCES || error.rawValue == EPERM else {
      return MeterFailure(.malfunction, "\(board): \(path) cannot be read", evidence: "\(error)")
    }
    return MeterFailure(
      .permission, "\(board): only root may read \(path)", evidence: "\(error)",
      hint: "run as root, or let a group read it by a udev rule: ACTION==\"add\", "
        + "SUBSYSTEM==\"powercap\", KERNEL==\"intel-rapl:*\", RUN+=\"/bin/chmod g+r %S%p/energy_uj\", "
        + "RUN+=\"/bin/chgrp dialout %S%p/energy_uj\"")
  }
}
