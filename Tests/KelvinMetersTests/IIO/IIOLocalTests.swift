import Glibc
import KelvinConnections
import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinMeters

/// The driver of this machine's devices, on a tree of files and a pipe in place of a device. What files
/// cannot show (EBUSY, triggers, clocks) is in the bench host's suite.
@Suite(.timeLimit(.minutes(1)))
struct IIOLocalTests {
  static let top = "sys/bus/iio/devices/iio:device0"

  /// An INA226 at 1000 samples a second, and the writing end of its pipe.
  func makeTree() throws -> (folder: Folder, pipe: Int32) {
    let folder = try Folder()
    let files = [
      "name": "ina226", "in_shunt_resistor": "0.010000000", "in_allow_async_readout": "0",
      "in_sampling_frequency": "1000", "in_voltage1_scale": "1.250000000",
      "in_current3_scale": "0.250000000", "current_timestamp_clock": "monotonic", "dev": "245:0",
      "buffer/enable": "0", "buffer/length": "4096", "buffer/watermark": "16",
      "scan_elements/in_voltage1_en": "0", "scan_elements/in_voltage1_index": "1",
      "scan_elements/in_voltage1_type": "le:u16/16>>0", "scan_elements/in_current3_en": "1",
      "scan_elements/in_current3_index": "3", "scan_elements/in_current3_type": "le:u16/16>>0",
      "scan_elements/in_timestamp_en": "0", "scan_elements/in_timestamp_index": "4",
      "scan_elements/in_timestamp_type": "le:s64/64>>0"
    ]
    for (name, text) in files { folder.write("\(Self.top)/\(name)", text + "\n") }
    folder.write("dev/null", "")
    let path = folder.path + "/dev/iio:device0"
    try #require(mkfifo(path, 0o600) == 0)
    let pipe = open(path, O_RDWR | O_NONBLOCK)
    try #require(pipe >= 0)
    return (folder, pipe)
  }

  func meter(_ folder: Folder, _ options: [String: Value] = [:]) async throws -> any Meter {
    var all: [String: Value] = ["device": "ina226"]
    for (name, value) in options { all[name] = value }
    return try await IIODriver(root: folder.path).open(
      name: "ina", options: all, through: LocalConnection(root: folder.path), until: soon)
  }

  /// A scan of bus voltage, current and time.
  func scan(_ voltage: Int, _ current: Int, _ time: Int64) -> [UInt8] {
    var bytes = [voltage, voltage >> 8, current, current >> 8].map { UInt8(truncatingIfNeeded: $0) }
    bytes += [0, 0, 0, 0]
    bytes += (0..<8).map { UInt8(truncatingIfNeeded: time >> Int64(8 * $0)) }
    return bytes
  }

  @Test func findsDevices() async throws {
    let (folder, pipe) = try makeTree()
    defer { close(pipe) }
    let found = try await IIODriver().find(
      through: LocalConnection(root: folder.path), until: soon)
    #expect(found.map(\.name) == ["iio/ina226"])
    #expect(found.first?.channels.map(\.unit) == ["V", "A"])
    #expect(found.first?.obstacle == nil)
    let none = try Folder()
    none.write("sys/kernel/x", "")
    #expect(
      try await IIODriver().find(through: LocalConnection(root: none.path), until: soon).isEmpty)
  }

  @Test func capturesAndPutsBack() async throws {
    let (folder, pipe) = try makeTree()
    defer { close(pipe) }
    let meter = try await meter(folder, ["buffer": 2048])
    #expect(meter.rate == 1000)
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(folder.read(Self.top + "/buffer/enable") == "1\n")
    #expect(folder.read(Self.top + "/scan_elements/in_voltage1_en") == "1\n")
    #expect(folder.read(Self.top + "/buffer/length") == "2048\n")
    var bytes: [UInt8] = []
    // A current that flows back, which the kernel calls unsigned; two scans are missing.
    for index in 0..<300 where index != 100 && index != 101 {
      bytes += scan(4000, -200 - index, 5_000_000_000 + Int64(index) * 1_000_000)
    }
    #expect(write(pipe, bytes, bytes.count) == bytes.count)
    #expect(sink.wait(for: 298))
    let summary = await meter.stop(until: soon)
    #expect(summary.failure == nil && summary.lost == 2)
    #expect(summary.samples == [298, 298] && summary.clock == .host)
    #expect(sink.codes(1).first == -200 && sink.codes(0).allSatisfy { $0 == 4000 })
    #expect(sink.times().first == 5_000_000_000)
    #expect(abs(meter.channels[1].value(of: -200) + 0.05) < 1e-12)
    for (name, text) in [
      ("buffer/enable", "0"), ("scan_elements/in_voltage1_en", "0"), ("buffer/length", "4096"),
      ("scan_elements/in_timestamp_en", "0"), ("scan_elements/in_current3_en", "1")
    ] {
      #expect(folder.read(Self.top + "/" + name) == text + "\n", "\(name)")
    }
  }

  @Test func refusesHalfAScan() async throws {
    let (folder, pipe) = try makeTree()
    defer { close(pipe) }
    let meter = try await meter(folder)
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(write(pipe, scan(1, 2, 3), 16) == 16)
    #expect(sink.wait(for: 1))
    #expect(write(pipe, scan(1, 2, 3), 11) == 11)
    let isOver = try #require((meter as? IIOMeter)?.isOver)
    #expect(soon.wait(for: isOver.descriptor) == .ready)
    let summary = await meter.stop(until: soon)
    #expect(summary.failure?.code == .malfunction && summary.samples == [1, 1])
    #expect(folder.read(Self.top + "/buffer/enable") == "0\n")
  }

  @Test func saysWhatIsWrong() async throws {
    let (folder, pipe) = try makeTree()
    defer { close(pipe) }
    var found = await meterFailure { _ = try await meter(folder, ["device": "ina227"]) }
    #expect(found?.code == .notFound && found?.hint.contains("iio:device0 ina226") == true)
    found = await meterFailure { _ = try await meter(folder, ["channels": ["power2"]]) }
    #expect(found?.code == .notFound)
    folder.write(Self.top + "/buffer/enable", "1\n")
    found = await meterFailure {
      try await meter(folder).start(into: CollectingSink(), until: soon)
    }
    #expect(found?.code == .busy && found?.hint.contains("echo 0 >") == true)
    folder.write(Self.top + "/buffer/enable", "0\n")
    found = await meterFailure {
      try await meter(folder, ["trigger": "t0"]).start(into: CollectingSink(), until: soon)
    }
    #expect(found?.code == .unsupported)
    // Half a set-up is put back.
    #expect(folder.read(Self.top + "/scan_elements/in_voltage1_en") == "0\n")
    folder.write(Self.top + "/in_current3_scale", "0\n")
    found = await meterFailure { _ = try await meter(folder) }
    #expect(found?.code == .malfunction)
  }

  @Test func permissionNamesTheRule() {
    let failure = MeterFailure(iio: Errno(EACCES), "/dev/iio:device0")
    #expect(failure.code == .permission && failure.hint.contains("kelvin bench udev --install"))
    #expect(MeterFailure(iio: Errno(EBUSY), "x").code == .busy)
    #expect(MeterFailure(iio: Errno(ENODEV), "x").code == .gone)
  }
}
