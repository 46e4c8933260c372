internal import KelvinConnections
public import KelvinModel
internal import KelvinStore
internal import KelvinTargets

/// Keeps whole trees of kernel files as they were before and after the measured window, and what
/// changed.
public struct SysfsExtractor: Instrument {
  public static let declaration = Declaration(
    .instrument, "sysfs_extractor", aliases: ["sysfs"],
    summary: "Trees of kernel files before and after, and what changed.",
    description: """
      All regular files below the given paths are read before and after the measured window and \
      kept in one archive, sysfs.tar: before/PATH, after/PATH, and diff.txt with the lines that \
      changed. Symbolic links are not followed. Files that cannot be read, that are larger than \
      max_file_size, or whose reading never ends (trace_pipe) are left out and counted. Reading a \
      file of /sys can have effects: name what is needed, not /sys as a whole.
      """,
    options: [
      OptionDeclaration(
        "paths", .list(.text), required: true, "Directories and files on the target."),
      OptionDeclaration(
        "max_file_size", .quantity(.size, bare: "B"), default: 65_536, range: 1...16e6,
        "Larger files are left out."),
      OptionDeclaration(
        "max_size", .quantity(.size, bare: "B"), default: 16_777_216, range: 1...256e6,
        "What each reading may hold in all; what comes later is left out."),
      OptionDeclaration(
        "max_files", .integer, default: 20_000, range: 1...1e6,
        "How many files each reading may hold."),
      OptionDeclaration(
        "use_tmpfs", .boolean, "Accepted for Workload Automation's agendas; has no effect."),
      OptionDeclaration(
        "tmpfs_mount_point", .text, "Accepted for Workload Automation's agendas; has no effect."),
      OptionDeclaration(
        "tmpfs_size", .text, "Accepted for Workload Automation's agendas; has no effect.")
    ],
    metrics: [MetricDeclaration("sysfs_changed_files", "Files whose content changed.")])

  private let tree: TreeReader
  private struct Readings: Sendable {
    var attempt: Int64
    var before: TreeReader.Tree
    var after: TreeReader.Tree?
  }
  /// What was left out when the run began, and has been logged.
  private let leftOut = BoardConfined<Set<String>>([])
  private let readings = BoardConfined<Readings?>(nil)

  /// Takes `paths` and the limits.
  public init(settings: [String: Value]) {
    tree = TreeReader(
      paths: settings.texts("paths").map { TargetPath($0) },
      maxFileSize: Int(settings["max_file_size"]?.number ?? 65_536),
      maxSize: Int(settings["max_size"]?.number ?? 16_777_216),
      maxFiles: Int(settings["max_files"]?.integer ?? 20_000))
  }

  public func prepare(_ run: RunContext, until deadline: Deadline) async throws {
    let names = tree.paths.map(\.string)
    guard !names.isEmpty else {
      throw InstrumentUnavailable("paths: is empty", hint: "name directories or files of /sys")
    }
    let found = try await tree.read(run.target.connection, until: deadline)
    guard !found.files.isEmpty else {
      throw InstrumentUnavailable(
        "\(names.shortList): nothing there can be read"
          + (found.leftOut.isEmpty ? "" : ": \(found.leftOut.shortList)"),
        hint: found.leftOut.isEmpty
          ? "links are not followed; name the directories that they lead to" : "")
    }
    leftOut.value = Set(found.leftOut)
    if !found.leftOut.isEmpty {
      run.log.log(
        .warning, source: name,
        "\(found.leftOut.count) file(s) are left out: \(found.leftOut.shortList)")
    }
  }

  public var hooks: [Hook] {
    // Large readings keep away from the window, so that they disturb no instrument that is quick.
    slow.start { context in
      readings.value = nil
      let before = try await tree.read(context.target.connection, until: context.deadline)
      readings.value = Readings(attempt: try context.requireJob().attemptID, before: before)
    }
    slow.stop { context in
      guard readings.value?.attempt == (try context.requireJob()).attemptID else { return }
      let after = try await tree.read(context.target.connection, until: context.deadline)
      readings.value?.after = after
    }
    normal.update_output { context in
      let job = try context.requireJob()
      guard let readings = readings.exchange(nil), readings.attempt == job.attemptID,
        let after = readings.after
      else { return }
      try report(readings.before, after, job)
    }.hostSide
  }

  private func report(
    _ before: TreeReader.Tree, _ after: TreeReader.Tree, _ job: JobContext
  ) throws {
    let difference = TreeDifference(from: before.files, to: after.files)
    var archive = TarArchive(modificationTime: MonotonicTime.wallNanoseconds / 1_000_000_000)
    archive.append("diff.txt", Array(difference.text.utf8))
    for (place, tree) in [("before", before), ("after", after)] {
      for (path, content) in tree.files.sorted(by: { $0.key < $1.key }) {
        archive.append(place + path, content)
      }
    }
    try job.write(
      archive.finished(), to: "sysfs.tar", kind: .data,
      description: "kernel files before and after, and what changed", source: name)
    job.add(
      Metric("sysfs_changed_files", .integer(Int64(difference.changed.count)), source: name))
    let more = Set(before.leftOut).union(after.leftOut).subtracting(leftOut.value).sorted()
    if !more.isEmpty {
      job.record(
        .warning, source: name, "\(more.count) more file(s) were left out: \(more.shortList)")
    }
  }
}
