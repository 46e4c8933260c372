import Glibc
import KelvinModel
import KelvinStore
import Testing

/// `kelvin bench reserve|release|disable|enable|who`, as a user meets them.
@Suite struct BenchCommandTests {
  let scratch: Scratch

  init() throws {
    scratch = try Scratch()
    try scratch.write(
      "bench.yaml",
      """
      boards:
        rock: {profile: rock-5b, connection: {ssh: {host: 192.0.2.7}}}
        pi: {profile: raspberry-pi-4, connection: {ssh: {host: 192.0.2.8}}}
      """)
  }

  private func bench(_ arguments: String..., user: String = "anna") async throws -> Ran {
    try await KelvinBinary.run(
      ["bench"] + arguments, in: scratch.path, environment: ["KELVIN_USER": user])
  }

  @Test(.timeLimit(.minutes(1)))
  func aReservationIsForItsUserAndEnds() async throws {
    let reserved = try await bench("reserve", "rock", "--for", "2h", "--reason", "bring-up")
    #expect(reserved.code == 0, "\(reserved.both)")
    #expect(reserved.output.contains("reserved for anna until"))
    let ben = try await bench("reserve", "rock", "--for", "1 min", user: "ben")
    #expect(ben.code == 3)
    #expect(ben.errors.contains("reserved by anna until"), "\(ben.errors)")
    #expect(ben.errors.contains("bring-up"))
    #expect(try await bench("release", "rock", user: "ben").code == 3)
    #expect(try await bench("release", "--force", "rock", user: "ben").code == 0)
    let none = try await bench("release", "rock")
    #expect(none.code == 0)
    #expect(none.output.contains("is not reserved"))
  }

  @Test(.timeLimit(.minutes(1)))
  func aReservedMachineIsForItsUsersRuns() async throws {
    try scratch.write("a.yaml", "workloads: [{name: command, params: {argv: ['true']}}]\n")
    #expect(try await bench("reserve", "local", "--for", "1h").code == 0)
    for more in [[], ["--exclusive"]] {
      let arguments = ["run", "a.yaml", "-d", "out", "-f", "-q"] + more
      let ben = try await KelvinBinary.run(
        arguments, in: scratch.path, environment: ["KELVIN_USER": "ben"])
      #expect(ben.code == 3, "\(ben.both)")
      let anna = try await KelvinBinary.run(
        arguments, in: scratch.path, environment: ["KELVIN_USER": "anna"])
      #expect(anna.code == 0, "\(anna.both)")
    }
    #expect(try await bench("disable", "local", "--reason", "hot").code == 0)
    let disabled = try await KelvinBinary.run(["run", "a.yaml", "-d", "no"], in: scratch.path)
    #expect(disabled.code == 3)
    #expect(disabled.errors.contains("kelvin bench enable local"))
  }

  @Test(.timeLimit(.minutes(1)))
  func whoShowsWhatIsTakenOutAndWhy() async throws {
    #expect(try await bench("who").output.contains("nobody has"))
    #expect(try await bench("who", "--format", "json").output == "[]\n")
    #expect(!scratch.exists(".state"), "reading makes nothing")
    #expect(try await bench("disable", "rock", "--reason", "fan broken").code == 0)
    #expect(try await bench("reserve", "pi", "--for", "1h").code == 0)
    let text = try await bench("who").output
    #expect(text.contains("board pi    reserved by anna until"), "\(text)")
    #expect(text.contains("board rock  disabled by anna since"), "\(text)")
    let json = try await bench("who", "--format", "json").output
    #expect(json.contains("\"bench\":\"\(scratch.path)/bench.yaml\""), "\(json)")
    #expect(json.contains("\"state\":\"disabled\""))
    #expect(json.contains("\"reason\":\"fan broken\""))
    #expect(try await bench("enable", "rock").output.contains("enabled"))
    #expect(try await bench("enable", "rock").output.contains("was neither"))
    #expect(try await bench("who", "--all").output.contains("board rock  free"))
  }

  @Test(.timeLimit(.minutes(1)))
  func mistakesAreToldFromTrouble() async throws {
    for duration in ["2", "-1h", "0s", "2 V", "400d", "soon"] {
      #expect(try await bench("reserve", "rock", "--for=" + duration).code == 2, "\(duration)")
    }
    #expect(try await bench("disable", "rock").code == 2, "a reason is wanted")
    let missing = try await bench("reserve", "rock", "--for", "1h", "--bench", "nowhere.yaml")
    #expect(missing.code == 2)
    #expect(missing.errors.contains("nowhere.yaml"), "\(missing.errors)")
    let misspelt = try await bench("reserve", "rokc", "--for", "1h")
    #expect(misspelt.code == 2)
    #expect(misspelt.errors.contains("did you mean 'rock'?"), "\(misspelt.errors)")
    unlink(scratch.path + "/bench.yaml")
    let none = try await bench("reserve", "rock", "--for", "1h")
    #expect(none.code == 2)
    #expect(none.errors.contains("no bench is described"), "\(none.errors)")
  }

  /// Another bench file, another name, the same board.
  @Test(.timeLimit(.minutes(1)))
  func oneBoardOfTwoBenchFilesIsOne() async throws {
    try scratch.write(
      "other.yaml",
      "boards: {stone: {profile: generic-linux, connection: {ssh: {host: 192.0.2.7, user: me}}}}\n"
    )
    #expect(try await bench("reserve", "rock", "--for", "1h").code == 0)
    let stone = try await bench(
      "reserve", "stone", "--for", "1h", "--bench", "other.yaml", user: "ben")
    #expect(stone.code == 3)
    #expect(stone.errors.contains("board 'stone': reserved by anna"), "\(stone.errors)")
  }

  @Test(.timeLimit(.minutes(1)), arguments: ["reserve", "release", "disable", "enable", "who"])
  func helpHasExamples(command: String) async throws {
    let help = try await bench(command, "--help")
    #expect(help.code == 0)
    #expect(help.output.contains("EXAMPLES"))
    #expect(help.output.contains("kelvin bench \(command)"))
  }
}
