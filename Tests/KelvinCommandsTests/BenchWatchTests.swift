import KelvinConnections
import KelvinModel
import Testing

/// Hotplug: events of devices that come and go, through libudev's monitor to the real binary.
@Suite struct BenchWatchTests {
  private static let device = "/sys/devices/pci0000:00/0000:00:14.0/usb1/1-5"

  @Test(.timeLimit(.minutes(1)))
  func followsADeviceToAnotherPort() async throws {
    let ran = try await plug(
      [
        "load=\(FakeDevices.tree("twins"))", "start",
        "load=\(FakeDevices.tree("ppk2-at-5"))", "lines=1",
        "pull=\(Self.device)", "lines=2",
        "load=\(FakeDevices.tree("ppk2-at-6"))", "lines=3"
      ], ["bench", "watch", "--source", "udev"])
    #expect(ran.code == 0, "\(ran.errors)")
    // Without the times.
    let lines = ran.output.split(separator: "\n").map {
      $0.split(separator: " ").dropFirst().joined(separator: " ")
    }
    // The one that vanished is told by what it was: its files were gone.
    #expect(
      lines == [
        "appeared USB device /dev/bus/usb/001/009 Nordic Power Profiler Kit II (1915:c00a) E1A2",
        "vanished USB device /dev/bus/usb/001/009 Nordic Power Profiler Kit II (1915:c00a) E1A2",
        "returned USB device /dev/bus/usb/001/010 Nordic Power Profiler Kit II (1915:c00a) E1A2"
      ])
    #expect(ran.errors.hasPrefix("watching events of udev; 5 devices are there"))
  }

  @Test(.timeLimit(.minutes(1)))
  func jsonCarriesTheIdentity() async throws {
    let ran = try await plug(
      ["start", "load=\(FakeDevices.tree("ppk2-at-5"))", "lines=1"],
      ["bench", "watch", "--source", "udev", "--format", "json"])
    #expect(ran.code == 0, "\(ran.errors)")
    #expect(ran.output.contains(#""identity":"usb:1915:c00a:E1A2""#))
    let isWhole = ran.output.split(separator: "\n").allSatisfy {
      $0.hasPrefix("{") && $0.hasSuffix("}")
    }
    #expect(isWhole)
  }

  /// Some are pulled before their files have been read. No more than ten events at once: the kernel's
  /// queue of umockdev's sockets is no longer.
  @Test(.timeLimit(.minutes(1)))
  func keepsOrderInAStormOfPlugs() async throws {
    let cycles = 60
    let steps = (0..<cycles).flatMap { cycle in
      ["load=\(FakeDevices.tree("ppk2-at-5"))", "pull=\(Self.device)"]
        + (cycle % 4 == 3 ? ["lines=\(2 * cycle + 2)"] : [])
    }
    let ran = try await plug(
      ["start"] + steps, ["bench", "watch", "--source", "udev"])
    #expect(ran.code == 0, "\(ran.errors)")
    let actions = ran.output.split(separator: "\n").map { $0.split(separator: " ")[1] }
    #expect(actions.count == 2 * cycles)
    for (index, action) in actions.enumerated() {
      #expect(action == (index % 2 == 1 ? "vanished" : index == 0 ? "appeared" : "returned"))
    }
    #expect(!ran.errors.contains("lost"))
  }

  @Test(.timeLimit(.minutes(1)), arguments: ["udev", "kernel"])
  func endsInTime(source: String) async throws {
    let scratch = try Scratch()
    let ran = try await KelvinBinary.run(
      ["bench", "watch", "--source", source, "--for", "50 ms"], in: scratch.path, seconds: 10)
    #expect(ran.code == 0, "\(ran.errors)")
    let bad = try await KelvinBinary.run(["bench", "watch", "--for", "3 V"], in: scratch.path)
    #expect(bad.code == 2)
  }

  private func plug(_ steps: [String], _ arguments: [String]) async throws -> Ran {
    let scratch = try Scratch()
    let program = scratch.path + "/hotplug"
    let source =
      "/" + #filePath.split(separator: "/").dropLast().joined(separator: "/")
      + "/Support/hotplug.c.txt"
    let flags = try await LocalConnection().execute(
      Command(["pkg-config", "--cflags", "--libs", "umockdev-1.0"]), until: .after(seconds: 10))
    try #require(flags.isSuccess, "\(flags.standardError.text)")
    let words = flags.standardOutput.text.split { $0 == " " || $0 == "\n" }.map(String.init)
    let built = try await LocalConnection().execute(
      Command(["cc", "-O1", "-x", "c", source, "-o", program] + words), until: .after(seconds: 30))
    try #require(built.isSuccess, "\(built.standardError.text)")
    return Ran(
      try await LocalConnection().execute(
        Command(["umockdev-wrapper", program] + steps + ["--", KelvinBinary.path] + arguments),
        until: .after(seconds: 50)))
  }
}
