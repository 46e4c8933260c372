internal import Glibc
public import KelvinConnections
public import KelvinModel
internal import Synchronization

/// A program as it was found for a target.
public struct Program: Sendable, Hashable {
  /// On the target.
  public var path: TargetPath
  /// SHA-256, lower-case hex; nil when the target cannot tell.
  public var checksum: String?
}

/// What was looked for, and how.
struct ProgramKey: Hashable {
  var name: String
  var isBrought: Bool
}

extension Target {
  /// Finds a program: on the target's own PATH, or among the host's assets for the target's ABI,
  /// from where it is installed. Each name is looked up once per run.
  ///
  /// - Parameters:
  ///   - isBrought: look only among the assets, also when the target has such a program.
  ///   - assetDirectories: searched in this order, each also with the ABI's name below it.
  /// - Returns: nil when it is nowhere.
  public func program(
    named name: String, isBrought: Bool = false, assetDirectories: [String],
    until deadline: Deadline
  ) async throws(ConnectionFailure) -> Program? {
    let key = ProgramKey(name: name, isBrought: isBrought)
    if let known = state.withLock({ $0.programs[key] }) { return known }
    var program: Program?
    if !isBrought, let path = try await connection.findExecutables([name], until: deadline)[0] {
      let sums = try await connection.checksum([path], until: deadline)
      program = Program(path: path, checksum: try? sums[0].get())
    } else if !name.contains("/") {
      let abi = try await facts(until: deadline).abi
      for directory in assetDirectories.flatMap({ ["\($0)/\(abi)", $0] }) {
        let hostPath = directory + "/" + name
        var status = stat()
        guard stat(hostPath, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
          let checksum = try? Checksum.sha256(ofFile: hostPath)
        else { continue }
        let path = try await install(
          Asset(hostPath: hostPath, name: name, isExecutable: true), checksum: checksum,
          until: deadline)
        program = Program(path: path, checksum: checksum)
        break
      }
    }
    if let program { state.withLock { $0.programs[key] = program } }
    return program
  }
}
