internal import KelvinConnections
public import KelvinModel
internal import KelvinStore
internal import KelvinTargets

/// How long the CPUs were in each idle state in the measured window.
public struct CPUIdle: Instrument {
  public static let declaration = Declaration(
    .instrument, "cpuidle",
    summary: "How long the CPUs were in each idle state.",
    description: """
      cpuN/cpuidle/stateM/{time,usage,disable} are read just before and just after the measured \
      window. The kernel adds a stay to its state when the CPU leaves it: one that lasts across \
      the window's end is missing, one that began long before counts whole, so that short windows \
      can show less than they had, or more than 100 %. Metrics are classified by cpu (a number, or \
      all) and state. Disabled states go into the job's fingerprint.
      """,
    metrics: [
      MetricDeclaration(
        "idle_residency", unit: "%", "Share of the window; for all CPUs, their mean."),
      MetricDeclaration("idle_entries", "How often the state was entered.")
    ])

  private static let root: TargetPath = "/sys/devices/system/cpu"
  private struct State: Sendable {
    var cpu: Int
    var name: String
  }
  private let reader = WindowReader()
  private let states = BoardConfined<[State]>([])

  /// Takes no settings of its own.
  public init(settings: [String: Value]) {}

  public func prepare(_ run: RunContext, until deadline: Deadline) async throws {
    let connection = run.target.connection
    let entries = try await connection.list(CPUIdle.root, depth: 3, until: deadline)
    let directories = entries.compactMap { CPUIdle.state(at: $0.path) }
      .sorted { ($0.cpu, $0.number) < ($1.cpu, $1.number) }
    guard !directories.isEmpty else {
      throw InstrumentUnavailable(
        "\(CPUIdle.root)/cpu*/cpuidle: has no idle states",
        hint: "the kernel has no idle driver for these CPUs (CONFIG_CPU_IDLE)")
    }
    let names = try await connection.read(
      directories.map { $0.path.appending("name") }, until: deadline)
    states.value = zip(directories, names).map { directory, content in
      let name = (try? content.get()).map { KernelText($0).trimmed } ?? ""
      return State(cpu: directory.cpu, name: name.isEmpty ? "state\(directory.number)" : name)
    }
    reader.paths = directories.flatMap { directory in
      ["time", "usage", "disable"].map { directory.path.appending($0) }
    }
  }

  /// Takes `.../cpu3/cpuidle/state1` apart; nil for any other path.
  private static func state(at path: TargetPath) -> (cpu: Int, number: Int, path: TargetPath)? {
    let parts = path.string.split(separator: "/").suffix(3)
    guard parts.count == 3, let cpu = parts.first, let state = parts.last,
      parts[parts.startIndex + 1] == "cpuidle", cpu.hasPrefix("cpu"), state.hasPrefix("state"),
      let cpuNumber = Int(cpu.dropFirst(3)), let number = Int(state.dropFirst(5))
    else { return nil }
    return (cpuNumber, number, path)
  }

  public var hooks: [Hook] {
    very_fast.start { context in try await reader.readBefore(context) }
    very_fast.stop { context in try await reader.readAfter(context) }
    normal.update_output { context in
      let job = try context.requireJob()
      guard let window = reader.take(job, source: name), window.duration > 0 else { return }
      report(window, job)
    }.hostSide
  }

  private func report(_ window: WindowReader.Window, _ job: JobContext) {
    var report = CounterReport(source: name)
    var disabled: [String] = []
    var damaged: [String] = []
    var all: [(name: String, share: Double, cpus: Int)] = []
    for (index, state) in states.value.enumerated() {
      let classifiers = ["cpu": "\(state.cpu)", "state": state.name]
      if window.before.text(index * 3 + 2)?.integer ?? 0 != 0 {
        disabled.append("cpu\(state.cpu) \(state.name)")
      }
      guard let before = window.before.text(index * 3), let after = window.after.text(index * 3)
      else { continue }
      guard let from = before.counter, let to = after.counter,
        let microseconds = CounterStep(from: from, to: to, bits: 64).value
      else {
        damaged.append("cpu\(state.cpu) \(state.name)")
        continue
      }
      let share = 100 * Double(microseconds) * 1000 / Double(window.duration)
      job.add(
        Metric(
          "idle_residency", .number(share), unit: "%", classifiers: classifiers, source: name))
      if let place = all.firstIndex(where: { $0.name == state.name }) {
        all[place].share += share
        all[place].cpus += 1
      } else {
        all.append((state.name, share, 1))
      }
      if let from = window.before.text(index * 3 + 1)?.counter,
        let to = window.after.text(index * 3 + 1)?.counter
      {
        report.add("idle_entries", from: from, to: to, bits: 64, classifiers: classifiers)
      }
    }
    for state in all {
      job.add(
        Metric(
          "idle_residency", .number(state.share / Double(state.cpus)), unit: "%",
          classifiers: ["cpu": "all", "state": state.name], source: name))
    }
    report.deliver(to: job)
    if !disabled.isEmpty {
      job.addFingerprint(["disabled idle states": disabled.joined(separator: ", ")])
    }
    if !damaged.isEmpty {
      job.record(
        .warning, source: name,
        "time in the state is not a number, or went back: \(damaged.shortList)")
    }
  }
}
