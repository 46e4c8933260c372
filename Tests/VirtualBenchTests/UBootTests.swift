import Foundation
import KelvinModel
import Testing

/// `kelvin target uboot` on Debian's U-Boot, through the owner of ports and a pseudo terminal.
@Suite(.serialized, .needsGuests, .guest("uboot"), .timeLimit(.minutes(5)))
struct UBootTests {
  let bench: KelvinBench
  let text: String

  init() throws {
    let board = try #require(VirtualGuest.current)
    bench = try KelvinBench()
    text = """
      boards:
        rock:
          profile: generic-linux
          console: {serial: {path: \(board.console)}}
          bootloader: uboot
          power: {qmp: \(board.folder)/qmp.sock}
        bare:
          profile: generic-linux
          console: {serial: {path: /dev/null}}
      """
  }

  private func uboot(_ arguments: String...) throws -> VirtualGuest.Done {
    try bench.kelvin(["target", "uboot"] + arguments, bench: text)
  }

  @Test func restartsTheBoardAndRunsCommandsWithTheirStatus() throws {
    let first = try uboot("rock", "--reset", "--timeout", "2 min", "--", "version")
    #expect(first.code == 0 && first.output.hasPrefix("U-Boot 20"), "\(first)")
    let failed = try uboot("rock", "--", "echo a; false")
    #expect(failed.code == 1 && failed.output == "a\n" && failed.error.isEmpty, "\(failed)")
    let late = try uboot("rock", "--timeout", "8 s", "--", "echo b; sleep 100")
    #expect(late.code == 124 && late.output == "b\n", "\(late)")
    let odd = try uboot("rock", "--", "echo 'a")
    #expect(odd.code == 125 && odd.error.contains("quote"), "\(odd)")
  }

  @Test func listsVariables() throws {
    let done = try uboot(
      "rock", "--reset", "--timeout", "2 min", "--", "setenv greeting 'it is'; setenv other 1")
    #expect(done.code == 0, "\(done)")
    let list = try uboot("rock", "--env")
    #expect(list.code == 0 && list.output.contains("\ngreeting=it is\n"), "\(list)")
    let map = Value(json: try uboot("rock", "--env", "--format", "json").output)?.map
    #expect(map?["greeting"]?.text == "it is")
  }

  @Test func saysThatNothingWasBooted() throws {
    let done = try uboot("rock", "--reset", "--boot", "--timeout", "2 min")
    #expect(done.code == 125 && done.error.contains("nothing was booted"), "\(done)")
  }

  @Test func loadsAFile() throws {
    let path = bench.directory + "/an image@1"
    try Data((0..<3000).map { UInt8(truncatingIfNeeded: $0 * 7) }).write(
      to: URL(fileURLWithPath: path))
    let done = try uboot(
      "rock", "--reset", "--timeout", "3 min", "--load", path + "@kernel_addr_r", "--",
      "echo $filesize")
    #expect(done.code == 0 && done.output == "bb8\n", "\(done)")
    #expect(done.error.contains("3000 bytes, CRC-32"), "\(done)")
    let refused = try uboot("rock", "--load", path + "@0")
    #expect(refused.code == 125 && refused.error.contains("no memory"), "\(refused)")
    let odd = try uboot("rock", "--load", path + "@")
    #expect(odd.code != 0 && odd.error.contains("FILE@ADDRESS"), "\(odd)")
  }

  @Test func saysThatABoardHasNoUBoot() throws {
    let done = try uboot("bare", "--", "version")
    #expect(done.code == 2 && done.error.contains("bootloader: uboot"), "\(done)")
  }
}
