import KelvinModel
import Testing

@testable import KelvinConnections
@testable import KelvinTargets

/// Settings that commands read and write, for real on this machine.
@Suite(.timeLimit(.minutes(2))) struct SettingsScriptTests {
  /// A setting of which a file is the state, changed by shell lines only.
  private func command(_ file: String, check: Bool = true) -> JobSpec.Setting {
    var entry: [String: Value] = [
      "apply": .text("echo noise; echo set > \(file)"), "undo": .text("rm -f \(file)")
    ]
    if check { entry["check"] = .text("grep -q set \(file)") }
    return .init("commands", .list([.map(entry)]))
  }

  private func settings(_ name: String, _ journal: MemoryJournal) -> DeviceSettings {
    DeviceSettings(
      target: Target(name: "here", connection: makeConnection(name), runID: "settings"),
      journal: journal)
  }

  @Test(arguments: connectionNames, [true, false])
  func aCommandIsAppliedAndUndone(connection: String, check: Bool) async throws {
    let directory = try Directory()
    let file = directory.path + "/state"
    let journal = MemoryJournal()
    let settings = settings(connection, journal)
    try await settings.apply([command(file, check: check)], until: soon)
    #expect(try LocalFile.read(file) == Array("set\n".utf8))
    #expect(try journal.originals().map(\.value) == ["undone"])
    // Another life undoes it.
    try await self.settings(connection, journal).restore(until: soon)
    #expect(throws: (any Error).self) { try LocalFile.read(file) }
    #expect(try journal.originals() == [])
    await settings.target.disconnect(until: soon)
  }

  /// Nothing tells whether it holds; it is undone once all the same, not before each later job.
  @Test func whatCannotBeCheckedIsUndoneOnce() async throws {
    let directory = try Directory()
    let log = directory.path + "/log"
    let settings = settings("shell", MemoryJournal())
    let entry: Value = [
      "apply": .text("echo apply >> \(log)"), "undo": .text("echo undo >> \(log)")
    ]
    for settingsOfJob in [[JobSpec.Setting("commands", [entry])], [], [], []] {
      try await settings.apply(settingsOfJob, until: soon)
    }
    try await settings.restore(until: soon)
    #expect(try LocalFile.read(log) == Array("apply\nundo\n".utf8))
    #expect(!settings.isChanged)
    await settings.target.disconnect(until: soon)
  }

  /// What holds already is neither applied nor undone.
  @Test func whatHoldsAlreadyStays() async throws {
    let directory = try Directory()
    let file = try directory.write("state", "set before\n")
    let settings = settings("shell", MemoryJournal())
    #expect(try await settings.apply([command(file)], until: soon).changes == [])
    try await settings.restore(until: soon)
    #expect(try LocalFile.read(file) == Array("set before\n".utf8))
    await settings.target.disconnect(until: soon)
  }

  @Test func aCommandThatFailsIsToldWithItsWords() async throws {
    let settings = settings("shell", MemoryJournal())
    let failure = await #expect(throws: SettingFailure.self) {
      try await settings.apply(
        [
          .init(
            "commands",
            [["apply": "echo no such luck >&2; false", "undo": "true", "check": "false"]])
        ], until: soon)
    }
    #expect(failure?.code == .notHeld)
    #expect(failure?.evidence.contains("no such luck") == true, "\(String(describing: failure))")
    await settings.target.disconnect(until: soon)
  }

  @Test(arguments: [
    "it's", "a b", "$(touch /tmp/never)", "`x`", "\\", "\"", "*", "-n", "a;b", "tab\tbed", ""
  ])
  func valuesReachTheCommandAsTheyAre(value: String) async throws {
    let directory = try Directory()
    let file = try directory.write("value", "before\n")
    let point = SettingPoint(
      commands: "value", "value", read: "cat \(file)", write: "printf '%s\\n' \"$1\" > \(file)")
    let settings = settings("shell", MemoryJournal())
    let outcomes = try await settings.settle([SettingWish(point, value, setting: "x")], until: soon)
    #expect(try outcomes[0].before.get() == "before")
    #expect(outcomes[0].isWritten)
    #expect(try outcomes[0].after.get() == value.trimmed)
    await settings.target.disconnect(until: soon)
  }

  /// What a reply lacks is no success.
  @Test func aReplyThatIsCutOrDamagedIsNoReply() {
    let point = SettingPoint(commands: "x", "x", read: "echo 1", write: "true")
    let script = SettingsScript([(point, "2"), (point, nil)])
    let mark = script.text.split(separator: "'").first { $0.contains("%s %s %s") } ?? ""
    #expect(!mark.isEmpty)
    let name = script.text.split(separator: " ").first { $0.hasPrefix("k") && $0.count > 8 } ?? ""
    let reply = Array(
      "motd\n\(name) b0 0 1\n\(name) w0 0 \n\(name) a0 0 2\n\(name) a1 0 1\n".utf8)
    #expect(script.outcomes(in: reply)?.count == 2)
    let last = reply.count - 4
    for length in 0..<last { #expect(script.outcomes(in: Array(reply[..<length])) == nil) }
    for index in reply.indices {
      var damaged = reply
      damaged[index] ^= 0x55
      // Whatever it gives, it gives both or nothing.
      #expect([nil, 2].contains(script.outcomes(in: damaged)?.count))
    }
  }
}

extension String {
  fileprivate var trimmed: String { String(trimmingASCIIWhitespace) }
}
