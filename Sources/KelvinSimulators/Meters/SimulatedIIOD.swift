internal import CLinux
internal import Glibc
package import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// Stands in for an iiod of libiio 0.24 with INA226 chips behind it, on a TCP port of 127.0.0.1: a thread
/// for each connection.
///
/// Ends with ``stop()`` or its last reference.
package final class SimulatedIIOD: Sendable {
  package let port: UInt16
  package let board: IIODBoard
  private let stopping = Interrupt()
  private let thread: NamedThread

  /// Listens.
  ///
  /// - Parameters:
  ///   - port: 0: one that is free.
  ///   - truthPath: a file that gets a line for each scan that was sent: time on the board's clock in
  ///     nanoseconds, true current in amperes, true voltage in volts.
  package init(
    _ board: IIODBoard, port: UInt16 = 0, fault: IIODFault = .none, truthPath: String? = nil
  ) throws(PlainFailure) {
    var truth: IIODTruth?
    if let truthPath { truth = try IIODTruth(truthPath) }
    let (listener, port) = try LoopbackPort.open(port)
    self.port = port
    self.board = board
    let stopping = stopping
    let log = truth
    thread = try NamedThread("simulator") {
      SimulatedIIOD.accept(listener, board, fault, log, stopping)
    }
  }

  deinit { stop() }

  /// Ends all connections. Idempotent.
  package func stop() {
    stopping.raise()
    thread.join()
  }

  private static func accept(
    _ listener: Int32, _ board: IIODBoard, _ fault: IIODFault, _ truth: IIODTruth?,
    _ stopping: Interrupt
  ) {
    let forever = Deadline(time: nil, interrupt: stopping)
    var threads: [NamedThread] = []
    while forever.wait(for: listener) == .ready {
      let client = Glibc.accept(listener, nil, nil)
      guard client >= 0 else { continue }
      _ = kelvin_set_nonblocking(client)
      var one: Int32 = 1
      setsockopt(client, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
      if let thread = try? NamedThread(
        "iiod-client",
        {
          let session = IIODSession(client, board, fault, truth, stopping)
          session.serve()
          close(client)
        })
      {
        threads.append(thread)
      } else {
        close(client)
      }
    }
    close(listener)
    for thread in threads { thread.join() }
  }
}

/// What was true at each scan that was sent.
final class IIODTruth: Sendable {
  private let file: Int32

  init(_ path: String) throws(PlainFailure) {
    file = kelvin_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw PlainFailure(.configuration, "\(path): \(Errno.current)") }
    append("time_ns,current_A,voltage_V\n")
  }

  deinit { close(file) }

  func append(_ text: String) {
    let bytes = Array(text.utf8)
    _ = write(file, bytes, bytes.count)
  }
}
