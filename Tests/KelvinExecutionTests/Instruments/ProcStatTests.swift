import Testing

@testable import KelvinExecution

/// Recorded on this project's first machine, Linux 6.18, x86_64; the long line `intr` cut.
let recordedStat = """
  cpu  9351 0 4001 1764381 726 0 55 22 0 0
  cpu0 3701 0 1543 884132 22 0 21 11 0 0
  cpu1 5649 0 2457 880249 703 0 33 11 0 0
  intr 312114 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 1 14
  ctxt 499721
  btime 1795625312
  processes 9117
  procs_running 1
  procs_blocked 0
  softirq 370543 0 96513 4 1704 51340 0 2 132887 0 70961

  """

@Suite struct ProcStatTests {
  @Test func readsTotalsAndCPUs() {
    let stat = ProcStat(KernelText(recordedStat))
    #expect(stat.total?.user == 9351)
    #expect(stat.total?.softirq == 55)
    #expect(stat.cpus.keys.sorted() == [0, 1])
    #expect(stat.cpus[1]?.idle == 880_249)
    #expect(stat.cpus[1]?.steal == 11)
  }

  @Test func sharesAddUp() throws {
    var before = ProcStat.Times()
    before.idle = 1000
    var after = before
    after.user = 30
    after.nice = 10
    after.system = 20
    after.irq = 5
    after.softirq = 5
    after.steal = 10
    after.iowait = 20
    after.idle += 100
    let shares = try #require(CPUShares(from: before, to: after))
    #expect(shares.busy == 35)
    #expect(shares.user == 20)
    #expect(shares.system == 10)
    #expect(shares.irq == 5)
    #expect(shares.steal == 5)
    #expect(shares.iowait == 10)
  }

  @Test func countsNothingWhenIOWaitGoesBack() throws {
    var before = ProcStat.Times()
    before.iowait = 500
    var after = before
    after.iowait = 490
    after.user = 10
    let shares = try #require(CPUShares(from: before, to: after))
    #expect(shares.iowait == 0)
    #expect(shares.busy == 100)
  }

  @Test func hasNoSharesWithoutATick() {
    #expect(CPUShares(from: ProcStat.Times(), to: ProcStat.Times()) == nil)
  }

  @Test func readsThisKernel() throws {
    let stat = ProcStat(try liveText("/proc/stat"))
    let total = try #require(stat.total)
    #expect(total.idle > 0)
    #expect(!stat.cpus.isEmpty)
  }

  @Test func survivesDamage() {
    let end = ProcStat.Times(user: .max, nice: .max, system: .max, idle: .max, iowait: .max)
    withDamage(recordedStat) { text in
      for times in ProcStat(text).cpus.values {
        guard let shares = CPUShares(from: times, to: end) else { continue }
        #expect(shares.busy >= 0 && shares.busy <= 100.001)
      }
    }
  }
}
