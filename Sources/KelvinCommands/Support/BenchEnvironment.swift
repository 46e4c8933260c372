internal import ArgumentParser
internal import Glibc
internal import KelvinAgenda
internal import KelvinConnections
internal import KelvinExecution
internal import KelvinMeters
internal import KelvinModel
internal import KelvinPatterns
internal import KelvinTargets

// What commands know of equipment.
extension CommandEnvironment {
  /// The profiles of this process: the user's own, and what comes with Kelvin.
  var hardware: HardwareProfiles {
    HardwareProfiles(
      roots: HardwareProfiles.roots(
        environment: HostEnvironment.variables, executable: HostEnvironment.executable),
      checkPattern: { Pattern.problem(with: $0) })
  }

  /// Drivers of connections, consoles and power switches that bench files may name.
  var driverDeclarations: [Declaration] {
    ConnectionDeclarations.all + PowerSwitches.builtIn.map { $0.declaration }
      + BoardLink.declarations
  }

  /// Everything that bench files are checked against.
  func benchDeclarations(_ hardware: HardwareProfiles) -> BenchDeclarations {
    // A broken meter profile is told by whoever shows or lists it; here its driver is unknown.
    let drivers = BuiltInMeters.all.map(\.declaration)
    let others = hardware.meters().profiles.filter { profile in
      !drivers.contains { $0.name == profile.driver }
    }
    return BenchDeclarations(
      driverDeclarations + drivers + others.map(\.declaration),
      checkPattern: { Pattern.problem(with: $0) })
  }
}

/// `--bench FILE`, and the bench that it or the usual places describe.
struct BenchOptions: ParsableArguments {
  @Option(
    help: "The bench file; default: bench.yaml and bench.d/ here, then the user's.",
    completion: .file(extensions: ["yaml", "yml"]))
  var bench: String?

  /// The files that are read together.
  ///
  /// - Parameter remembered: used before, when none is chosen; empty: looked for.
  /// - Throws: when no bench is described, or a remembered file is gone.
  func paths(remembered: [String] = []) throws -> [String] {
    if bench == nil, !remembered.isEmpty {
      for path in remembered where access(path, F_OK) != 0 {
        throw PlainFailure(
          .configuration, "\(path): the bench file that the run used is not there any more",
          evidence: "\(Errno.current)",
          hint: "put it back, or name the one that describes the board now with --bench")
      }
      return remembered
    }
    return try BenchFiles.find(chosen: bench, environment: HostEnvironment.variables)
  }

  /// Reads the bench; warnings go to standard error.
  ///
  /// - Throws: with every mistake, or when no bench is described.
  func read(_ environment: CommandEnvironment) throws -> BenchReading {
    try read(paths(), environment)
  }

  /// Reads these files as the bench.
  ///
  /// - Parameter meters: more of them, as a command line declares them.
  func read(
    _ paths: [String], meters: [String] = [], _ environment: CommandEnvironment
  ) throws -> BenchReading {
    let hardware = environment.hardware
    let reading = try BenchReader.read(
      BenchRequest(paths: paths, profileNames: hardware.names(.board), meters: meters),
      declarations: environment.benchDeclarations(hardware))
    for warning in reading.warnings { Terminal.standardError.line("\(warning)") }
    return reading
  }
}

/// What this process was started with.
enum HostEnvironment {
  /// The variables that say where configuration stands.
  static var variables: [String: String] {
    var result: [String: String] = [:]
    for name in ["HOME", "XDG_CONFIG_HOME", "KELVIN_HARDWARE"] {
      if let value = getenv(name) { result[name] = String(cString: value) }
    }
    return result
  }

  /// The path of the running program; empty when the kernel does not say.
  static var executable: String {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink("/proc/self/exe", &buffer, buffer.count)
    return String(
      decoding: buffer.prefix(max(0, count)).map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}
