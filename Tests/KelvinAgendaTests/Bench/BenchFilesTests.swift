import Foundation
import Glibc
import KelvinAgenda
import KelvinModel
import Testing

/// Where bench files and profiles are looked for.
@Suite struct BenchFilesTests {
  private func find(_ folder: Folder, chosen: String? = nil) throws -> [String] {
    try BenchFiles.find(
      chosen: chosen, directory: folder.path, environment: ["XDG_CONFIG_HOME": folder["config"]]
    ).map(folder.relative)
  }

  @Test func findsAllUsualPlacesInOrder() throws {
    let folder = Folder([
      "bench.yaml": "", "bench.d/b.yaml": "", "bench.d/a.yml": "", "bench.d/.hidden.yaml": "",
      "bench.d/readme.md": "", "config/kelvin/bench.yaml": "", "config/kelvin/bench.d/u.yaml": ""
    ])
    #expect(
      try find(folder) == [
        "bench.yaml", "bench.d/a.yml", "bench.d/b.yaml", "config/kelvin/bench.yaml",
        "config/kelvin/bench.d/u.yaml"
      ])
  }

  @Test func aChosenFileStandsAlone() throws {
    let folder = Folder(["bench.yaml": ""])
    #expect(try find(folder, chosen: "other.yaml") == ["other.yaml"])
  }

  @Test func noFileIsAnErrorThatNamesThePlaces() throws {
    let folder = Folder()
    let failure = try #require(throws: ConfigurationFailure.self) { try find(folder) }
    let message = folder.relative(failure.message)
    #expect(message.hasPrefix("bench.yaml: error: no bench is described: looked for bench.yaml, "))
    #expect(message.contains("config/kelvin/bench.d/"))
    #expect(message.contains("'kelvin bench scan' prints a bench.yaml to start from"))
  }

  @Test func oneFileUnderTwoNamesIsReadOnce() throws {
    let folder = Folder(["bench.yaml": "", "config/kelvin/x": ""])
    #expect(symlink(folder["bench.yaml"], folder["config/kelvin/bench.yaml"]) == 0)
    #expect(try find(folder) == ["bench.yaml"])
  }

  @Test func aLinkThatLeadsNowhereIsNotPassedOver() throws {
    let folder = Folder(["x": ""])
    #expect(symlink(folder["gone"], folder["bench.yaml"]) == 0)
    #expect(try find(folder) == ["bench.yaml"])
  }

  @Test(
    arguments: [
      (["XDG_CONFIG_HOME": "/x", "HOME": "/h"], "/x/kelvin"),
      (["XDG_CONFIG_HOME": "x", "HOME": "/h"], "/h/.config/kelvin"),
      (["XDG_CONFIG_HOME": "", "HOME": "/h"], "/h/.config/kelvin"), (["HOME": ""], nil), ([:], nil)
    ] as [([String: String], String?)])
  func theUsersConfigurationFollowsTheSpecification(
    environment: [String: String], expected: String?
  ) {
    #expect(UserConfiguration.directory(environment) == expected)
  }

  @Test func profilesAreFoundAboveTheExecutable() {
    let folder = Folder(["a/hardware/boards/x.yaml": "", "a/b/hardware/other": ""])
    func roots(_ environment: [String: String], _ executable: String) -> [String] {
      HardwareProfiles.roots(environment: environment, executable: folder[executable])
        .map(folder.relative)
    }
    #expect(roots([:], "a/b/bin/kelvin") == ["a/hardware"])
    #expect(roots([:], "c/kelvin") == ["/usr/share/kelvin/hardware"])
    #expect(
      roots(["KELVIN_HARDWARE": "/k", "HOME": "/h"], "a/b/kelvin") == ["/h/.config/kelvin", "/k"])
    #expect(roots(["KELVIN_HARDWARE": ""], "a/kelvin") == ["a/hardware"])
  }

  @Test func theUsersOwnProfileWins() throws {
    let folder = Folder([
      "own/boards/b.yaml": "{title: Own, platform: linux}",
      "all/boards/b.yaml": "{title: Other, platform: linux}",
      "all/boards/c.yaml": "{title: C, platform: android}", "all/meters/m.yaml": "{}"
    ])
    let hardware = HardwareProfiles(roots: [folder["own"], folder["all"]])
    #expect(hardware.names(.board) == ["b", "c"])
    #expect(hardware.names(.meter) == ["m"])
    #expect(try hardware.board(named: "b").title == "Own")
    let (boards, none) = hardware.boards()
    #expect(boards.map(\.title) == ["Own", "C"])
    #expect(none == [])
    let (meters, mistakes) = hardware.meters()
    #expect(meters == [])
    #expect(mistakes.count == 2)
  }

  @Test func anUnknownProfileGetsTheNearestName() throws {
    let folder = Folder(["boards/rock-5b.yaml": "{title: R, platform: linux}"])
    let hardware = HardwareProfiles(roots: [folder.path])
    let failure = try #require(throws: ConfigurationFailure.self) {
      try hardware.board(named: "rock5b")
    }
    #expect(
      failure.message.contains("no board profile is called 'rock5b'; did you mean 'rock-5b'?"))
    #expect(throws: ConfigurationFailure.self) { try hardware.meter(named: "../boards/rock-5b") }
  }
}
