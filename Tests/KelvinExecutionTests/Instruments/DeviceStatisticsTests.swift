import Testing

@testable import KelvinExecution

/// Recorded on Linux 6.18, and a line as of Linux before 4.18.
private let disks = """
     7       0 loop0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
   254       0 vda 53230 12252 12882930 33346 9453 19743 1404400 2707 0 9756 36277 2429 0 209224 177 1329 45
     8       1 sda1 10 1 80 5 20 2 160 7 0 9 12

  """

/// Recorded on Linux 6.18, and a line with the number right after the colon, as old kernels have.
private let interfaces = """
  Inter-|   Receive                                                |  Transmit
   face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
      lo:    3193      29    0    0    0     0          0         0     3193      29    0    0    0     0       0          0
    eth0:57733760    1305    1    2    0     0          0         0    73427     893    0    0    0     0       0          0

  """

@Suite struct DiskStatisticsTests {
  @Test func readsOldAndNewFormats() {
    let devices = DiskStatistics(KernelText(disks)).devices
    #expect(devices.map(\.name) == ["loop0", "vda", "sda1"])
    #expect(devices.map(\.number) == ["7:0", "254:0", "8:1"])
    #expect(devices[1].counters.count == 17)
    #expect(devices[1].counters[2] == 12_882_930)
    #expect(devices[2].counters.count == 11)
  }

  @Test func namesEachColumnOnce() {
    #expect(Set(DiskStatistics.Field.all.map(\.index)).count == DiskStatistics.Field.all.count)
    #expect(!DiskStatistics.Field.all.map(\.index).contains(8))
  }

  @Test func readsThisKernel() throws {
    #expect(!DiskStatistics(try liveText("/proc/diskstats")).devices.isEmpty)
  }

  @Test func survivesDamage() {
    withDamage(disks) { text in
      #expect(DiskStatistics(text).devices.allSatisfy { $0.counters.count >= 11 })
    }
  }
}

@Suite struct NetworkStatisticsTests {
  @Test func readsInterfaces() {
    let found = NetworkStatistics(KernelText(interfaces)).interfaces
    #expect(found.map(\.name) == ["lo", "eth0"])
    #expect(found[1].counters[0] == 57_733_760)
    #expect(found[1].counters[2] == 1)
    #expect(found[1].counters[8] == 73_427)
  }

  @Test func readsThisKernel() throws {
    #expect(
      NetworkStatistics(try liveText("/proc/net/dev")).interfaces.contains { $0.name == "lo" })
  }

  @Test func survivesDamage() {
    withDamage(interfaces) { text in
      #expect(NetworkStatistics(text).interfaces.allSatisfy { $0.counters.count == 16 })
    }
  }
}

@Suite struct DeviceChoiceTests {
  @Test func takesAllButWhatIsLeftOut() {
    let choice = DeviceChoice([], leftOut: ["loop*", "ram*"])
    #expect(choice.includes("vda"))
    #expect(!choice.includes("loop7"))
    #expect(!choice.isNamed("vda"))
  }

  @Test func takesWhatIsNamed() {
    let choice = DeviceChoice(["loop0", "sd?"], leftOut: ["loop*"])
    #expect(choice.includes("loop0"))
    #expect(choice.includes("sda"))
    #expect(!choice.includes("sda1"))
    #expect(choice.isNamed("sdb"))
  }

  @Test func tellsWhatCameAndWent() {
    let changes = DeviceChanges(before: ["a", "b"], after: ["b", "c"])
    #expect(changes.appeared == ["c"])
    #expect(changes.wentAway == ["a"])
  }
}
