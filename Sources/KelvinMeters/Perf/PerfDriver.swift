internal import Glibc
public import KelvinConnections
public import KelvinModel
internal import KelvinSystem

/// Energy events of the kernel's performance counters: RAPL as `perf stat -e power/energy-pkg/` reads it.
///
/// The kernel adds the registers up to 64 bits by itself, often enough that none goes around unseen (Linux,
/// arch/x86/events/rapl.c): what `rapl` has to tell from a maximum does not arise. They are
/// counted system-wide on one CPU of each package, which takes CAP_PERFMON or
/// `kernel.perf_event_paranoid` below 1 (perf_event_open(2)), where the powercap class takes root.
public struct PerfDriver: MeterDriver {
  public init() {}

  static let directory: TargetPath = "/sys/bus/event_source/devices"

  public var declaration: Declaration {
    Declaration(
      .meter, "perf", summary: "Energy counters of the processor, through perf's events.",
      description: """
        The energy events of /sys/bus/event_source/devices/power*, opened by perf_event_open(2) on this \
        machine: the same counters as those of 'rapl', summed up by the kernel to 64 bits, so that \
        they never start again. Domains lie within each other and must not be added up. A counter \
        that stands still, as in most virtual machines, is no meter, and that is said.
        """,
      options: [
        .init(
          "rate", .quantity(.frequency, bare: "Hz"), default: .number(20), range: 0.01...500,
          isDetail: true, "How often it is read."),
        .init("channels", .list(.text), isDetail: true, "Only these of its channels."),
        AccuracyOptions.option
      ],
      verified: "recorded trees, other events of a real kernel, and a virtual machine's counter, "
        + "which stands still")
  }

  public func find(
    through connection: any Connection, until deadline: Deadline
  ) async throws(MeterFailure) -> [FoundMeter] {
    guard connection.capabilities.isThisMachine else { return [] }
    let sources = try await sources(through: connection, until: deadline)
    guard !sources.isEmpty else { return [] }
    return [
      FoundMeter(
        name: "perf", driver: "perf", options: [:],
        summary: "perf events: " + sources.map(\.event.name).joined(separator: ", "),
        channels: sources.map(\.channel),
        obstacle: PerfDriver.obstacle(sources, on: connection.name))
    ]
  }

  public func open(
    name: String, options: [String: Value], through connection: any Connection,
    until deadline: Deadline
  ) async throws(MeterFailure) -> any Meter {
    guard connection.capabilities.isThisMachine else {
      throw MeterFailure(
        .unsupported, "\(name): perf's counters are read on this machine only",
        hint: "on a board, 'driver: command' with 'on: board' reads 'perf stat -I'")
    }
    var sources = try await sources(through: connection, until: deadline)
    guard !sources.isEmpty else {
      throw MeterFailure(
        .notFound, "\(name): \(connection.name) has no energy events in \(PerfDriver.directory)",
        hint: "virtual machines and Arm processors have none; load 'rapl' on a PC")
    }
    sources = try KernelMeter.select(sources, by: options, of: name) { $0.channel.name }
    if let obstacle = PerfDriver.obstacle(sources, on: connection.name) { throw obstacle }
    let accuracy = try AccuracyOptions.read(options["accuracy"], of: name)[.energy]
    return PerfMeter(
      MeterIdentity(
        name: name, driver: "perf", model: "RAPL through perf",
        location: "\(connection.name): \(PerfDriver.directory)",
        verified: declaration.verified ?? ""),
      sources.map { source in
        var source = source
        source.channel.accuracy = accuracy
        return source
      }, rate: options["rate"]?.number ?? 20)
  }

