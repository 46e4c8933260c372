internal import CLinux
internal import Glibc
package import KelvinModel
internal import KelvinSystem

/// A board in its boot loader that is not there: on TCP or UDP of the loopback interface, or on USB, for
/// one host after the other.
///
/// Ends with ``stop()`` or its last reference.
package final class FastbootSimulator: Sendable {
  /// Where it is found.
  package enum Place: Sendable, Hashable {
    /// A port of 127.0.0.1; 0: a free one.
    case tcp(UInt16)
    case udp(UInt16)
    case usb(GadgetPlace)

    /// Whether a host sees that it has gone.
    var hangsUp: Bool { if case .tcp = self { true } else { false } }
  }

  package struct Setup: Sendable {
    package var place: Place
    /// Where its partitions are kept, one file each: `NAME.img`.
    package var directory: String
    /// Bytes.
    package var partitions: [String: Int64]
    package var downloadLimit: Int64 = 256 << 20
    package var serial = "KELVIN0001"
    /// Said instead of its own, or besides.
    package var variables: [String: String] = [:]
    /// How long it is away when it is restarted.
    package var awaySeconds = 0.5
    package var faults = BootloaderFaults()

    package init(_ place: Place, directory: String, partitions: [String: Int64]) {
      self.place = place
      self.directory = directory
      self.partitions = partitions
    }
  }

  /// The port; 0 on USB.
  package let port: UInt16
  private let stopping = Interrupt()
  private let thread: NamedThread
  private let seat: any BootloaderSeat
  private let place: Place

  /// Starts it.
  ///
  /// - Parameter log: hears each command, on the simulator's thread.
  package init(
    _ setup: Setup, log: @escaping @Sendable (String) -> Void = { _ in }
  ) throws(PlainFailure) {
    // What is wrong with the partitions is told at once.
    _ = try PartitionFiles(setup.directory, sizes: setup.partitions)
    let seat: any BootloaderSeat =
      switch setup.place {
      case .tcp(let port): try BootloaderSocket(port: port, isStream: true)
      case .udp(let port): try BootloaderSocket(port: port, isStream: false)
      case .usb(let place): try BootloaderGadget(place)
      }
    self.seat = seat
    place = setup.place
    port = seat.port
    let until = Deadline(time: nil, interrupt: stopping)
    thread = try NamedThread("bootloader") {
      FastbootSimulator.run(setup, seat, until, log)
    }
  }

  deinit { stop() }

  /// Ends it. Idempotent.
  package func stop() {
    stopping.raise()
    // A read on USB ends with this alone.
    if case .usb = place { seat.close() }
    thread.join()
    seat.end()
  }

  /// Waits for its end, or this one's.
  package func wait(until deadline: Deadline) { _ = deadline.wait() }

  private static func run(
    _ setup: Setup, _ seat: any BootloaderSeat, _ until: Deadline,
    _ log: @escaping @Sendable (String) -> Void
  ) {
    defer { seat.close() }
    while true {
      do throws(WireEnd) {
        // A boot loader that was restarted has forgotten all but its partitions.
        guard let bootloader = try? SimulatedBootloader(setup, log: log) else { return }
        try seat.serve(bootloader, setup.faults, until)
      } catch { return }
      // Its last reply must have reached the host: a kernel that is told to unplug a gadget in this moment
      // may cancel the host's transfer that has just taken it.
      _ = until.limited(toSeconds: 0.1).wait()
      seat.close()
      log("away")
      _ = until.limited(toSeconds: setup.awaySeconds).wait()
      guard !until.isInterrupted, (try? seat.plug()) != nil else { return }
      log("back")
    }
  }
}

/// Where a boot loader is found by hosts. Used by one thread, but for ``close()``.
protocol BootloaderSeat: AnyObject, Sendable {
  /// The port; 0 where there is none.
  var port: UInt16 { get }
  /// Comes back to where it was.
  func plug() throws(PlainFailure)
  /// Goes away. Idempotent.
  func close()
  /// Gives everything back. Idempotent.
  func end()
  /// Serves hosts until the boot loader leaves.
  ///
  /// - Throws: `stopped`.
  func serve(
    _ bootloader: SimulatedBootloader, _ faults: BootloaderFaults, _ until: Deadline
  ) throws(WireEnd)
}
