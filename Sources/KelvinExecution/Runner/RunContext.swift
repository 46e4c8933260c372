public import KelvinModel
public import KelvinStore
public import KelvinTargets
internal import Synchronization

/// What holds for a run on one board: given to every callback and workload.
public final class RunContext: Sendable {
  /// A UUID; every process of the run carries it in its environment as `KELVIN_RUN`.
  public let id: String
  /// The run directory on the host.
  public let directory: String
  public let settings: RunSettings
  public let target: Target
  public let store: RunStore
  public let log: RunLog
  public let signals: Dispatcher
  /// Raised when the run is to stop: SIGINT, SIGTERM.
  public let stop: Interrupt
  /// Where the owner of ports keeps what the board's console says; nil when the run holds none.
  public let consoleLog: String?
  /// What takes the board's link away while a detached job runs.
  public let link: BoardLink
  /// What can be done to the board from outside.
  public let equipment: BoardEquipment

  private let isTargetResponsive = Atomic<Bool>(true)

  /// Creates the context of a run.
  public init(
    id: String, directory: String, settings: RunSettings, target: Target, store: RunStore,
    log: RunLog, signals: Dispatcher = Dispatcher(), stop: Interrupt, consoleLog: String? = nil,
    link: BoardLink = .quiet, equipment: BoardEquipment = BoardEquipment()
  ) {
    self.id = id
    self.directory = directory
    self.settings = settings
    self.target = target
    self.store = store
    self.log = log
    self.signals = signals
    self.stop = stop
    self.consoleLog = consoleLog
    self.link = link
    self.equipment = equipment
  }

  /// False from the moment the target stopped answering: only host-side callbacks are called then.
  var targetResponds: Bool {
    get { isTargetResponsive.load(ordering: .relaxed) }
    set { isTargetResponsive.store(newValue, ordering: .relaxed) }
  }
}
