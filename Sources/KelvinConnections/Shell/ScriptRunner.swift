package import KelvinModel

/// A connection to a target's POSIX shell that takes scripts of this side's own. What can be said in
/// scripts alone (values, listings, checksums, processes) is the same for all of them, and stands in
/// extensions.
///
/// Needs on the target: sh, head, dd, rm, find, stat, readlink, tr, grep; sha256sum for
/// ``checksum(_:until:)``. Works with dash, bash, busybox ash and mksh.
package protocol ScriptRunner: Connection {
  /// Bytes of a file beyond which ``read(_:until:)`` gives EFBIG.
  var readLimit: Int { get }

  /// Bytes of a script that the target's shell takes in one go.
  var scriptLimit: Int { get }

  /// Runs a script where ``ShellScript/find`` and ``ShellValues/functions`` are known, and tools speak in
  /// the C locale.
  ///
  /// - Throws: `timedOut`, `interrupted`, `connectionLost`; not for its exit status.
  func run(_ script: String, until deadline: Deadline) throws(ConnectionFailure) -> ShellReply

  /// Root's shells of the target, where there is a way to them and the user is not root.
  func rootRunner(until deadline: Deadline) throws(ConnectionFailure) -> (any ScriptRunner)?

  /// What a script prints on standard output; its standard error is lost.
  func output(of script: String, until deadline: Deadline) throws(ConnectionFailure) -> [UInt8]
}

extension ScriptRunner {
  package var readLimit: Int { 16 << 20 }
  package var scriptLimit: Int { .max }

  package func rootRunner(
    until deadline: Deadline
  ) throws(ConnectionFailure) -> (any ScriptRunner)? { nil }

  package func output(
    of script: String, until deadline: Deadline
  ) throws(ConnectionFailure) -> [UInt8] { try run(script, until: deadline).output }
}
