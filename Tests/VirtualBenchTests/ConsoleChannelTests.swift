import Glibc
import KelvinConnections
import KelvinModel
import KelvinSystem
import Testing

/// Commands over the console of a board whose kernel talks on it.
@Suite(.serialized, .needsGuests, .guest("x86-a"), .timeLimit(.minutes(15)))
struct ConsoleChannelTests {
  /// The console, which takes one client at a time.
  private func link(_ board: VirtualGuest) throws -> DescriptorLink {
    let socket = try UnixSocket.connect(path: board.console, until: .after(seconds: 10))
    return DescriptorLink(socket, name: board.name)
  }

  /// Logs in where nobody is.
  private func channel(_ link: any ByteLink) throws -> ConsoleChannel {
    let login = ConsoleLogin(user: "root", password: Array("kelvin".utf8))
    return try ConsoleSession(link, login: login).reach(until: .after(seconds: 90))
  }

  /// KELVIN_LONG_TESTS makes it 2,000 commands.
  @Test func isTrueAmongTheKernelsOwnMessages() throws {
    let board = try #require(VirtualGuest.current)
    let count = getenv("KELVIN_LONG_TESTS") != nil ? 2000 : 40
    // A hundred messages a second, until the test is over or given up.
    try board.run(
      """
      echo on >/proc/sys/kernel/printk_devkmsg; echo 8 >/proc/sys/kernel/printk
      (i=0; while [ $i -lt 60000 ] && [ ! -e /tmp/quiet ]; do
      echo "<4>usb 1-1: noise $i" >/dev/kmsg; i=$((i+1)); sleep 0.01; done) >/dev/null 2>&1 </dev/null &
      """)
    defer { _ = board.answers("touch /tmp/quiet; echo 4 >/proc/sys/kernel/printk") }
    let channel = try channel(link(board))
    var generator = SystemRandomNumberGenerator()
    for number in 1...count {
      let size = number % 10 == 0 ? 1500 : Int.random(in: 0...100)
      let bytes = (0..<size).map { _ in UInt8.random(in: 0...255, using: &generator) }
      let status = Int32.random(in: 0...125)
      let reply = try channel.run(
        "echo \(number) >>/tmp/ran; cat; echo \(number) >&2; exit \(status)", input: bytes,
        until: .after(seconds: 60))
      #expect(
        reply
          == ConsoleReply(status: status, output: bytes, error: Array("\(number)\n".utf8)))
    }
    #expect(try board.run("wc -l </tmp/ran") == "\(count)")
    #expect(board.consoleLog().contains("noise"))
    print(channel.counts)
    channel.close(until: .after(seconds: 10))
    #expect(try board.run("ls -d /run/.kelvin-* 2>/dev/null | wc -l") == "0")
  }

  @Test func saysThatTheConnectionIsLostWhenTheBoardRestarts() throws {
    let board = try #require(VirtualGuest.current)
    let link = try link(board)
    let channel = try channel(link)
    let failure = #expect(throws: ConnectionFailure.self) {
      try channel.run("echo b >/proc/sysrq-trigger; sleep 100", until: .after(seconds: 60))
    }
    #expect(failure?.code == .connectionLost)
    // And reaches it again, through its start.
    let again = try self.channel(link)
    #expect(try again.run("echo on", until: .after(seconds: 30)).output == Array("on\n".utf8))
  }
}
