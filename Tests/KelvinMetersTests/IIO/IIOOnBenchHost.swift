import Glibc
import KelvinConnections
import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinMeters

/// Real buffers of a real kernel: iio-dummy with the kernel's triggers, an INA226's driver on a simulated
/// chip, and Debian's iiod.
@Suite(.timeLimit(.minutes(5)), .serialized)
struct IIOOnBenchHost {
  static let dummies = "/sys/kernel/config/iio/devices/dummy"
  static let timers = "/sys/kernel/config/iio/triggers/hrtimer"
  static let top = "/sys/bus/iio/devices/"
  static let exists = access(dummies, W_OK) == 0
  static let reason: Comment = "needs the kernel's iio-dummy: runs in the bench host"

  /// A device of iio-dummy's, for as long as it lives.
  final class Dummy: Sendable {
    let name: String
    init(_ name: String) throws {
      self.name = name
      try #require(mkdir(IIOOnBenchHost.dummies + "/" + name, 0o755) == 0)
    }
    deinit { rmdir(IIOOnBenchHost.dummies + "/" + name) }

    var directory: String {
      for id in SmallFile.names(in: IIOOnBenchHost.top) where id.hasPrefix("iio:device") {
        if SmallFile.text(IIOOnBenchHost.top + id + "/name") == name {
          return IIOOnBenchHost.top + id
        }
      }
      return ""
    }
  }

  /// What a capture may change.
  func settings(_ directory: String) -> [String: String] {
    var found: [String: String] = [:]
    for part in ["buffer", "scan_elements", "trigger", "."] {
      for name in SmallFile.names(in: directory + "/" + part)
      where name != "data_available" && name != "uevent" && !name.hasSuffix("_raw") {
        found[part + "/" + name] = SmallFile.text(directory + "/" + part + "/" + name)
      }
    }
    return found
  }

  func open(_ options: [String: Value]) async throws -> any Meter {
    try await IIODriver().open(
      name: "m", options: options, through: LocalConnection(), until: .after(seconds: 30))
  }

  func capture(
    _ meter: any Meter, count: Int
  ) async throws -> (sink: CollectingSink, summary: CaptureSummary) {
    let sink = CollectingSink()
    try await meter.start(into: sink, until: .after(seconds: 30))
    #expect(sink.wait(for: count, seconds: 60))
    return (sink, await meter.stop(until: .after(seconds: 30)))
  }

  func check(_ sink: CollectingSink, _ summary: CaptureSummary, _ what: String) {
    let times = sink.times()
    #expect(summary.failure == nil, "\(what): \(String(describing: summary.failure))")
    #expect(zip(times, times.dropFirst()).allSatisfy { $0 < $1 }, "\(what)")
    #expect(summary.counts["not put back"] == nil, "\(what)")
    guard let first = times.first, let last = times.last, last > first else { return }
    let rate = Double(times.count - 1) * 1e9 / Double(last - first)
    print(
      "iio: \(what): \(times.count) scans, \(rate) a second, lost \(summary.lost), host CPU "
        + "\(Double(summary.hostCPU ?? 0) / 1e6) ms, \(summary.counts)")
  }

  /// The constants that the kernel's iio_simple_dummy_buffer.c gives.
  @Test(.enabled(if: exists, reason), arguments: [50.0, 500, 2000])
  func capturesByATimerThatIsMadeForIt(rate: Double) async throws {
    let dummy = try Dummy("kelvin-dummy")
    let before = settings(dummy.directory)
    let meter = try await open(["device": "kelvin-dummy", "rate": .number(rate)])
    #expect(meter.channels.count == 4)
    let (sink, summary) = try await capture(meter, count: Int(rate))
    check(sink, summary, "iio-dummy, hrtimer at \(rate) Hz")
    #expect(sink.codes(0).allSatisfy { $0 == 7 })
    #expect(sink.codes(1).allSatisfy { $0 == -33 })
    #expect(sink.codes(2).allSatisfy { $0 == -2 })
    #expect(sink.codes(3).allSatisfy { $0 == 344 })
    let total = Int64(sink.times().count) + summary.lost
    let times = sink.times()
    if let first = times.first, let last = times.last {
      // What came and what is known to be lost make up the whole.
      let expected = Double(last - first) / 1e9 * rate + 1
      #expect(abs(Double(total) - expected) <= 0.05 * expected + 2)
      // Times are the host's own.
      #expect(summary.clock == .host && abs(MonotonicTime.now.nanoseconds - last) < 30_000_000_000)
    }
    #expect(settings(dummy.directory) == before)
    #expect(SmallFile.names(in: Self.timers).filter { $0.hasPrefix("kelvin") }.isEmpty)
  }

