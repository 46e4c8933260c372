internal import Glibc
public import KelvinModel
internal import Synchronization

/// The power of a board at this moment, in a file that simulated meters map: a sequence number that
/// is odd while it is written, the time, power, and the board's voltage.
///
/// | offset | type | holds |
/// | --- | --- | --- |
/// | 0 | u64 | sequence |
/// | 8 | i64 | CLOCK_MONOTONIC, ns |
/// | 16 | f64 | power, W |
/// | 24 | f64 | voltage, V |
/// | 32 | f64 | energy since the plant began, J |
public final class PlantPage {
  private let memory: UnsafeMutableRawPointer
  private var sequence: UInt64 = 0
  private static let length = 4096

  /// Creates or reuses the file.
  public init(path: String) throws(PlainFailure) {
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw PlainFailure(.infrastructure, "\(path): \(Errno.current)") }
    defer { close(descriptor) }
    guard ftruncate(descriptor, off_t(Self.length)) == 0,
      let mapped = mmap(nil, Self.length, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0),
      mapped != MAP_FAILED
    else { throw PlainFailure(.infrastructure, "\(path): \(Errno.current)") }
    memory = mapped
  }

  deinit { munmap(memory, Self.length) }

  /// Publishes one moment.
  public func write(time: Int64, power: Double, voltage: Double, energy: Double) {
    sequence += 1
    memory.storeBytes(of: sequence, toByteOffset: 0, as: UInt64.self)
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    memory.storeBytes(of: time, toByteOffset: 8, as: Int64.self)
    memory.storeBytes(of: power, toByteOffset: 16, as: Double.self)
    memory.storeBytes(of: voltage, toByteOffset: 24, as: Double.self)
    memory.storeBytes(of: energy, toByteOffset: 32, as: Double.self)
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    sequence += 1
    memory.storeBytes(of: sequence, toByteOffset: 0, as: UInt64.self)
  }
}
