public import KelvinModel

/// One life of a Kelvin process; times are compared within one only (DESIGN 4.5).
public struct LifeRecord: Sendable, Hashable {
  /// /proc/sys/kernel/random/boot_id
  public var bootID: String
  public var processID: Int32
  /// Field 22 of /proc/PID/stat.
  public var startTicks: UInt64
  /// The three clocks, read together.
  public var monotonic: MonotonicTime
  public var boottimeNanoseconds: Int64
  public var wallNanoseconds: Int64

  /// Creates a record.
  public init(
    bootID: String, processID: Int32, startTicks: UInt64, monotonic: MonotonicTime,
    boottimeNanoseconds: Int64, wallNanoseconds: Int64
  ) {
    self.bootID = bootID
    self.processID = processID
    self.startTicks = startTicks
    self.monotonic = monotonic
    self.boottimeNanoseconds = boottimeNanoseconds
    self.wallNanoseconds = wallNanoseconds
  }
}

/// What identifies a new run.
public struct RunRecord: Sendable, Hashable {
  /// A UUID; also the marker in the environment of every process that the run starts.
  public var id: String
  public var name: String
  public var kelvinVersion: String
  public var commandLine: [String]
  /// The board and its connection, as messages call it.
  public var board: String
  public var createdWallNanoseconds: Int64
  /// Agenda, includes and configuration files as they were read: path and content.
  public var sources: [SourceText]
  /// The absolute paths of the bench files that described the board; empty for this machine.
  public var benchFiles: [String]

  public struct SourceText: Sendable, Hashable {
    public var path: String
    public var content: String

    /// Creates a record of a file.
    public init(path: String, content: String) {
      self.path = path
      self.content = content
    }
  }

  /// Creates a record.
  public init(
    id: String, name: String, kelvinVersion: String, commandLine: [String], board: String,
    createdWallNanoseconds: Int64, sources: [SourceText], benchFiles: [String] = []
  ) {
    self.id = id
    self.name = name
    self.kelvinVersion = kelvinVersion
    self.commandLine = commandLine
    self.board = board
    self.createdWallNanoseconds = createdWallNanoseconds
    self.sources = sources
    self.benchFiles = benchFiles
  }
}

/// When each stage of an attempt began and ended, on the monotonic clock of the attempt's life;
/// nil for a stage that did not happen.
public struct StageTimes: Sendable, Hashable {
  public var setup: Range<Int64>?
  public var run: Range<Int64>?
  public var extract: Range<Int64>?
  public var teardown: Range<Int64>?

  /// Creates times of an attempt none of whose stages happened yet.
  public init() {}
}

/// What Kelvin itself cost around the measured window (from the workload's start to its end).
public struct Overhead: Sendable, Hashable, Codable {
  /// CPU time of Kelvin's process, samplers included, inside the window; in nanoseconds.
  public var cpuInsideWindow: Int64 = 0
  /// From the first start callback to the workload's start; in nanoseconds.
  public var beforeWindow: Int64 = 0
  /// From the workload's end to the end of the last stop callback; in nanoseconds.
  public var afterWindow: Int64 = 0

  /// Creates a record of no overhead.
  public init() {}
}

/// Something that happened, for the record: a warning, an instrument's failure, a signal received.
public struct EventRecord: Sendable, Hashable {
  public enum Level: String, Sendable, CaseIterable { case info, warning, error }

  public var level: Level
  /// On the monotonic clock of the life.
  public var time: MonotonicTime
  /// Who speaks: an instrument, `runner`, `resume`.
  public var source: String
  public var message: String

  /// Creates a record of something that happened now.
  public init(
    _ level: Level, source: String, _ message: String, time: MonotonicTime = .now
  ) {
    self.level = level
    self.time = time
    self.source = source
    self.message = message
  }
}

/// All that an attempt leaves in the store when it ends; written in one transaction.
public struct AttemptResult: Sendable {
  public var outcome: Outcome
  public var stages = StageTimes()
  public var metrics: [Metric] = []
  public var artifacts: [Artifact] = []
  public var events: [EventRecord] = []
  public var overhead: Overhead?
  /// The target's fingerprint: names and values; equal ones are kept once.
  public var fingerprint: [String: String] = [:]
  /// What callbacks changed about the workload: `argv`, `environment`, `affinity`, `priority`.
  public var changes: [String: Value] = [:]

  /// Creates a result with nothing but an outcome.
  public init(_ outcome: Outcome) { self.outcome = outcome }
}

/// A job as it stands in the store.
public struct JobRecord: Sendable, Hashable {
  /// Position in the plan, from 0; names the job within its run.
  public var position: Int
  /// Index into the plan's specs.
  public var spec: Int
  public var iteration: Int
  /// Nil until the job has ended.
  public var outcome: Outcome?
  /// Attempts so far, also those cut off by the death of Kelvin.
  public var attempts: Int

  /// Creates a record.
  public init(position: Int, spec: Int, iteration: Int, outcome: Outcome?, attempts: Int) {
    self.position = position
    self.spec = spec
    self.iteration = iteration
    self.outcome = outcome
    self.attempts = attempts
  }
}

/// An attempt as it stands in the store.
public struct AttemptRecord: Sendable, Hashable {
  /// Names the attempt within its run's store.
  public var id: Int64
  /// The job's position.
  public var job: Int
  /// From 1, per job.
  public var number: Int
  public var life: Int64
  /// Wall time of its start, for records.
  public var startedWallNanoseconds: Int64
  /// Nil while it runs, or when its life died.
  public var outcome: Outcome?
  public var stages: StageTimes
  public var overhead: Overhead?
  public var fingerprint: Int64?
  public var changes: [String: Value]
  /// The workload's process, if one was started.
  public var processID: Int32?
  public var startTicks: UInt64?

  /// Creates a record.
  public init(
    id: Int64, job: Int, number: Int, life: Int64, startedWallNanoseconds: Int64,
    outcome: Outcome?, stages: StageTimes, overhead: Overhead?, fingerprint: Int64?,
    changes: [String: Value], processID: Int32?, startTicks: UInt64?
  ) {
    self.id = id
    self.job = job
    self.number = number
    self.life = life
    self.startedWallNanoseconds = startedWallNanoseconds
    self.outcome = outcome
    self.stages = stages
    self.overhead = overhead
    self.fingerprint = fingerprint
    self.changes = changes
    self.processID = processID
    self.startTicks = startTicks
  }
}