  /// What hinders the use of counters: nobody may open them, or they stand still.
  static func obstacle(_ sources: [PerfSource], on board: String) -> MeterFailure? {
    guard let first = sources.first else { return nil }
    do throws(Errno) {
      let counter = try PerfCounter(first.event, cpu: first.cpu)
      // A processor that draws a tenth of a watt counts once in a millisecond.
      let limit = Deadline.after(seconds: 0.1)
      while try counter.read().count == 0 {
        guard !limit.hasPassed else {
          return MeterFailure(
            .notFound, "\(board): \(first.event.name) stands still",
            hint: "most virtual machines show the counter, and count nothing")
        }
        _ = limit.limited(toSeconds: 0.005).wait()
      }
      return nil
    } catch {
      guard error.rawValue == EACCES || error.rawValue == EPERM else {
        return MeterFailure(
          .malfunction, "\(board): \(first.event.name) cannot be opened", evidence: "\(error)")
      }
      return MeterFailure(
        .permission, "\(board): this user may not count \(first.event.name)",
        evidence: "\(error)",
        hint: "run as root, give kelvin CAP_PERFMON, or 'sysctl kernel.perf_event_paranoid=0'")
    }
  }

  /// What there is to count, in the order of names.
  private func sources(
    through connection: any Connection, until deadline: Deadline
  ) async throws(MeterFailure) -> [PerfSource] {
    do throws(ConnectionFailure) {
      var sources: [PerfSource] = []
      for unit in try await connection.entriesIfThere(of: PerfDriver.directory, until: deadline)
      where unit.name.hasPrefix("power") {
        sources += PerfSource.all(
          try await PerfDriver.events(of: unit.name, through: connection, until: deadline))
      }
      return sources
    } catch {
      throw MeterFailure(error, of: connection.name)
    }
  }

  /// The energy events of a unit that can be opened.
  static func events(
    of unit: String, through connection: any Connection, until deadline: Deadline
  ) async throws(ConnectionFailure) -> [PerfEvent] {
    // Each entry is a link.
    let folder = directory.appending(unit)
    let names = try await connection.entriesIfThere(
      of: folder.appending("events"), until: deadline
    ).map(\.name).filter { $0.hasPrefix("energy-") && !$0.contains(".") }
    let formats = try await connection.entriesIfThere(
      of: folder.appending("format"), until: deadline
    ).map(\.name)
    guard !names.isEmpty else { return [] }
    let files =
      ["type", "cpumask"] + formats.map { "format/\($0)" }
      + names.flatMap { ["events/\($0)", "events/\($0).scale", "events/\($0).unit"] }
    let results = try await connection.read(files.map { folder.appending($0) }, until: deadline)
    var texts: [String: String] = [:]
    for (file, result) in zip(files, results) {
      guard case .success(let bytes) = result else { continue }
      texts[file] = String(
        String(decoding: bytes.prefix(4096), as: UTF8.self).trimmingASCIIWhitespace)
    }
    guard let type = texts["type"].flatMap({ UInt32($0) }) else { return [] }
    let places = Dictionary(
      formats.compactMap { name in texts["format/\(name)"].map { (name, $0) } },
      uniquingKeysWith: { first, _ in first })
    let cpus = texts["cpumask"].flatMap(CPUList.parse) ?? []
    return names.compactMap { name in
      guard
        let config = texts["events/\(name)"].flatMap({ PerfEvent.config($0, formats: places) }),
        let scale = texts["events/\(name).scale"].flatMap({ Double($0) }), scale > 0,
        scale.isFinite, texts["events/\(name).unit"] == "Joules"
      else { return nil }
      return PerfEvent(
        name: name, type: type, config: config, scale: scale, unit: "Joules",
        cpus: cpus.isEmpty ? [0] : cpus)
    }
  }
}

/// An event on one CPU: what a channel counts.
struct PerfSource: Sendable, Hashable {
  var event: PerfEvent
  var cpu: Int
  var channel: Channel

  /// One for each package; the platform's counter once, since it is every package's.
  static func all(_ events: [PerfEvent]) -> [PerfSource] {
    events.flatMap { event in
      let domain = String(event.name.dropFirst("energy-".count))
      let cpus = domain == "psys" ? Array(event.cpus.prefix(1)) : event.cpus
      return cpus.enumerated().map { place, cpu in
        let site = cpus.count == 1 ? domain : "\(domain)-\(place)"
        return PerfSource(
          event: event, cpu: cpu,
          // 64 bits from 0 on: it does not come to its end.
          channel: Channel(
            name: site, unit: "J", scale: event.scale, site: site, kind: .energy, wrap: 0))
      }
    }
  }
}
