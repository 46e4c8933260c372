/// A lease on boards and meters: who has them, since when, and for what.
public struct Lease: Sendable, Hashable {
  /// Never used again for another lease.
  public var id: Int64
  public var holder: LeaseHolder
  /// The run's id; empty for a command outside of a run.
  public var run: String
  /// The run's directory; empty for a command outside of a run.
  public var directory: String
  /// What a person would want to know.
  public var purpose: String
  public var takenWallNanoseconds: Int64
  /// The same moment on CLOCK_BOOTTIME of the holder's host.
  public var takenBoottimeNanoseconds: Int64

  /// Judges the holder, as ``LeaseHolder/standing(seenFrom:)`` does, and the boot that it names: one
  /// that this machine had before the present one has taken no lease since.
  ///
  /// A lease that was taken later comes from a copy of this machine, or from a time when the clock
  /// was ahead: its holder cannot be judged.
  /// - Parameters:
  ///   - host: the machine that the judging process runs on.
  ///   - now: on its clocks.
  public func standing(
    seenFrom host: HostIdentity, at now: BenchMoment
  ) -> LeaseHolder.Standing {
    let standing = holder.standing(seenFrom: host)
    guard standing == .dead, holder.host.bootID != host.bootID else { return standing }
    let booted = now.wallNanoseconds.subtractingReportingOverflow(now.boottimeNanoseconds)
    return takenWallNanoseconds > booted.partialValue ? .elsewhere : .dead
  }
}

/// What a process asks for: all of it, or none.
public struct LeaseRequest: Sendable, Hashable {
  public var resources: [BenchResource]
  /// As in ``Lease/run``.
  public var run: String
  /// As in ``Lease/directory``.
  public var directory: String
  public var purpose: String
  /// Take over leases whose owner is gone, or cannot be judged from here.
  public var takesOver: Bool
  /// To look after what is in need of it: also what was taken out, which stays so.
  public var attends: Bool

  /// Creates a request.
  public init(
    _ resources: [BenchResource], run: String = "", directory: String = "", purpose: String,
    takesOver: Bool = false, attends: Bool = false
  ) {
    self.resources = resources
    self.run = run
    self.directory = directory
    self.purpose = purpose
    self.takesOver = takesOver
    self.attends = attends
  }
}

/// The answer to a ``LeaseRequest``.
public enum LeaseAnswer: Sendable, Hashable {
  case granted(LeaseGrant)
  case refused(LeaseRefusal)
}

/// A lease that was granted, with what it inherits from leases whose owners are gone.
public struct LeaseGrant: Sendable, Hashable {
  public var lease: Lease
  /// In the order in which they were taken.
  public var resources: [BenchResource]
  public var inherited: [Inheritance]
  /// What a command that is gone switched off, and did not switch on again:
  /// ``BenchStore/switched(_:in:)`` says that somebody did.
  public var outages: [BenchResource: Outage] = [:]

  /// A resource that somebody had until now.
  public struct Inheritance: Sendable, Hashable {
    public var resource: BenchResource
    public var previous: Lease
    /// Whether it was this very run, in an earlier life.
    public var isReclaimed: Bool
    /// Whether it was a command that is gone and left nothing to go on with or to restore.
    public var isAbandoned: Bool
    /// Whether the board's settings must be restored before anything else:
    /// ``BenchStore/restored(_:in:)`` says that they were.
    public var mustRestore: Bool
    /// Whether the previous owner was already restoring it.
    public var wasRecovering: Bool
    /// What the other system was asked for, and has not been given back.
    public var external: ExternalBooking?
  }
}

/// A booking in another system, which a lease made.
public struct ExternalBooking: Sendable, Hashable {
  /// The command that gives it back: argv.
  public var release: [String]
  /// Whether the other system is known to have granted it: it may also just have been asked.
  public var isGranted: Bool

  /// Creates a booking.
  public init(release: [String], isGranted: Bool) {
    self.release = release
    self.isGranted = isGranted
  }
}
