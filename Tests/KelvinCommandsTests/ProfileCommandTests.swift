import Foundation
import KelvinModel
import Testing

/// `kelvin show board|meter` and `kelvin list boards|meters`, by the real binary.
@Suite struct ProfileCommandTests {
  @Test(.timeLimit(.minutes(1)))
  func showsABoardAsTheIssueHasIt() async throws {
    let scratch = try Scratch()
    let shown = try await KelvinBinary.run(["show", "board", "rock-5b"], in: scratch.path)
    #expect(shown.code == 0)
    #expect(shown.output.contains("cluster        LITTLE: CPU 0-3, cortex-a55\n"))
    #expect(shown.output.contains("console        1500000 baud\n"))
    // Ctrl-C as text, not as itself.
    #expect(shown.output.contains(#"on receiving   '\u{3}'"#))
    let alone = try await KelvinBinary.run(["show", "rock-5b"], in: scratch.path)
    #expect(alone.output == shown.output)
  }

  @Test(.timeLimit(.minutes(1)))
  func showsAMeterWithItsFiguresSources() async throws {
    let scratch = try Scratch()
    let shown = try await KelvinBinary.run(["show", "meter", "otii"], in: scratch.path)
    #expect(shown.code == 0)
    #expect(shown.output.contains("ACCURACY\n  - main-current: 0.05 % + 25 nA"))
    #expect(shown.output.contains("source: RS Components'"))
    let ppk2 = try await KelvinBinary.run(["show", "meter", "ppk2"], in: scratch.path)
    #expect(ppk2.output.contains("channel        current, current, 200 nA to 1 A\n"))
    #expect(ppk2.output.contains("verified       simulator only\n"))
  }

  @Test(.timeLimit(.minutes(1)))
  func printsProfilesAsJSON() async throws {
    let scratch = try Scratch()
    let board = try await KelvinBinary.run(
      ["show", "board", "virtual-arm", "--format", "json"], in: scratch.path)
    let value = try JSONDecoder().decode(Value.self, from: Data(board.output.utf8))
    #expect(value.map?["clusters"]?.list?.count == 2)
    #expect(
      value.map?["clusters"]?.list?.first?.map?["frequencies"]?.list?.compactMap(\.number)
        == [6e8, 1e9, 1.4e9])
    let list = try await KelvinBinary.run(
      ["list", "meters", "--format", "json"], in: scratch.path)
    let meters = try JSONDecoder().decode(Value.self, from: Data(list.output.utf8))
    let ppk2 = meters.list?.first { $0.map?["name"] == "ppk2" }
    #expect(ppk2?.map?["usb"]?.list?.first?.map?["id"] == "1915:c00a")
  }

  @Test(.timeLimit(.minutes(1)))
  func aMisspeltBoardGetsTheNearestOne() async throws {
    let scratch = try Scratch()
    let shown = try await KelvinBinary.run(["show", "board", "rock5b"], in: scratch.path)
    #expect(shown.code == 2)
    #expect(shown.errors.contains("did you mean 'rock-5b'?"))
    let kind = try await KelvinBinary.run(["show", "bord", "rock-5b"], in: scratch.path)
    #expect(kind.code == 2)
    #expect(kind.errors.contains("did you mean 'board'?"))
  }

  @Test(.timeLimit(.minutes(1)))
  func theUsersOwnProfilesAreListedAndABrokenOneSaysSo() async throws {
    let scratch = try Scratch()
    for directory in [".config", ".config/kelvin", ".config/kelvin/boards", "hardware"] {
      try FileManager.default.createDirectory(
        atPath: scratch.path + "/" + directory, withIntermediateDirectories: true)
    }
    try scratch.write(".config/kelvin/boards/mine.yaml", "{title: Mine, platform: linux}")
    try scratch.write(".config/kelvin/boards/torn.yaml", "{title: Torn, platfrom: linux}")
    let environment = ["KELVIN_HARDWARE": scratch.path + "/hardware"]
    let list = try await KelvinBinary.run(
      ["list", "boards"], in: scratch.path, environment: environment)
    #expect(list.code == 2)
    #expect(list.output == "mine  Mine\n")
    #expect(list.errors.contains("torn.yaml:1:15: error: board profile 'torn': unknown key"))
    #expect(list.errors.contains("did you mean 'platform'?"))
    let shown = try await KelvinBinary.run(
      ["show", "board", "mine"], in: scratch.path, environment: environment)
    #expect(shown.code == 0)
    #expect(shown.output.contains("PROFILE\n"))
  }

  @Test(.timeLimit(.minutes(1)))
  func whatSwitchesPowerIsShownAsAResetLineToo() async throws {
    let scratch = try Scratch()
    let shown = try await KelvinBinary.run(["show", "reset", "gpio"], in: scratch.path)
    #expect(shown.output.hasPrefix("gpio (power)\n"), "\(shown.both)")
    let kind = try await KelvinBinary.run(["show", "power"], in: scratch.path)
    #expect(kind.code == 2)
    #expect(kind.errors.contains("'power': which one?"))
  }

  @Test(.timeLimit(.minutes(1)))
  func connectionsAreListedAndShown() async throws {
    let scratch = try Scratch()
    let list = try await KelvinBinary.run(["list", "connections"], in: scratch.path)
    #expect(list.output.contains("ssh       A board on the network"))
    #expect(list.output.contains("serial    A serial line of this host."))
    let shown = try await KelvinBinary.run(["show", "console", "serial"], in: scratch.path)
    #expect(shown.output.hasPrefix("serial (console)\n"))
    #expect(shown.output.contains("this or match is required"))
  }
}
