import Foundation
import KelvinAgenda
import KelvinModel

/// A directory of files that goes away with this.
final class Folder {
  let path: String

  init(_ files: [String: String] = [:]) {
    path = NSTemporaryDirectory() + "kelvin-agenda-\(UUID().uuidString)"
    try? FileManager.default.createDirectory(
      atPath: path, withIntermediateDirectories: true)
    for (name, content) in files { write(name, Data(content.utf8)) }
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  @discardableResult
  func write(_ name: String, _ content: Data) -> String {
    let file = self[name]
    let directory = (file as NSString).deletingLastPathComponent
    try? FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: true)
    _ = FileManager.default.createFile(atPath: file, contents: content)
    return file
  }

  subscript(name: String) -> String { path + "/" + name }

  /// The text without this folder's path, which differs each time.
  func relative(_ text: String) -> String {
    text.replacingOccurrences(of: path + "/", with: "")
  }
}

extension Declarations {
  /// A small world with each kind of option.
  static let sample = Declarations(
    workloads: [
      Declaration(
        .workload, "command", aliases: ["cmd"], summary: "Runs a command.",
        options: [
          .init("argv", .argv, required: true, "Words."),
          .init("metrics", .map(.pattern), "Patterns by metric."),
          .init("environment", .map(.text), aliases: ["env"], "Variables.")
        ]),
      Declaration(
        .workload, "idle", summary: "Does nothing.",
        options: [
          .init(
            "duration", .quantity(.time, bare: "s"), default: 20, range: 0...Double.infinity,
            "How long.")
        ]),
      Declaration(
        .workload, "dhrystone", summary: "Dhrystone.",
        options: [
          .init("threads", .integer, default: 4, range: 1...1024, "Threads."),
          .init("mloops", .integer, default: 0, "Millions of loops."),
          .init("duration", .quantity(.time, bare: "s"), default: 0, "How long."),
          .init("delay", .quantity(.time, bare: "s"), default: 0, "Pause."),
          .init("taskset_mask", .integer, default: 0, "CPUs.")
        ]),
      Declaration(
        .workload, "openssl", summary: "openssl speed.",
        options: [
          .init(
            "algorithm", .choice(["aes-256-cbc", "aes-128-gcm", "sha256"]), default: "aes-256-cbc",
            "Which."),
          .init("duration", .quantity(.time, bare: "s"), "How long.")
        ]),
      Declaration(.workload, "memcpy", summary: "Copies memory."),
      Declaration(.workload, "suspend", summary: "Sleeps.", linkUse: .loses),
      Declaration(.workload, "rt-app", summary: "rt-app.")
    ],
    instruments: [
      Declaration(.instrument, "execution_time", summary: "Time."),
      Declaration(.instrument, "interrupts", summary: "Interrupts."),
      Declaration(.instrument, "thermal", summary: "Zones.", linkUse: .needs),
      Declaration(
        .instrument, "cpufreq", summary: "Frequencies.",
        options: [.init("paths", .list(.text), default: [], "Trees.")]),
      Declaration(
        .instrument, "sysfs_extractor", summary: "Trees.",
        options: [.init("paths", .list(.text), required: true, "Trees.")]),
      Declaration(
        .instrument, "file_poller", summary: "Polls files.",
        options: [
          .init("files", .list(.text), required: true, "Files."),
          .init(
            "sample_interval", .quantity(.time, bare: "ms"), default: 1,
            range: 1e-6...Double.infinity,
            "Period."),
          .init("filter", .pattern, "Lines to keep.")
        ])
    ],
    outputs: [
      Declaration(
        .output, "csv", summary: "CSV.",
        options: [
          .init("use_all_classifiers", .boolean, default: false, "Columns."),
          .init("extra_columns", .list(.text), default: [], "Columns.")
        ]),
      Declaration(.output, "status", summary: "Status."),
      Declaration(.output, "targz", summary: "Archive.")
    ],
    settings: SettingVocabulary([
      .init("governor", .text, reach: .cpus, group: "cpufreq", "What chooses the frequency."),
      .init(
        "frequency", .word(["min", "max"], or: .quantity(.frequency, bare: "kHz")),
        reach: .cpus, range: 1e3...1e11, group: "cpufreq", "A fixed one."),
      .init(
        "max_frequency", .word(["min", "max"], or: .quantity(.frequency, bare: "kHz")),
        reach: .cpus, range: 1e3...1e11, group: "cpufreq", "The highest one."),
      .init("num_cores", .integer, reach: .cpus, range: 0...64, group: "hotplug", "How many."),
      .init("online", .boolean, reach: .oneCPU, group: "hotplug", "Whether."),
      .init(
        "gov_tunables", .map(.any), aliases: ["governor_tunables"], reach: .cpus,
        group: "cpufreq", "Parameters of the governor.")
    ]) { settings in
      let names = settings.map(\.name)
      guard names.contains("frequency"), names.contains("max_frequency") else { return [] }
      return [.init("frequency", "excludes 'max_frequency'", hint: "remove one of them")]
    },
    checkImages: { deployment in
      deployment.kernel == "/bad" ? [.init("kernel", "not an image")] : []
    },
    checkPattern: { pattern in
      let open = pattern.filter { $0 == "(" }.count
      return open == pattern.filter { $0 == ")" }.count ? nil : "missing closing parenthesis"
    })
}

/// What reading one agenda gave: its plan, and its diagnostics as text without the folder.
struct Reading {
  var plan: Plan?
  var diagnostics: [Diagnostic]
  var lines: [String]
  var errors: [String]
  var warnings: [String]

  init(
    _ files: [String: String], agenda: String = "agenda.yaml",
    _ change: (inout AgendaRequest, Folder) -> Void = { _, _ in }
  ) {
    let folder = Folder(files)
    var request = AgendaRequest(agendaPath: folder[agenda], seed: 7)
    change(&request, folder)
    (plan, diagnostics) = AgendaReader.readForPlanning(request, declarations: .sample)
    lines = diagnostics.map { folder.relative($0.description) }
    errors = lines.filter { $0.contains(": error: ") }
    warnings = lines.filter { $0.contains(": warning: ") }
    diagnostics = diagnostics.map { diagnostic in
      var diagnostic = diagnostic
      diagnostic.location.file = folder.relative(diagnostic.location.file)
      return diagnostic
    }
    guard var plan else { return }
    plan.settings.provenance = plan.settings.provenance.mapValues { folder.relative($0) }
    for index in plan.specs.indices {
      plan.specs[index].provenance = plan.specs[index].provenance.mapValues { folder.relative($0) }
    }
    self.plan = plan
  }

  init(_ agenda: String, _ change: (inout AgendaRequest, Folder) -> Void = { _, _ in }) {
    self.init(["agenda.yaml": agenda], change)
  }

  var specs: [JobSpec] { plan?.specs ?? [] }
  func spec(_ id: String) -> JobSpec? { specs.first { $0.id == id } }

  /// The jobs in order, as `wk1:1`.
  var jobs: [String] {
    guard let plan else { return [] }
    return plan.jobs.map { "\(plan.specs[$0.spec].id):\($0.iteration)" }
  }
}

extension Folder {
  func relative(_ location: SourceLocation) -> SourceLocation {
    SourceLocation(file: relative(location.file), line: location.line, column: location.column)
  }
}

extension JobSpec {
  /// Where a setting came from, as `agenda.yaml:1:2` or `default`.
  func place(_ key: String) -> String { provenance[key].map(\.description) ?? "default" }
}
