internal import KelvinConnections
public import KelvinModel
internal import KelvinTargets

/// What the network interfaces did in the measured window, from /proc/net/dev.
public struct NetworkCounters: Instrument {
  private static let defaults = [
    "rx_bytes", "rx_packets", "rx_errors", "rx_dropped",
    "tx_bytes", "tx_packets", "tx_errors", "tx_dropped"
  ]

  public static let declaration = Declaration(
    .instrument, "net", aliases: ["netstats"],
    summary: "What the network interfaces did in the measured window.",
    description: """
      /proc/net/dev is read just before and just after the measured window; metrics are \
      differences, classified by interface. The interfaces are those of the network namespace in \
      which the connection reads. Interfaces that did nothing since boot are left out unless \
      named; a counter that went back is flagged.
      """,
    options: [
      FieldChoice.option(
        default: defaults,
        "Any of \(NetworkStatistics.Field.all.map(\.name).joined(separator: ", "))."),
      DeviceChoice.option("interfaces", "Interfaces to report")
    ],
    metrics: NetworkStatistics.Field.all.map {
      MetricDeclaration($0.metric, unit: $0.unit, "After less before, for each interface.")
    })

  private let fields: [NetworkStatistics.Field]
  private let interfaces: DeviceChoice
  private let reader = WindowReader(["/proc/net/dev"])

  /// Takes `fields` and `interfaces`.
  public init(settings: [String: Value]) throws {
    let names = settings.texts("fields")
    fields = try FieldChoice.pick(names, from: NetworkStatistics.Field.all, name: \.name)
    interfaces = DeviceChoice(settings.texts("interfaces"), leftOut: [])
  }

  public func prepare(_ run: RunContext, until deadline: Deadline) async throws {
    let content = try await run.target.connection.read(["/proc/net/dev"], until: deadline)[0]
    guard case .success(let bytes) = content,
      !NetworkStatistics(KernelText(bytes)).interfaces.isEmpty
    else {
      throw InstrumentUnavailable(
        "/proc/net/dev: not readable, or names no interface",
        hint: "the kernel needs CONFIG_NET and /proc must be mounted")
    }
  }

  public var hooks: [Hook] {
    very_fast.start { context in try await reader.readBefore(context) }
    very_fast.stop { context in try await reader.readAfter(context) }
    normal.update_output { context in
      let job = try context.requireJob()
      guard let window = reader.take(job, source: name) else { return }
      guard let before = window.before.text(0), let after = window.after.text(0) else { return }
      let bits = try await context.target.facts(until: context.deadline).longBits
      report(from: NetworkStatistics(before), to: NetworkStatistics(after), bits: bits, job)
    }.hostSide
  }

  private func report(
    from before: NetworkStatistics, to after: NetworkStatistics, bits: Int, _ job: JobContext
  ) {
    var report = CounterReport(source: name)
    let changes = DeviceChanges(
      before: before.interfaces.map(\.name), after: after.interfaces.map(\.name))
    let old = Dictionary(before.interfaces.map { ($0.name, $0) }) { first, _ in first }
    for interface in after.interfaces where interfaces.includes(interface.name) {
      guard let earlier = old[interface.name],
        interfaces.isNamed(interface.name) || interface.counters.contains(where: { $0 > 0 })
      else { continue }
      for field in fields {
        report.add(
          field.metric, from: earlier.counters[field.index], to: interface.counters[field.index],
          bits: bits, unit: field.unit, classifiers: ["interface": interface.name])
      }
    }
    report.deliver(to: job)
    changes.record(in: job, source: name, what: "interfaces")
  }
}
