import Foundation
import Glibc
import KelvinDevices
import KelvinModel
import KelvinSystem
import Testing

/// An owner of ports of a test's own, and what it holds.
final class GuestOwner {
  let directory: String
  let places: OwnerPlaces
  let limit = Deadline.after(seconds: 240)

  init() throws {
    directory = NSTemporaryDirectory() + "kelvin-owner-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    places = OwnerPlaces(
      runtimeDirectory: directory + "/run", stateDirectory: directory + "/state")
  }

  deinit {
    if let client = try? client(starts: false) {
      _ = try? client.shutDown(force: true, until: .after(seconds: 10))
    }
    try? FileManager.default.removeItem(atPath: directory)
  }

  func client(starts: Bool = true) throws -> Owner.Client {
    try Owner.Client.connect(
      to: places, as: "test",
      starter: starts
        ? OwnerStarter(program: VirtualGuest.root + "/.build/debug/kelvin") : nil,
      until: .after(seconds: 30))
  }

  /// Reads until the console says something.
  ///
  /// - Returns: what it said until then.
  func wait(
    for text: String, _ client: Owner.Client, _ attachment: inout ConsoleAttachment,
    seconds: Double = 60
  ) throws -> String {
    let deadline = limit.limited(toSeconds: seconds)
    var said: [UInt8] = []
    while !String(decoding: said, as: UTF8.self).contains(text) {
      guard let news = try client.news(of: &attachment, until: deadline) else {
        Issue.record("no '\(text)' in '\(String(decoding: said.suffix(300), as: UTF8.self))'")
        break
      }
      said += news.bytes
    }
    return String(decoding: said, as: UTF8.self)
  }

  func logged(_ name: String) -> [UInt8] {
    let reader = ConsoleLogReader(directory: places.consoleDirectory(name))
    var bytes: [UInt8] = []
    while true {
      let piece = reader.read(at: UInt64(bytes.count), limit: 1 << 20)
      if piece.bytes.isEmpty { return bytes }
      bytes += piece.bytes
    }
  }
}

/// The owner on the console of a real kernel, over QEMU's telnet.
@Suite(.serialized, .needsGuests, .guest("x86-b"), .timeLimit(.minutes(5)))
struct OwnerGuestTests {
  @Test func aSessionOutlivesTheOwnerAndItsUsers() throws {
    let guest = try #require(VirtualGuest.current)
    let owner = try GuestOwner()
    let address = try ConsoleAddress(guest.console)
    let limit = owner.limit
    let first = try owner.client()
    #expect(try first.open("board", at: address, until: limit).state == .open)
    var attachment = try first.attach("board", until: limit)
    try first.takeWriter("board", until: limit)
    try first.write(Array("\n".utf8), to: "board", until: limit)
    _ = try owner.wait(for: "login: ", first, &attachment)
    try first.write(Array("root\n".utf8), to: "board", until: limit)
    _ = try owner.wait(for: "assword: ", first, &attachment)
    try first.write(Array("kelvin\n".utf8), to: "board", until: limit)
    _ = try owner.wait(for: "# ", first, &attachment)

    // The owner dies while the board talks; the next one finds the session where it was.
    try first.write(
      Array("i=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo line $i; done; echo en''d\n".utf8),
      to: "board", until: limit)
    _ = try owner.wait(for: "line 20", first, &attachment)
    let process = try #require(ProcessIdentity(processID: first.processID))
    kill(process.processID, SIGKILL)
    try VirtualGuest.wait("the owner's end") { !process.isAlive }
    let before = owner.logged("board")

    let second = try owner.client()
    #expect(second.processID != process.processID)
    _ = try second.open("board", at: address, until: limit)
    attachment = try second.attach(
      "board", from: .position(attachment.position), until: limit)
    try second.takeWriter("board", until: limit)
    try second.write(Array("echo si''x $((6*7))\n".utf8), to: "board", until: limit)
    _ = try owner.wait(for: "six 42", second, &attachment)

    // What the dead owner logged is, byte for byte, what QEMU itself wrote down.
    let truth = Array(FileManager.default.contents(atPath: guest.folder + "/console.log") ?? Data())
    let all = owner.logged("board")
    #expect(all.starts(with: before))
    #expect(before.count > 200)
    #expect(Data(truth).range(of: Data(before)) != nil)
    let gaps = ConsoleLogReader(directory: owner.places.consoleDirectory("board")).entries
      .filter { $0.event == "gap" }
    #expect(gaps.count == 1)

    // A break goes through telnet to the kernel's own handler.
    try second.sendBreak(to: "board", until: limit)
    try second.write(Array("h".utf8), to: "board", until: limit)
    #expect(try owner.wait(for: "HELP", second, &attachment).contains("sysrq"))
  }
}

/// The owner on a console whose pseudo terminal is another one after each start.
@Suite(.serialized, .needsGuests, .timeLimit(.minutes(5)))
struct OwnerTerminalTests {
  @Test func aBoardThatComesBackOnAnotherTerminalIsHeldOn() throws {
    let owner = try GuestOwner()
    let limit = owner.limit
    let guest = try VirtualGuest.start("uboot")
    defer { guest.stop() }
    let client = try owner.client()
    #expect(try client.open("uboot", at: .pty(path: guest.console), until: limit).state == .open)
    var attachment = try client.attach("uboot", from: .first, until: limit)
    try client.takeWriter("uboot", until: limit)
    /// A pseudo terminal loses what is said before somebody opens it: the invitation to press a key
    /// may be among it, so keys are pressed until the prompt answers.
    func reachPrompt() throws {
      let deadline = limit.limited(toSeconds: 60)
      var said: [UInt8] = []
      while !String(decoding: said, as: UTF8.self).contains("=> ") {
        try #require(!deadline.hasPassed, "no prompt in '\(String(decoding: said, as: UTF8.self))'")
        try client.write([13], to: "uboot", until: limit)
        let patience = deadline.limited(toSeconds: 1)
        while let news = try client.news(of: &attachment, until: patience) { said += news.bytes }
      }
    }
    try reachPrompt()
    try client.write(Array("version\n".utf8), to: "uboot", until: limit)
    _ = try owner.wait(for: "U-Boot 2", client, &attachment)
    guest.stop()
    let lost = Deadline.after(seconds: 30)
    while attachment.state == .open, try client.news(of: &attachment, until: lost) != nil {}
    #expect(attachment.state != .open)

    // Nobody asks for it again.
    let again = try VirtualGuest.start("uboot")
    #expect(again.console == guest.console)
    let back = Deadline.after(seconds: 30)
    while attachment.state != .open, try client.news(of: &attachment, until: back) != nil {}
    #expect(attachment.state == .open)
    try reachPrompt()
    try client.write(Array("echo a''gain\n".utf8), to: "uboot", until: limit)
    _ = try owner.wait(for: "again", client, &attachment)
  }
}
