import Glibc
import KelvinDevices
import KelvinModel
import KelvinSystem
import KelvinTargets
import Synchronization

/// An owner of ports on a thread of this process, and a host whose switches use it.
final class LineOwner: Sendable {
  let places: OwnerPlaces
  private let directory: Directory
  private let stop = Interrupt()
  private let thread: NamedThread?
  private let warned = Mutex<[String]>([])

  /// - Parameter starts: false: there is none, and none can be started.
  init(starts: Bool = true) throws {
    directory = try Directory()
    let places = OwnerPlaces(
      runtimeDirectory: directory.path + "/run", stateDirectory: directory.path + "/state")
    self.places = places
    guard starts else {
      thread = nil
      return
    }
    let ready = Interrupt()
    let stop = stop
    thread = try NamedThread("owner") {
      let server = try? OwnerServer(places: places)
      ready.raise()
      _ = server?.run(until: stop)
    }
    guard soon.wait(for: ready.descriptor) == .ready else {
      throw PlainFailure(.timeout, "the owner does not begin")
    }
  }

  deinit {
    stop.raise()
    thread?.join()
  }

  func client() throws -> Owner.Client {
    try Owner.Client.connect(to: places, as: "test", starter: nil, until: soon)
  }

  /// A host of a command that is about the power of `rock`.
  var host: PowerHost {
    var host = PowerHost(warn: { text in self.warned.withLock { $0.append(text) } })
    host.keeper = LineKeeper(
      as: "test", places: places, starter: OwnerStarter(program: "/bin/false"))
    host.lineName = "rock.power"
    return host
  }

  /// What switches said although nothing failed.
  var warnings: [String] { warned.withLock { $0 } }
}
