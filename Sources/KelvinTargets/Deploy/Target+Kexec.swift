public import KelvinConnections
public import KelvinModel

extension Target {
  /// Loads a kernel by the running one (kexec_load(2)); ``startLoadedKernel(program:until:)`` starts it.
  ///
  /// The files are pushed to the working directory and checked there. Needs root and kexec-tools.
  ///
  /// - Parameters:
  ///   - program: kexec, on the board.
  ///   - options: more of its options.
  /// - Throws: `refused` with what kexec said; what keeps the files from arriving.
  public func loadKernel(
    _ images: DeployImages, program: String, options: [String], until deadline: Deadline
  ) async throws(ConnectionFailure) {
    let flags = ["initrd": "--initrd=", "device_tree": "--dtb="]
    var kernel: TargetPath?
    var arguments: [String] = []
    for (key, path) in images.deployment.files {
      guard let checksum = images.checksums[key] else { continue }
      let place = try await install(
        Asset(hostPath: path, name: key, isExecutable: false), checksum: checksum, until: deadline)
      if key == "kernel" { kernel = place }
      if let flag = flags[key] { arguments.append(flag + place.string) }
    }
    guard let kernel else {
      throw ConnectionFailure(.unsupported, "\(name): kexec starts a kernel, and none is named")
    }
    arguments.append(
      images.deployment.commandLine.map { "--command-line=\($0)" } ?? "--reuse-cmdline")
    let result = try await connection.execute(
      Command(
        ["sh", "-c", Target.kexecScript, "sh", program, "-l", kernel.string] + arguments + options,
        standardOutput: .capture(limit: 16_384), standardError: .capture(limit: 16_384),
        endsDescendants: false, asRoot: true), until: deadline)
    guard result.isSuccess else {
      let said = String(
        (result.standardError.text + result.standardOutput.text).trimmingASCIIWhitespace
          .suffix(1000))
      throw ConnectionFailure(
        .refused(said), "\(name): kexec does not load \(images.deployment.kernel ?? "it")",
        evidence: said.isEmpty ? "\(result.termination)" : said,
        hint: result.termination == .exited(127)
          ? "install kexec-tools on the board"
          : "it needs root, CONFIG_KEXEC, and memory for both kernels")
    }
  }

  /// Has the board start the kernel that was loaded: by systemd, after its services, or at once where
  /// there is none, or kexec is a program of the bench file's choice.
  public func startLoadedKernel(
    program: String, until deadline: Deadline
  ) async throws(ConnectionFailure) {
    // After the answer, so that the answer is sure to come.
    let script = """
      PATH=$PATH:/usr/sbin:/sbin; (sleep 0.2
      if [ -d /run/systemd/system ] && [ "$1" = kexec ]; then systemctl kexec
      else sync; "$1" -e; fi) </dev/null >/dev/null 2>&1 &
      """
    do throws(ConnectionFailure) {
      let result = try await connection.execute(
        Command(["sh", "-c", script, "sh", program], endsDescendants: false, asRoot: true),
        until: deadline.limited(toSeconds: 20))
      guard result.isSuccess else {
        throw ConnectionFailure(
          .unsupported, "\(name): does not start the kernel that was loaded",
          evidence: String(result.standardError.text.prefix(1000)))
      }
    } catch {
      guard error.code == .connectionLost else { throw error }
    }
    forgetFacts()
  }

  /// Has the board go to its boot loader; returns when it was told.
  ///
  /// - Parameter command: the board's own; empty where it is there anyway.
  public func enterBootLoader(
    by command: String, until deadline: Deadline
  ) async throws(ConnectionFailure) {
    guard !command.isEmpty else { return await connection.close() }
    let script = "PATH=$PATH:/usr/sbin:/sbin; (sleep 0.2; \(command)) </dev/null >/dev/null 2>&1 &"
    do throws(ConnectionFailure) {
      _ = try await connection.execute(
        Command(["sh", "-c", script], endsDescendants: false, asRoot: true),
        until: deadline.limited(toSeconds: 20))
    } catch {
      guard error.code == .connectionLost else { throw error }
    }
    forgetFacts()
    await connection.close()
  }

  /// Many users have no sbin in their path.
  private static let kexecScript =
    "PATH=$PATH:/usr/sbin:/sbin; command -v \"$1\" >/dev/null || exit 127; exec \"$@\""
}
