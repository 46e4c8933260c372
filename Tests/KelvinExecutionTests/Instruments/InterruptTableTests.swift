import Testing

@testable import KelvinExecution

/// Recorded on Linux 6.18, x86_64; shortened.
private let x86 = """
             CPU0       CPU1       
   24:          1          0  IO-APIC   5-edge      ACPI:Ged
   31:          0       1781 PCI-MSIX-0000:00:01.0   3-edge      virtio0-stats
   36:          0      51340 PCI-MSIX-0000:00:02.0   1-edge      virtio1-req.0
  NMI:          0          0   Non-maskable interrupts
  LOC:      40626      55887   Local timer interrupts
  ERR:          3
  MIS:          0

  """

/// Written after arch/arm64/kernel/smp.c and kernel/irq/proc.c.
private let arm = """
             CPU0       CPU1       CPU2       CPU3       
   11:     123456     234567      34567      45678     GICv3  30 Level     arch_timer
   23:       1500          0          0          0     GICv3  33 Level     uart-pl011, wake
  IPI0:      2000       3000       4000       5000       Rescheduling interrupts
  IPI1:        10         20         30         40       Function call interrupts
  Err:          0

  """

private let softirqs = """
                      CPU0       CPU1       
            HI:          0          0
         TIMER:      40626      55887
        NET_RX:        789        915

  """

@Suite struct InterruptTableTests {
  @Test func readsX86() throws {
    let table = try #require(InterruptTable(KernelText(x86)))
    #expect(table.cpus == [0, 1])
    #expect(table.rows.map(\.label) == ["24", "31", "36", "NMI", "LOC", "ERR", "MIS"])
    #expect(table.rows[1].description == "PCI-MSIX-0000:00:01.0 3-edge virtio0-stats")
    #expect(table.rows[2].counts == [0, 51_340])
    #expect(table.rows[5].counts == [3])
    #expect(table.counts(of: table.rows[5]) == [-1: 3])
  }

  @Test func readsARM() throws {
    let table = try #require(InterruptTable(KernelText(arm)))
    #expect(table.cpus == [0, 1, 2, 3])
    #expect(table.rows[1].description == "GICv3 33 Level uart-pl011, wake")
    #expect(table.rows[2].label == "IPI0")
    #expect(table.rows[2].counts == [2000, 3000, 4000, 5000])
  }

  @Test func readsSoftInterrupts() throws {
    let table = try #require(InterruptTable(KernelText(softirqs)))
    #expect(table.rows.map(\.label) == ["HI", "TIMER", "NET_RX"])
    #expect(table.rows[1].description == "")
  }

  @Test func readsThisKernel() throws {
    let table = try #require(InterruptTable(try liveText("/proc/interrupts")))
    #expect(table.rows.contains { $0.label == "LOC" || $0.label.hasPrefix("IPI") })
    #expect(InterruptTable(try liveText("/proc/softirqs"))?.rows.isEmpty == false)
  }

  @Test func followsColumnsWhenACPUGoesOff() throws {
    let before = try #require(
      InterruptTable(KernelText("     CPU0  CPU1  CPU2\n 9:  10  20  30  chip  x\n")))
    let after = try #require(
      InterruptTable(KernelText("     CPU0  CPU2\n 9:  11  33  chip  x\n")))
    let difference = InterruptDifference(from: before, to: after)
    #expect(difference.changedCPUs == [1])
    #expect(difference.total == 1 + 3)
    #expect(difference.entries.map(\.cpu) == [0, 1, 2])
    #expect(difference.entries[1].after == nil)
    #expect(difference.entries[1].step == nil)
    #expect(difference.entries[2].step == .advanced(3))
  }

  @Test func takesARenumberedInterruptForAnother() throws {
    let before = try #require(InterruptTable(KernelText("  CPU0\n 40: 100 chip eth0\n")))
    let after = try #require(InterruptTable(KernelText("  CPU0\n 40: 7 chip usb1\n")))
    let difference = InterruptDifference(from: before, to: after)
    #expect(difference.total == 0)
    #expect(difference.entries.map(\.step) == [nil, nil])
    #expect(difference.entries.map(\.description) == ["chip usb1", "chip eth0"])
  }

  @Test func wrapsAt32Bits() throws {
    let before = try #require(InterruptTable(KernelText("  CPU0\n LOC: 4294967295 x\n")))
    let after = try #require(InterruptTable(KernelText("  CPU0\n LOC: 1 x\n")))
    let difference = InterruptDifference(from: before, to: after)
    #expect(difference.entries.map(\.step) == [.wrapped(2)])
    #expect(difference.total == 2)
  }

  @Test func isNoTableWithoutCPUs() {
    #expect(InterruptTable(KernelText("")) == nil)
    #expect(InterruptTable(KernelText("garbage\n1: 2\n")) == nil)
    #expect(InterruptTable(KernelText("\n 1: 2\n")) == nil)
  }

  @Test(arguments: [x86, arm, softirqs])
  func survivesDamage(recorded: String) throws {
    let whole = try #require(InterruptTable(KernelText(recorded)))
    withDamage(recorded) { text in
      guard let table = InterruptTable(text) else { return }
      #expect(table.rows.allSatisfy { !$0.counts.isEmpty })
      _ = InterruptDifference(from: whole, to: table)
      _ = InterruptDifference(from: table, to: whole)
    }
  }
}
