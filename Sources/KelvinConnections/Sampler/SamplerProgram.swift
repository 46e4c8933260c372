internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// The sampler's binaries on the host, one for each architecture (scripts/build-sampler).
enum SamplerProgram {
  /// What ``SamplerProgram/folder(of:)`` knows, by what `uname -m` says.
  static func folder(of machine: String) -> String? {
    switch machine {
    case "x86_64", "amd64": "x86_64"
    case "aarch64", "arm64": "aarch64"
    case "armv7l", "armv7", "armv8l": "armv7"
    default: nil
    }
  }

  /// Where it may be: `$KELVIN_SAMPLER` (a folder), else beside the executable, in `lib/kelvin` beside its
  /// folder, and in the build's folder above it.
  static func find(
    _ folder: String, environment: [String: String], executable: String?
  ) -> String? {
    var places: [String] = []
    if let place = environment["KELVIN_SAMPLER"], !place.isEmpty {
      places = [place]
    } else if let executable {
      var parent = executable.split(separator: "/").dropLast()
      places.append("/" + parent.joined(separator: "/") + "/../lib/kelvin/sampler")
      for _ in 0..<5 where !parent.isEmpty {
        places.append("/" + parent.joined(separator: "/") + "/sampler")
        parent = parent.dropLast()
      }
    }
    return places.lazy.map { "\($0)/\(folder)/kelvin-sampler" }.first { access($0, R_OK) == 0 }
  }

  /// As above, for this process.
  static func find(_ folder: String) -> String? {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink("/proc/self/exe", &buffer, buffer.count)
    let executable =
      count > 0
      ? String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
    var environment: [String: String] = [:]
    if let value = getenv("KELVIN_SAMPLER") {
      environment["KELVIN_SAMPLER"] = String(cString: value)
    }
    return find(folder, environment: environment, executable: executable)
  }

  /// What tells a copy of a file of the host on a board: as cksum prints it, and sha256sum.
  static func checks(
    _ path: String
  ) throws(ConnectionFailure) -> (posix: String, sha256: String) {
    do {
      let bytes = try LocalFile.read(path)
      var checksum = PosixChecksum()
      bytes.withUnsafeBytes { checksum.update($0) }
      return ("\(checksum.value) \(checksum.count)", Checksum.sha256(bytes))
    } catch {
      throw ConnectionFailure(hostFile: path, error)
    }
  }
}

extension ShellConnection {
  /// The sampler on the board: put there at the first use, and found there by its checksum later.
  ///
  /// - Throws: `unsupported`, with what to do, where the board cannot run it.
  func boardSampler(until deadline: Deadline) async throws(ConnectionFailure) -> TargetPath {
    if let path = samplerPath.withLock({ $0 }) { return path }
    // A folder of this user's alone, where files can be executed: nobody else can put a program there.
    let script = """
      uname -m
      for d in "$TMPDIR" /data/local/tmp /tmp /var/tmp /dev/shm "$HOME"; do
      [ -n "$d" ] && [ -d "$d" ] && [ -w "$d" ] || continue
      k=$d/kelvin-board-$(id -u); mkdir -m 700 "$k" 2>/dev/null
      if [ -d "$k" ] && [ ! -L "$k" ] && [ -O "$k" ] && [ -w "$k" ]; then printf '%s\\n' "$k"; fi
      done
      """
    let lines = String(
      decoding: try run(script, until: deadline).output, as: UTF8.self
    ).split(separator: "\n")
    let machine = lines.first.map(String.init) ?? ""
    guard let folder = SamplerProgram.folder(of: machine) else {
      throw ConnectionFailure(
        .unsupported, "\(name): there is no sampler for '\(machine)' boards")
    }
    guard let binary = SamplerProgram.find(folder) else {
      throw ConnectionFailure(
        .unsupported, "\(name): the sampler for \(folder) boards is not built",
        hint: "run scripts/build-sampler, or set KELVIN_SAMPLER to the folder that has it")
    }
    let checks = try SamplerProgram.checks(binary)
    let file = "kelvin-sampler-" + checks.sha256.prefix(16)
    for place in lines.dropFirst() {
      let path = TargetPath("\(place)/\(file)")
      if try runsSampler(path, checks, until: deadline) { return path }
      do {
        try await push(binary, to: path, mode: 0o700, until: deadline)
      } catch {
        switch error.code {
        // A full file system or a quota: the next place may do.
        case .system, .permissionDenied, .refused: continue
        default: throw error
        }
      }
      if try runsSampler(path, checks, until: deadline) { return path }
    }
    throw ConnectionFailure(
      .unsupported,
      "\(name): the sampler cannot be executed in any of the board's folders for temporary files")
  }

  /// Whether it is there, unchanged, and can be executed: without arguments it exits with 2.
  private func runsSampler(
    _ path: TargetPath, _ checks: (posix: String, sha256: String), until deadline: Deadline
  ) throws(ConnectionFailure) -> Bool {
    let file = ShellWords.quote(path.string)
    let script = """
      if [ -x \(file) ]; then
      set -- $(cksum <\(file) 2>/dev/null || sha256sum <\(file) 2>/dev/null)
      case "$1 $2" in '\(checks.posix)'|'\(checks.sha256) -')
      \(file) </dev/null >/dev/null 2>&1; [ $? != 2 ] || echo runs;; esac; fi
      """
    let isThere = try run(script, until: deadline).output.starts(with: Array("runs".utf8))
    if isThere { samplerPath.withLock { $0 = path } }
    return isThere
  }
}
