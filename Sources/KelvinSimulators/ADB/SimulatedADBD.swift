internal import Glibc
package import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// A device's adbd over TCP or USB, as far as adb's own client and server need it: shell (v1, v2), exec,
/// sync (v1, v2), forwarded TCP, reboot, root, and the authentication by RSA keys.
///
/// Commands are real ones of this machine, and files are its files, below ``Settings/root`` where one
/// is given. It listens on 127.0.0.1 alone. Ends with ``stop()`` or its last reference.
package final class SimulatedADBD: Sendable {
  /// What kind of device it is.
  package struct Settings: Sendable {
    /// 0: a free one.
    package var port: UInt16 = 0
    /// On USB instead.
    package var gadget: GadgetPlace?
    package var serial = "simulated"
    /// Whose tools its shells find first.
    package var android: SimulatedAndroid?
    /// Put before the paths of the sync service.
    package var root = ""
    /// Devices from before 2016 have 0x0100_0000, 4096 bytes and hardly a feature.
    package var version: UInt32 = 0x0100_0001
    package var maximumData = 1 << 20
    package var features = [
      "shell_v2", "cmd", "stat_v2", "ls_v2", "fixed_push_mkdir", "sendrecv_v2"
    ]
    /// Asks for a key that it trusts.
    package var isSecure = false
    /// Trusts a new key that is shown to it: a user who accepts.
    package var acceptsKeys = true
    /// How long it is away at a reboot, in seconds.
    package var downSeconds = 1.0
    package var fault = ADBDFault()
    /// Answers `root:` as a production build does.
    package var isProduction = false

    /// A device of today, without faults.
    package init() {}

    /// A device from before 2016: no shell,v2, packets of 4096 bytes, checksums.
    package static var old: Settings {
      var settings = Settings()
      settings.version = 0x0100_0000
      settings.maximumData = 4096
      settings.features = ["cmd"]
      return settings
    }
  }

  /// Where it listens; 0 on USB.
  package let port: UInt16
  private let stopping = Interrupt()
  private let shared: ADBDShared
  private let thread: NamedThread
  private let gadget: FunctionGadget?

  /// Starts it.
  package init(_ settings: Settings = Settings()) throws(PlainFailure) {
    if let place = settings.gadget {
      let gadget = try FunctionGadget(place, protocolNumber: 1)
      let shared = ADBDShared(settings)
      let stopping = stopping
      port = 0
      self.gadget = gadget
      self.shared = shared
      thread = try NamedThread("adbd") { shared.serve(gadget, stopping) }
      return
    }
    gadget = nil
    let listener = try ADBDListener(port: settings.port)
    port = listener.port
    var settings = settings
    settings.port = listener.port
    let shared = ADBDShared(settings)
    self.shared = shared
    let stopping = stopping
    thread = try NamedThread("adbd") { shared.serve(listener, stopping) }
  }

  deinit { stop() }

  /// Hangs up on everybody and ends. Idempotent.
  package func stop() {
    stopping.raise()
    thread.join()
    gadget?.end()
  }

  /// What is wrong with it from now on.
  package var fault: ADBDFault {
    get { shared.state.withLock { $0.fault } }
    set { shared.state.withLock { $0.fault = newValue } }
  }

  /// How often it has been connected to, and which services were opened.
  package var connections: Int { shared.state.withLock { $0.connections } }
  package var services: [String] { shared.state.withLock { $0.services } }
  /// Whether a shell is root's, as `id` has it.
  package var isRoot: Bool { shared.state.withLock { $0.isRoot } }

  /// Accepts all keys that are shown from now on, or none.
  package func setAcceptsKeys(_ accepts: Bool) {
    shared.state.withLock { $0.acceptsKeys = accepts }
  }
}

