import CLinux
import Glibc
import KelvinConnections
import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinMeters

/// Energy events of recorded trees; counters of this kernel where it has some that count without RAPL.
@Suite(.timeLimit(.minutes(2)))
struct PerfTests {
  private static let soon = Deadline.after(seconds: 60)
  private static let source = "/sys/bus/event_source/devices"

  /// Whether this user may count what a CPU does.
  private static var canCount: Bool {
    let counter = kelvin_perf_open(1, 0, 0)
    if counter >= 0 { close(counter) }
    return counter >= 0
  }

  @Test(arguments: [
    ("event=0x02", 2 as UInt64?), ("event=0x02,umask=0x1", 0x102), ("event=7,edge", 0x40007),
    ("umask=0x3", 0x300), ("split=0x1f", 0x1_000f_0000_0000), ("event=0x100", nil),
    ("other=1", nil), ("event=0xg", nil), ("", nil), ("event=", nil), ("aside=1", nil),
    ("broken=1", nil)
  ])
  func putsTermsWhereTheyBelong(terms: String, config: UInt64?) {
    #expect(
      PerfEvent.config(
        terms,
        formats: [
          "event": "config:0-7", "umask": "config:8-15", "edge": "config:18",
          "split": "config:32-35,48", "aside": "config1:0-7", "broken": "config:9-3"
        ]) == config)
  }

  private static func tree(
    type: String, _ events: [String: String], cpus: String = "0"
  ) throws -> RecordedTree {
    // As the kernel has them: the entries are links.
    let folder = "/sys/devices/power"
    var files = [
      "\(folder)/type": type + "\n", "\(folder)/cpumask": cpus + "\n",
      "\(folder)/format/event": "config:0-7\n"
    ]
    for (name, event) in events {
      files["\(folder)/events/\(name)"] = event + "\n"
      files["\(folder)/events/\(name).scale"] = "1e-9\n"
      files["\(folder)/events/\(name).unit"] = "Joules\n"
    }
    return try RecordedTree(files, links: ["\(source)/power": folder])
  }

  @Test func findsWhatEachPackageCounts() async throws {
    let tree = try Self.tree(
      type: "32",
      [
        "energy-pkg": "event=0x02", "energy-psys": "event=0x05", "energy-ram": "event=0x03",
        "energy-odd": "event=0x03,who=1"
      ], cpus: "0,20")
    try tree.write(
      "2.3283064365386962890625e-10\n", to: "/sys/devices/power/events/energy-pkg.scale")
    try tree.write("Watts\n", to: "/sys/devices/power/events/energy-ram.unit")
    let events = try await PerfDriver.events(
      of: "power", through: tree.connection, until: Self.soon)
    #expect(events.map(\.name) == ["energy-pkg", "energy-psys"])
    #expect(events[0].type == 32 && events[0].config == 2 && events[0].cpus == [0, 20])
    #expect(events[0].scale == 1.0 / 4_294_967_296)
    let sources = PerfSource.all(events)
    #expect(sources.map(\.channel.name) == ["pkg-0", "pkg-1", "psys"])
    #expect(sources.map(\.cpu) == [0, 20, 0])
    #expect(sources.allSatisfy { $0.channel.kind == .energy && $0.channel.wrap == 0 })
  }

  @Test func saysThatThereAreNone() async throws {
    let tree = try RecordedTree(["\(Self.source)/cpu/type": "4\n"])
    #expect(try await PerfDriver().find(through: tree.connection, until: Self.soon).isEmpty)
    let failure = await #expect(throws: MeterFailure.self) {
      try await PerfDriver().open(
        name: "perf", options: [:], through: tree.connection, until: Self.soon)
    }
    #expect(failure?.code == .notFound)
  }

  /// The kernel's clock of a CPU counts a nanosecond each nanosecond: at 1 nJ a count, a watt.
  @Test(.enabled(if: canCount, "this user may not count"))
  func measuresAWattOfTheKernelsClock() async throws {
    let tree = try Self.tree(type: "1", ["energy-pkg": "event=0x00"])
    let found = try #require(
      try await PerfDriver().find(through: tree.connection, until: Self.soon).first)
    #expect(found.obstacle == nil && found.measuresPower)
    let meter = try await PerfDriver().open(
      name: "perf", options: ["rate": .number(100)], through: tree.connection, until: Self.soon)
    let figures = try MeterFigures(meter.identity, meter.channels, rate: meter.rate)
    try await meter.start(into: figures, until: Self.soon)
    while figures.reached == nil { _ = Deadline.after(seconds: 0.01).wait() }
    let begin = MonotonicTime.now
    try figures.begin(at: begin.nanoseconds)
    _ = Deadline.after(seconds: 0.5).wait()
    let end = MonotonicTime.now
    try figures.end(at: end.nanoseconds)
    let summary = await meter.stop(until: Self.soon)
    #expect(summary.failure == nil && summary.samples[0] > 5)
    let sites = try figures.finish { _ in FigureConditions() }
    let figure = try #require(sites.first?.first).figure
    let seconds = Double(end - begin) / 1e9
    #expect(abs(figure.energy / seconds - 1) < 0.01, "\(figure.energy) J in \(seconds) s")
    #expect(figure.coverage == 1)
    #expect(await meter.stop(until: Self.soon) == summary)
  }

  @Test(.enabled(if: canCount, "this user may not count"))
  func aCounterThatStandsStillIsNoMeter() async throws {
    // The kernel's dummy event counts nothing, as a virtual machine's RAPL does.
    let tree = try Self.tree(type: "1", ["energy-psys": "event=0x09"])
    let found = try #require(
      try await PerfDriver().find(through: tree.connection, until: Self.soon).first)
    #expect(found.obstacle?.code == .notFound)
    #expect(found.obstacle?.message.contains("energy-psys stands still") == true)
    let failure = await #expect(throws: MeterFailure.self) {
      try await PerfDriver().open(
        name: "perf", options: [:], through: tree.connection, until: Self.soon)
    }
    #expect(failure == found.obstacle)
  }

  @Test func saysWhyACounterCannotBeOpened() async throws {
    let tree = try Self.tree(type: "65000", ["energy-pkg": "event=0x02"])
    let found = try #require(
      try await PerfDriver().find(through: tree.connection, until: Self.soon).first)
    let code = found.obstacle?.code
    #expect(code == .malfunction || code == .permission, "\(String(describing: found.obstacle))")
  }
}