  @Test(.enabled(if: exists, reason))
  func usesATriggerThatIsThere() async throws {
    let dummy = try Dummy("kelvin-dummy")
    try #require(mkdir(Self.timers + "/mine", 0o755) == 0)
    defer { rmdir(Self.timers + "/mine") }
    let before = settings(dummy.directory)
    let meter = try await open(
      ["device": "kelvin-dummy", "trigger": "mine", "rate": 200, "channels": ["voltage0"]])
    let (sink, summary) = try await capture(meter, count: 100)
    check(sink, summary, "iio-dummy, a trigger that is there")
    #expect(sink.codes(0).allSatisfy { $0 == 7 })
    #expect(settings(dummy.directory) == before)
  }

  @Test(.enabled(if: exists, reason))
  func countsWhatAFullBufferLost() async throws {
    let dummy = try Dummy("kelvin-dummy")
    let meter = try await open(["device": "kelvin-dummy", "rate": 1000, "buffer": 32])
    let slow = SlowSink()
    try await meter.start(into: slow, until: .after(seconds: 30))
    #expect(slow.inner.wait(for: 200, seconds: 60))
    let summary = await meter.stop(until: .after(seconds: 30))
    #expect(summary.lost > 0)
    #expect(slow.inner.events.contains { $0.kind == .gap && $0.note == "the buffer was full" })
    withExtendedLifetime(dummy) {}
  }

  /// Takes a quarter of a second for each batch.
  final class SlowSink: BlockSink {
    let inner = CollectingSink()
    func take(_ blocks: [SampleBlock]) {
      usleep(250_000)
      inner.take(blocks)
    }
    func take(_ event: CaptureEvent) { inner.take(event) }
  }

  @Test(.enabled(if: exists, reason))
  func saysWhoHasTheDevice() async throws {
    let dummy = try Dummy("kelvin-dummy")
    let meter = try await open(["device": "kelvin-dummy", "rate": 100])
    let sink = CollectingSink()
    try await meter.start(into: sink, until: .after(seconds: 30))
    let second = try await open(["device": "kelvin-dummy", "rate": 100])
    let found = await meterFailure {
      try await second.start(into: CollectingSink(), until: .after(seconds: 30))
    }
    #expect(found?.code == .busy)
    // The first goes on.
    let count = sink.times().count
    #expect(sink.wait(for: count + 20, seconds: 60))
    #expect(await meter.stop(until: .after(seconds: 30)).failure == nil)
    withExtendedLifetime(dummy) {}
  }

  /// An INA226 of i2c-stub: its registers are what this test writes.
  final class Chip {
    let bus: String
    init() throws {
      let adapters = "/sys/class/i2c-adapter/"
      let stub = SmallFile.names(in: adapters).first {
        SmallFile.text(adapters + $0 + "/name")?.contains("SMBus stub") ?? false
      }
      bus = adapters + (try #require(stub))
      let number = try #require(stub).dropFirst(4)
      let script = """
        rmmod ina2xx 2>/dev/null; modprobe ina2xx-adc
        i2cset -y \(number) 0x40 0xFE 0x4954 w; i2cset -y \(number) 0x40 0xFF 0x6022 w
        echo ina226 0x40 > \(bus)/new_device
        i2cset -f -y \(number) 0x40 0x01 0xe803 w; i2cset -f -y \(number) 0x40 0x02 0xa00f w
        i2cset -f -y \(number) 0x40 0x03 0x2003 w; i2cset -f -y \(number) 0x40 0x04 0x18fc w
        """
      try #require(system(script) == 0)
    }
    deinit { try? SmallFile.write("0x40", to: bus + "/delete_device") }
  }

