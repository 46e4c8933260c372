import Foundation
import KelvinModel
import KelvinSimulators
import Synchronization
import Testing

@testable import KelvinConnections

/// What the suites of fastboot share.
enum FastbootTests {
  /// Bytes that compress and repeat in no way; the same for a seed.
  static func noise(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var numbers = SeededGenerator(seed: seed)
    let base = numbers.bytes(min(count, 1 << 18))
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    while bytes.count < count {
      bytes += base[..<min(base.count, count - bytes.count)]
      // Each piece is another one.
      let start = bytes.count - min(bytes.count, base.count)
      bytes[start] &+= UInt8(truncatingIfNeeded: start >> 18)
    }
    return bytes
  }

  /// Runs a program that must succeed.
  static func run(_ program: String, _ arguments: [String]) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [program] + arguments
    try process.run()
    process.waitUntilExit()
    if process.terminationStatus != 0 {
      throw PlainFailure(.infrastructure, "\(program): exits with \(process.terminationStatus)")
    }
  }

  static func run(_ program: String, _ arguments: String...) throws { try run(program, arguments) }
}

/// A simulated boot loader, with its directory and what it was told.
final class FastbootBoard: Sendable {
  let scratch: Scratch
  let simulator: FastbootSimulator
  let address: FastbootAddress
  private let lines = FastbootLog()

  enum Wire: CaseIterable { case tcp, udp }

  init(
    _ wire: Wire, partitions: [String: Int64] = ["system": 1 << 20],
    _ change: (inout FastbootSimulator.Setup) -> Void = { _ in }
  ) throws {
    scratch = try Scratch()
    var setup = FastbootSimulator.Setup(
      wire == .tcp ? .tcp(0) : .udp(0), directory: scratch.path, partitions: partitions)
    setup.awaySeconds = 0.2
    change(&setup)
    simulator = try FastbootSimulator(setup) { [lines] in lines.add($0) }
    let place = HostAndPort(host: "127.0.0.1", port: simulator.port)
    address = wire == .tcp ? .tcp(place) : .udp(place)
  }

  deinit { simulator.stop() }

  /// The commands that came, and what the simulator says of itself.
  var commands: [String] { lines.all }

  func open(seconds: Double = 20) async throws -> FastbootDevice {
    try await FastbootDevice.open(address, until: .after(seconds: seconds))
  }

  /// SHA-256 of a partition.
  func sha(_ partition: String) throws -> String {
    try Checksum.sha256(ofFile: "\(scratch.path)/\(partition).img")
  }
}

private final class FastbootLog: Sendable {
  private let stored = Mutex<[String]>([])
  var all: [String] { stored.withLock { $0 } }
  func add(_ line: String) { stored.withLock { $0.append(line) } }
}
