internal import Glibc
public import KelvinModel

/// The words in a guest's memory that its ACPI devices read: temperature, power, battery
/// (hardware/virtual-bench/acpi/bench.dsl). Owned by one thread.
public final class LiveValues {
  private let memory: UnsafeMutableRawPointer
  private static let offset = 0x0F00_0000
  private static let length = 4096

  /// Maps the guest's RAM file.
  public init(folder: String) throws(PlainFailure) {
    let path = folder + "/ram"
    let descriptor = open(path, O_RDWR | O_CLOEXEC)
    guard descriptor >= 0 else { throw PlainFailure(.configuration, "\(path): \(Errno.current)") }
    defer { close(descriptor) }
    let size = lseek(descriptor, 0, SEEK_END)
    guard size >= Self.offset + Self.length else {
      throw PlainFailure(.configuration, "\(path): is no guest's memory", evidence: "\(size) bytes")
    }
    let mapped = mmap(
      nil, Self.length, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, off_t(Self.offset))
    guard let mapped, mapped != MAP_FAILED else {
      throw PlainFailure(.infrastructure, "\(path): \(Errno.current)")
    }
    memory = mapped
  }

  deinit { munmap(memory, Self.length) }

  /// What the thermal zone says, in degrees Celsius. The critical trip is at 110: a guest that reads
  /// more powers itself off, so what is set stays below it.
  public func set(temperature: Double) {
    store(UInt32(max(0, min(3_800, ((temperature + 273.15) * 10).rounded()))), at: 0)
  }

  /// What the power meter says, and the rate at which the battery discharges, in watts.
  public func set(power: Double) {
    let milliwatts = UInt32(max(0, min(4e9, (power * 1000).rounded())))
    store(milliwatts, at: 4)
    store(milliwatts, at: 12)
  }

  /// What is left in the battery, in watt hours.
  public func set(batteryWattHours: Double) {
    store(UInt32(max(0, min(4e9, (batteryWattHours * 1000).rounded()))), at: 16)
  }

  private func store(_ value: UInt32, at offset: Int) {
    memory.storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt32.self)
  }
}
