package import KelvinConnections
public import KelvinModel
public import KelvinStore

/// What a run can deploy images with: the board's ways, and where it is kept what runs on it.
public struct DeployEquipment: Sendable {
  public var ways: DeployWays
  public var journal: any DeploymentJournal
  /// Opens the line to its U-Boot; nil where it has none.
  package var openUBoot: (@Sendable (Deadline) throws(ConnectionFailure) -> UBootShell)?
  /// Where its boot loader listens that speaks fastboot; nil where it has none.
  package var fastboot: FastbootAddress?

  /// Whether the board boots a system of its own, without being given one.
  var bootsItself: Bool { option(.uboot, "boots_itself")?.boolean ?? true }

  /// Lists equipment.
  public init(ways: DeployWays, journal: any DeploymentJournal) {
    self.ways = ways
    self.journal = journal
  }

  /// What an option of a way says.
  func option(_ way: Deployment.Way, _ name: String) -> Value? { ways.options[way]?[name] }

  /// The words of an option.
  func words(_ way: Deployment.Way, _ name: String) -> [String] {
    option(way, name)?.list?.compactMap(\.text) ?? []
  }
}

/// What was deployed to one board last.
public protocol DeploymentJournal: Sendable {
  /// Nil: nothing, or it went with a boot.
  func last() throws -> DeploymentRecord?
  /// Survives this process.
  func note(_ record: DeploymentRecord?) throws
}

/// The same in the bench database.
public struct BenchDeployments: DeploymentJournal {
  private let store: BenchStore
  private let resource: BenchResource

  /// Opens the bench database.
  ///
  /// - Parameter stateDirectory: where it is; nil: where ``StateDirectory`` says.
  public init(
    _ resource: BenchResource, stateDirectory: String? = nil
  ) throws(StoreFailure) {
    store = try BenchStore.open(directory: stateDirectory)
    self.resource = resource
  }

  public func last() throws -> DeploymentRecord? { try store.deployment(of: resource) }
  /// Whether the board may have something in memory that it would not run by itself.
  public func hasVolatile() throws(StoreFailure) -> Bool {
    try store.deployment(of: resource)?.isVolatile ?? false
  }
  public func note(_ record: DeploymentRecord?) throws {
    try store.deployed(record, to: resource)
  }
}

extension DeploymentRecord {
  /// Whether the board has, or may have, something in memory that it would not run by itself.
  public var isVolatile: Bool { Deployment.Way(rawValue: way)?.isVolatile ?? false }

  /// Whether that is so in this boot. A record without a boot was written before the board booted: the
  /// process that deployed did not come to see what runs.
  public func isInMemory(in bootID: String) -> Bool {
    isVolatile && (boardBootID == bootID || boardBootID.isEmpty)
  }
}
