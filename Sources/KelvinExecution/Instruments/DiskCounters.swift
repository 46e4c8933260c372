internal import KelvinConnections
public import KelvinModel
internal import KelvinTargets

/// What the block devices did in the measured window, from /proc/diskstats.
public struct DiskCounters: Instrument {
  private static let defaults = [
    "reads", "read_bytes", "read_time", "writes", "written_bytes", "write_time", "io_time"
  ]

  public static let declaration = Declaration(
    .instrument, "diskstats",
    summary: "What the block devices did in the measured window.",
    description: """
      /proc/diskstats is read just before and just after the measured window; metrics are \
      differences, classified by device. Counts are those of the whole system, at the device: what \
      the page cache answered is not in them, what it writes back later is in a later window. \
      Devices that did nothing since boot are left out unless named; a counter that went back is \
      flagged.
      """,
    options: [
      FieldChoice.option(
        default: defaults,
        "Any of \(DiskStatistics.Field.all.map(\.name).joined(separator: ", "))."),
      DeviceChoice.option("devices", "Devices to report")
    ],
    metrics: DiskStatistics.Field.all.map {
      MetricDeclaration($0.metric, unit: $0.unit, "After less before, for each device.")
    })

  private let fields: [DiskStatistics.Field]
  private let devices: DeviceChoice
  private let reader = WindowReader(["/proc/diskstats"])

  /// Takes `fields` and `devices`.
  public init(settings: [String: Value]) throws {
    let names = settings.texts("fields")
    fields = try FieldChoice.pick(names, from: DiskStatistics.Field.all, name: \.name)
    devices = DeviceChoice(settings.texts("devices"), leftOut: ["loop*", "ram*"])
  }

  public func prepare(_ run: RunContext, until deadline: Deadline) async throws {
    let bytes = try await run.target.connection.read("/proc/diskstats", until: deadline)
    guard !DiskStatistics(KernelText(bytes)).devices.isEmpty else {
      throw InstrumentUnavailable("/proc/diskstats: names no block device")
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
      report(from: DiskStatistics(before), to: DiskStatistics(after), bits: bits, job)
    }.hostSide
  }

  private func report(
    from before: DiskStatistics, to after: DiskStatistics, bits: Int, _ job: JobContext
  ) {
    var report = CounterReport(source: name)
    let changes = DeviceChanges(
      before: before.devices.map { "\($0.name) (\($0.number))" },
      after: after.devices.map { "\($0.name) (\($0.number))" })
    let old = Dictionary(before.devices.map { ($0.name, $0) }) { first, _ in first }
    for device in after.devices where devices.includes(device.name) {
      guard let earlier = old[device.name], earlier.number == device.number,
        devices.isNamed(device.name) || device.counters.contains(where: { $0 > 0 })
      else { continue }
      for field in fields
      where field.index < min(device.counters.count, earlier.counters.count) {
        report.add(
          field.metric, from: earlier.counters[field.index], to: device.counters[field.index],
          bits: field.isAlways32Bits ? 32 : bits, factor: field.factor, unit: field.unit,
          classifiers: ["device": device.name])
      }
    }
    report.deliver(to: job)
    changes.record(in: job, source: name, what: "block devices")
  }
}
