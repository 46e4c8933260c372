import Foundation
import Glibc
import Testing

/// How scripts/virtual-bench behaves when things go wrong.
@Suite(.serialized, .needsGuests, .timeLimit(.minutes(5)))
struct VirtualBenchScriptTests {
  @Test func namesTheGuestsWhenOneIsUnknown() throws {
    let done = try VirtualGuest.script(["start", "x86-z"])
    #expect(done.code == 1 && done.error.contains("x86-a") && !done.error.contains("Traceback"))
  }

  @Test func saysWhichPortIsTakenAndStartsNothing() throws {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(listener) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(42203).bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    let bound = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    // Taken by somebody else already: just as good.
    if bound == 0 { #expect(listen(listener, 1) == 0) }
    let done = try VirtualGuest.script(["start", "arm", "--as", "test-taken-\(getpid())"])
    #expect(done.code == 1)
    #expect(done.error.contains("42203") && done.error.contains("--any-port"), "\(done.error)")
    #expect(try running("test-taken-\(getpid())") != true)
  }

  @Test func noticesAGuestKilledByHandAndCleansUp() throws {
    let guest = try VirtualGuest.start("uboot")
    defer { guest.stop() }
    #expect(try running(guest.name) == true)
    let pids = processes(of: guest)
    #expect(!pids.isEmpty)
    for pid in pids { kill(pid, SIGKILL) }
    try VirtualGuest.wait("status to notice") { try running(guest.name) == false }
    let console = try VirtualGuest.script(["console", guest.name])
    #expect(console.code == 1 && console.error.contains("down"))
    // The name can be used again at once.
    let again = try VirtualGuest.script([
      "start", "uboot", "--as", guest.name, "--any-port", "--for", "5m"
    ])
    #expect(again.code == 0, "\(again.error)")
  }

  @Test func endsEveryProcessOfAGuest() throws {
    let guest = try VirtualGuest.start("uboot")
    #expect(!processes(of: guest).isEmpty)
    let done = try VirtualGuest.script(["stop", guest.name])
    #expect(done.code == 0 && done.error.contains("stopped"))
    #expect(processes(of: guest).isEmpty)
  }

  @Test func bootsDebiansUBootOnAPty() throws {
    let guest = try VirtualGuest.start("uboot")
    defer { guest.stop() }
    #expect(guest.console.hasSuffix("console.pty"))
    try VirtualGuest.wait("U-Boot's prompt") { guest.consoleLog().contains("=> ") }
    let terminal = open(guest.console, O_RDWR | O_NOCTTY)
    try #require(terminal >= 0)
    defer { close(terminal) }
    #expect(write(terminal, "version\r", 8) == 8)
    try VirtualGuest.wait("an answer") {
      guest.consoleLog().components(separatedBy: "U-Boot 20").count > 2
    }
  }

  /// Nil when there is no such guest.
  private func running(_ name: String) throws -> Bool? {
    struct Record: Decodable {
      let name: String
      let running: Bool
    }
    let text = try VirtualGuest.script(["status", "--format", "json"]).output
    return try JSONDecoder().decode([Record].self, from: Data(text.utf8))
      .first { $0.name == name }?.running
  }

  private func processes(of guest: VirtualGuest) -> [pid_t] {
    let mark = Data("KELVIN_VIRTUAL_BENCH_GUEST=\(guest.folder)\0".utf8)
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return names.compactMap { pid_t($0) }.filter {
      FileManager.default.contents(atPath: "/proc/\($0)/environ")?.range(of: mark) != nil
    }
  }
}
