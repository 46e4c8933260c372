package import KelvinModel

/// What went wrong with the owner of ports, or with a console that it holds.
package struct OwnerFailure: Failure, Hashable {
  /// What kind of trouble it is; the raw value goes over the socket.
  package enum Code: String, Sendable, CaseIterable {
    /// No owner runs, and none could be or should be started.
    case notRunning = "not-running"
    /// The owner speaks another version of the protocol.
    case version
    /// One of both sides broke the protocol.
    case malformed
    /// The other side is another user, or a directory of the owner's is not this user's own.
    case denied
    /// No console of this name is held.
    case unknownConsole = "unknown-console"
    /// The name is held with another address, or the address under another name.
    case conflict
    /// The address, the name or an option makes no sense.
    case invalid
    /// Another client may write to the console.
    case writerTaken = "writer-taken"
    /// The far end of the port is gone for now.
    case lost
    /// The port has no such thing as modem lines or a break.
    case unsupported
    /// More is asked for than the owner takes at a time.
    case busy
    /// Clients are attached, so the owner does not end.
    case inUse = "in-use"
    /// The deadline passed.
    case timeout
    /// A signal ended the wait.
    case interrupted
    /// The owner went away in the middle.
    case ownerGone = "owner-gone"
    /// The system refused for another reason.
    case system
  }

  package let code: Code
  package let message: String
  package let evidence: String
  package let hint: String

  /// Creates a failure from its parts.
  package init(_ code: Code, _ message: String, evidence: String = "", hint: String = "") {
    self.code = code
    self.message = message
    self.evidence = evidence
    self.hint = hint
  }

  package var kind: FailureKind {
    switch code {
    case .denied, .unknownConsole, .conflict, .invalid, .writerTaken, .unsupported, .inUse:
      .configuration
    case .notRunning, .version, .lost, .busy, .ownerGone, .system, .interrupted: .infrastructure
    case .timeout: .timeout
    case .malformed: .internal
    }
  }
}
