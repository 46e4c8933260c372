package import KelvinModel

/// A connection to a target's POSIX shell that takes scripts of this side's own. What can be said in
/// scripts alone (values, listings, checksums, processes) is the same for all of them, and stands in
/// extensions.
///
/// Needs on the target: sh, head, dd, rm, find, stat, readlink, tr, grep; sha256sum for
/// ``checksum(_:until:)``. Works with dash, bash and busybox ash.
package protocol ScriptRunner: Connection {
  /// Bytes of a file beyond which ``read(_:until:)`` gives EFBIG.
  var readLimit: Int { get }

  /// Runs a script where ``ShellScript/find`` is known and tools speak in the C locale.
  ///
  /// - Throws: `timedOut`, `interrupted`, `connectionLost`; not for its exit status.
  func run(_ script: String, until deadline: Deadline) throws(ConnectionFailure) -> ShellReply
}

extension ScriptRunner {
  package var readLimit: Int { 16 << 20 }
}
