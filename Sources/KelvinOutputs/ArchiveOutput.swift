internal import Glibc
public import KelvinModel
public import KelvinStore

/// Packs the run into NAME.tar.gz, by the system's tar.
public struct ArchiveOutput: OutputProcessor {
  public static let declaration = Declaration(
    .output, "targz",
    summary: "NAME.tar.gz: the whole run directory as one file",
    description: """
      Packed by tar, in the run's directory. The database in it is a consistent copy, also while the \
      run goes on; the archive does not hold itself. Acts after all other outputs.
      """)

  public init(settings: [String: Value]) {}

  public func process(run: RunReader, to directory: String) throws -> [Artifact] {
    let source = try absolutePath(run.directory)
    let target = try absolutePath(directory)
    let name = source.split(separator: "/").last.map(String.init) ?? "run"
    let archive = name + ".tar.gz"
    let temporary = ".\(archive).\(getpid()).part"
    // The copy lies under the name that it shall have in the archive.
    let work = "\(target)/.\(archive).\(getpid())"
    mkdir(work, 0o777)
    mkdir("\(work)/\(name)", 0o777)
    let copy = "\(work)/\(name)/\(RunStore.fileName)"
    defer {
      unlink(copy)
      rmdir("\(work)/\(name)")
      rmdir(work)
      unlink("\(target)/\(temporary)")
    }
    try run.copyDatabase(to: copy)
    try tar(
      [
        "--create", "--gzip", "--file=\(target)/\(temporary)", "--anchored", "--no-wildcards",
        // Each name below the run's directory begins with './'; the copy's does not.
        "--exclude=./\(RunStore.fileName)", "--exclude=./\(RunStore.fileName)-wal",
        "--exclude=./\(RunStore.fileName)-shm", "--exclude=./\(archive)",
        "--exclude=./\(temporary)", "--exclude=./.\(archive).\(getpid())",
        "--transform=s,^\\.,\(replacement(name)),", "--directory=\(source)", ".",
        "--directory=\(work)", name + "/" + RunStore.fileName
      ], path: "\(target)/\(archive)", messages: "\(work)/messages")
    guard rename("\(target)/\(temporary)", "\(target)/\(archive)") == 0 else {
      throw OutputFailure(writing: "\(target)/\(archive)", error: errno)
    }
    return [artifact(archive, "the whole run")]
  }

  /// A name as the replacement of tar's transform: its delimiter, `\` and `&` are special.
  private func replacement(_ name: String) -> String {
    name.reduce(into: "") { text, character in
      if character == "\\" || character == "&" || character == "," { text += "\\" }
      text.append(character)
    }
  }

  private func absolutePath(_ path: String) throws(OutputFailure) -> String {
    guard let resolved = realpath(path, nil) else {
      throw OutputFailure(path: path, "no such directory", evidence: "\(Errno(errno))")
    }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}
