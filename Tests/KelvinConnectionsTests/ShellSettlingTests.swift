import Glibc
import KelvinModel
import Testing

@testable import KelvinConnections

/// The reply to settling, whole and damaged.
@Suite struct ShellSettlingTests {
  /// Steps of every kind, and what a shell answers to them.
  private func exchange(
    by shell: [String], in scratch: Scratch
  ) async throws -> (steps: [ValueStep], settling: ShellSettling, reply: [UInt8]) {
    for (name, text) in [("a", "1\n"), ("b", "x [y] z\n"), ("c", "\u{1}\n"), ("d", "1\n2\n")] {
      try scratch.write(name, Array(text.utf8))
    }
    let here = TargetPath(scratch.path)
    let steps = [
      ValueStep(here.appending("a"), line: "2"), ValueStep(here.appending("b"), line: "y"),
      ValueStep(here.appending("c"), wanted: [2]), ValueStep(here.appending("d"), line: "1\n2"),
      ValueStep(here.appending("none"), line: "1"), ValueStep(here.appending("a"), line: "1"),
      ValueStep(here.appending("d"), line: "3", isAlwaysWritten: true), ValueStep(here),
      ValueStep(here.appending("a"))
    ]
    let settling = ShellSettling(steps, limit: 100)
    let script =
      "exec 7>&2\n\(ShellScript.find)\n\(ShellValues.functions)\n\(settling.script)"
    let reply = try await LocalConnection().execute(
      Command(shell, environment: ["LC_ALL": "C"], standardInput: .bytes(Array(script.utf8))),
      until: .after(seconds: 30)
    ).standardOutput.bytes
    return (steps, settling, reply)
  }

  @Test(.timeLimit(.minutes(1)), arguments: ShellValuesTests.shells)
  func aReplyThatIsCutOrDamagedIsNeverTakenForAnother(shell: [String]) async throws {
    let scratch = try Scratch()
    let (steps, settling, reply) = try await exchange(by: shell, in: scratch)
    let (whole, isComplete) = settling.outcomes(reply)
    #expect(isComplete)
    #expect(
      whole.map(\.writing) == [
        .done, .notNeeded, .done, .notNeeded, .failed(.notFound), .done, .done, .notNeeded,
        .notNeeded
      ])
    for length in reply.indices {
      let (cut, isComplete) = settling.outcomes(Array(reply[..<length]))
      #expect(!isComplete && cut.count == steps.count)
      for (index, outcome) in cut.enumerated() {
        #expect(outcome.before == whole[index].before || outcome.before == .failure(.io))
        #expect(
          outcome.writing == whole[index].writing
            || outcome.writing == .failed(.io) && steps[index].wanted != nil)
        #expect(outcome.after == .failure(.io))
      }
    }
    // A byte within a content may be any; whatever it is, there is an answer for each step.
    for index in reply.indices {
      for bit in [UInt8(1), 0x10, 0x80] {
        var damaged = reply
        damaged[index] ^= bit
        let (outcomes, _) = settling.outcomes(damaged)
        #expect(outcomes.count == steps.count)
        #expect(outcomes[7].writing == .notNeeded && outcomes[8].writing == .notNeeded)
      }
    }
    for doubled in [reply + reply, reply + [10], [10] + reply] {
      #expect(!settling.outcomes(doubled).isComplete)
    }
  }

  /// As a processor's files are that an earlier step brings online: what could not be read with all
  /// others is read, and judged, when its turn comes.
  @Test(.timeLimit(.minutes(1)), arguments: ShellValuesTests.shells)
  func filesThatAppearByAnEarlierStepAreJudgedThen(shell: [String]) async throws {
    let scratch = try Scratch()
    try scratch.write("switch", Array("0\n".utf8))
    let here = TargetPath(scratch.path)
    let steps = [
      ValueStep(here.appending("held")), ValueStep(here.appending("switch"), line: "1"),
      ValueStep(here.appending("held"), line: "5"), ValueStep(here.appending("open"), line: "5"),
      ValueStep(here.appending("other"), line: "7"), ValueStep(here.appending("seen"))
    ]
    let settling = ShellSettling(steps, limit: 100)
    // The switch makes the files.
    let files = """
      kelvin_put() { kelvin_switch "$@"; case $1 in */switch) for kelvin_x in held other seen; do
      echo 5 >"\(scratch.path)/$kelvin_x"; done; printf 5 >"\(scratch.path)/open";; esac; }
      """
    let functions = ShellValues.functions.replacing("kelvin_put()", with: "kelvin_switch()")
    let script = "exec 7>&2\n\(ShellScript.find)\n\(functions)\n\(files)\n\(settling.script)"
    let reply = try await LocalConnection().execute(
      Command(shell, environment: ["LC_ALL": "C"], standardInput: .bytes(Array(script.utf8))),
      until: .after(seconds: 30)
    ).standardOutput.bytes
    let (outcomes, isComplete) = settling.outcomes(reply)
    #expect(isComplete)
    let five: Result<[UInt8], Errno> = .success([53, 10])
    #expect(
      outcomes.map(\.before) == [
        .failure(.notFound), .success([48, 10]), five, .success([53]), five, five
      ])
    #expect(
      outcomes.map(\.writing) == [.notNeeded, .done, .notNeeded, .notNeeded, .done, .notNeeded])
    #expect(
      outcomes.map(\.after) == [
        five, .success([49, 10]), five, .success([53]), .success([55, 10]), five
      ])
  }

  /// What was read last is read again when its answer was damaged; nothing is written twice.
  @Test(.timeLimit(.minutes(1)))
  func whatTheFilesHoldInTheEndIsAskedForAgain() async throws {
    let scratch = try Scratch()
    try scratch.write("a", Array("1\n".utf8))
    // A head that fails from its second use on, until it is asked by name for one file alone.
    mkdir(scratch.path + "/bin", 0o755)
    try scratch.write(
      "bin/head",
      Array(
        """
        #!/bin/sh
        [ -e \(scratch.path)/used ] && [ "$1" = -q ] && [ ! -e \(scratch.path)/over ] && {
        : >\(scratch.path)/over; echo stray; exit 0; }
        [ "$1" = -q ] && : >\(scratch.path)/used
        exec env -i K=$K /usr/bin/head "$@"

        """.utf8))
    chmod(scratch.path + "/bin/head", 0o755)
    let path = String(cString: getenv("PATH"))
    let connection = ShellConnection(
      argv: ["env", "PATH=\(scratch.path)/bin:\(path)", "dash"])
    let outcomes = try await connection.settle(
      [ValueStep(TargetPath(scratch.path + "/a"), line: "2")], until: soon())
    #expect(access(scratch.path + "/over", F_OK) == 0)
    #expect(
      outcomes == [
        ValueOutcome(before: .success([49, 10]), writing: .done, after: .success([50, 10]))
      ])
    await connection.close()
  }
}