/// What is wrong with a simulated adbd. Services that do not begin with ``service`` are well.
package struct ADBDFault: Sendable, Hashable {
  package enum Kind: Sendable, Hashable {
    case none
    /// Hangs up after so many bytes of a service to the host.
    case drop(after: Int)
    /// Sends nothing more after so many bytes, and keeps the connection.
    case stall(after: Int)
    /// Ends the service in good order after so many bytes.
    case truncate(after: Int)
    /// Damages the magic of the packet after so many bytes.
    case corruptMagic(after: Int)
    /// Damages a byte of the payload, and leaves the checksum as it was.
    case corruptData
    /// Waits before each packet of a service, in seconds.
    case delay(Double)
    /// Refuses the service.
    case refuse
    /// Never answers the opening of the service.
    case mute
    /// Tells another exit status: one more.
    case wrongExit
    /// Ends a shell without its exit status.
    case noExit
    /// Accepts connections and says nothing.
    case silent
    /// Sends names with slashes and dots in listings.
    case hostileNames
    /// Says that data packets have more bytes than they may.
    case hostileSizes
  }
  package var kind: Kind
  package var service: String

  /// Describes a fault; without one, all is well.
  package init(_ kind: Kind = .none, service: String = "") {
    self.kind = kind
    self.service = service
  }
}

/// What all connections of a device share.
final class ADBDShared: Sendable {
  struct State {
    var fault: ADBDFault
    var acceptsKeys: Bool
    var isRoot = false
    var connections = 0
    var services: [String] = []
    /// Public keys that it trusts.
    var keys: [ADBDKey] = []
    /// Set by a service that restarts the device: seconds that it is away, and whose shell it has
    /// then.
    var restart: (seconds: Double, isRoot: Bool)?
  }
  let settings: SimulatedADBD.Settings
  let state: Mutex<State>
  /// Rung when ``State/restart`` was set.
  let restarting = Doorbell()

  init(_ settings: SimulatedADBD.Settings) {
    self.settings = settings
    state = Mutex(State(fault: settings.fault, acceptsKeys: settings.acceptsKeys))
  }

  /// What is wrong with a service now.
  func fault(of service: String) -> ADBDFault.Kind {
    let fault = state.withLock { $0.fault }
    return service.hasPrefix(fault.service) ? fault.kind : .none
  }

  /// Goes away and comes back.
  func restart(after seconds: Double, isRoot: Bool) {
    state.withLock { $0.restart = (seconds, isRoot) }
    restarting.ring()
  }

  /// Accepts connections until it is stopped; a restart ends them all, and the port is closed in
  /// between.
  func serve(_ first: ADBDListener, _ stopping: Interrupt) {
    var listener: ADBDListener? = first
    let forever = Deadline(time: nil, interrupt: stopping)
    while !stopping.isRaised {
      guard let current = listener ?? (try? ADBDListener(port: settings.port)) else {
        _ = forever.limited(toSeconds: 0.05).wait()
        continue
      }
      let life = Interrupt()
      let sessions = ADBDSessions(self, life)
      current.accept(stopping: stopping, restarting: restarting) { sessions.begin($0) }
      current.close()
      listener = nil
      life.raise()
      sessions.join()
      let seconds = state.withLock { state in
        defer { state.restart = nil }
        if let restart = state.restart { state.isRoot = restart.isRoot }
        return state.restart?.seconds ?? 0
      }
      _ = forever.limited(toSeconds: seconds).wait()
    }
    listener?.close()
  }
}

/// The connections of one life of a device.
final class ADBDSessions: Sendable {
  private let shared: ADBDShared
  private let life: Interrupt
  private let threads = Mutex<[NamedThread]>([])

  init(_ shared: ADBDShared, _ life: Interrupt) {
    self.shared = shared
    self.life = life
  }

  func begin(_ descriptor: Int32) {
    shared.state.withLock { $0.connections += 1 }
    let (shared, life) = (shared, life)
    let thread = try? NamedThread("adbd-link") {
      ADBDSession(shared, ADBDSocket(descriptor, ending: life), life).run()
      close(descriptor)
    }
    if let thread { threads.withLock { $0.append(thread) } } else { close(descriptor) }
  }

  func join() { for thread in threads.withLock({ $0 }) { thread.join() } }
}