  @Test(.enabled(if: exists, reason))
  func capturesAnINA226() async throws {
    let chip = try Chip()
    let directory = Self.top + "iio:device0"
    let before = settings(directory)
    #expect(SmallFile.text(directory + "/name") == "ina226")
    let meter = try await open(
      ["device": "0-0040", "async-readout": true, "shunt": 0.02, "oversampling": 1])
    let (sink, summary) = try await capture(meter, count: 100)
    check(sink, summary, "INA226, oversampling 1")
    // 1000 * 2.5 uV, 4000 * 1.25 mV, and -1000 * 2.5 uV / 20 mohm.
    let values = (0..<4).map { meter.channels[$0].value(of: sink.codes($0)[0]) }
    #expect(abs(values[0] - 2.5e-3) < 1e-9 && abs(values[1] - 5) < 1e-9)
    #expect(abs(values[3] + 0.125) < 1e-9)
    #expect(settings(directory) == before)
    withExtendedLifetime(chip) {}
  }

  @Test(.enabled(if: exists, reason))
  func doesNotWaitForAChipThatIsNeverReady() async throws {
    let chip = try Chip()
    let directory = Self.top + "iio:device0"
    let before = settings(directory)
    let meter = try await open(["device": "ina226"])
    let sink = CollectingSink()
    try await meter.start(into: sink, until: .after(seconds: 30))
    let isOver = try #require((meter as? IIOMeter)?.isOver)
    #expect(Deadline.after(seconds: 60).wait(for: isOver.descriptor) == .ready)
    let summary = await meter.stop(until: .after(seconds: 30))
    #expect(summary.failure?.hint.contains("async-readout") == true)
    #expect(settings(directory) == before && summary.counts["not put back"] == nil)
    withExtendedLifetime(chip) {}
  }

  /// Debian's iiod on this kernel, read by the driver.
  @Test(
    .enabled(if: exists, reason),
    .enabled(if: access("/usr/sbin/iiod", X_OK) == 0, "needs Debian's iiod"),
    arguments: [50.0, 200])
  func capturesThroughDebiansIIOD(rate: Double) async throws {
    let dummy = try Dummy("kelvin-dummy")
    try #require(mkdir(Self.timers + "/mine", 0o755) == 0)
    defer { rmdir(Self.timers + "/mine") }
    let before = settings(dummy.directory)
    let daemon = try await LocalConnection().start(
      Command(["/usr/sbin/iiod", "-p", "30777"]), until: .after(seconds: 30))
    let options: [String: Value] = [
      "host": "127.0.0.1", "port": 30777, "device": "kelvin-dummy", "trigger": "mine",
      "rate": .number(rate),
      // Small: an emulated processor gives some 50 scans a second this way, whatever was asked for, and
      // a batch must come within the daemon's 3 s.
      "buffer": 10
    ]
    var meter: (any Meter)?
    let deadline = Deadline.after(seconds: 30)
    while meter == nil, !deadline.hasPassed {
      meter = try? await IIODDriver().open(
        name: "m", options: options, through: LocalConnection(), until: deadline)
      if meter == nil { usleep(200_000) }
    }
    let opened = try #require(meter)
    #expect(opened.identity.firmware.contains("0.24"))
    let (sink, summary) = try await capture(opened, count: Int(rate))
    check(sink, summary, "iio-dummy through Debian's iiod at \(rate) Hz")
    #expect(sink.codes(0).allSatisfy { $0 == 7 } && sink.codes(3).allSatisfy { $0 == 344 })
    let last = try #require(sink.times().last)
    #expect(abs(summary.clock.host(last) - MonotonicTime.now.nanoseconds) < 20_000_000_000)
    await opened.close()
    // It disables the buffer when it hears of the end.
    let end = Deadline.after(seconds: 30)
    while SmallFile.text(dummy.directory + "/buffer/enable") != "0", !end.hasPassed {
      usleep(20_000)
    }
    // Its thread for Avahi, which is not there, sleeps through SIGTERM for minutes.
    try await daemon.signal(SIGKILL)
    _ = try await daemon.wait(until: .after(seconds: 30))
    let after = settings(dummy.directory)
    for name in ["trigger/current_trigger", "./current_timestamp_clock", "buffer/enable"] {
      #expect(after[name] == before[name], "\(name)")
    }
  }
}
