import Testing

@testable import KelvinExecution

private let recorded = """
  some avg10=0.01 avg60=0.04 avg300=0.13 total=6162330
  full avg10=0.01 avg60=0.04 avg300=0.12 total=5926830

  """

@Suite struct PressureStallTests {
  @Test func readsBothLines() {
    let stall = PressureStall(KernelText(recorded))
    #expect(stall.some == 6_162_330)
    #expect(stall.full == 5_926_830)
  }

  @Test func readsAFileWithOneLine() {
    let irq = PressureStall(
      KernelText("full avg10=0.00 avg60=0.00 avg300=0.00 total=42\n"))
    #expect(irq.some == nil)
    #expect(irq.full == 42)
  }

  @Test func survivesDamage() {
    withDamage(recorded) { _ = PressureStall($0) }
  }
}

private let meminfo = """
  MemTotal:       24684092 kB
  MemFree:        24445212 kB
  Active(anon):       1544 kB
  HugePages_Total:       0
  Hugepagesize:       2048 kB

  """

private let vmstat = """
  nr_free_pages 1143034
  pgpgin 6466917
  pgfault 4277551
  thp_fault_alloc 0

  """

@Suite struct NamedNumbersTests {
  @Test func readsMemory() {
    let numbers = NamedNumbers(KernelText(meminfo))
    #expect(
      numbers.names == [
        "MemTotal", "MemFree", "Active(anon)", "HugePages_Total", "Hugepagesize"
      ])
    #expect(numbers["MemFree"] == .init(value: 24_445_212, isKibibytes: true))
    #expect(numbers["HugePages_Total"] == .init(value: 0, isKibibytes: false))
    #expect(numbers["nosuch"] == nil)
  }

  @Test func readsVMStat() {
    let numbers = NamedNumbers(KernelText(vmstat))
    #expect(numbers["pgfault"]?.value == 4_277_551)
  }

  @Test func readsThisKernel() throws {
    let memory = NamedNumbers(try liveText("/proc/meminfo"))
    #expect(memory["MemTotal"]?.isKibibytes == true)
    let events = NamedNumbers(try liveText("/proc/vmstat"))
    #expect(try #require(events["pgfault"]).value > 0)
  }

  @Test(arguments: [meminfo, vmstat])
  func survivesDamage(recorded: String) {
    withDamage(recorded) { text in
      let numbers = NamedNumbers(text)
      #expect(numbers.names.count == numbers.numbers.count)
    }
  }
}
