import Foundation
import Glibc
import KelvinModel
import Testing

/// A wait for a real kernel's thermal zone, battery and idle CPUs; what cools the board is a command of
/// this machine.
@Suite(.serialized, .needsGuests, .guest("x86-a"), .timeLimit(.minutes(5)))
struct DelayTests {
  @Test func aHotBoardIsCooledBeforeItsJob() throws {
    let bench = try KelvinBench()
    let board = try #require(VirtualGuest.current)
    let folder =
      NSTemporaryDirectory() + "kelvin-delay-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let text = """
      boards:
        rock:
          profile: virtual-x86
          connection:
            ssh: {host: 127.0.0.1, port: \(try board.port("ssh_port")), config: \(board.folder)/ssh_config}

      """
    let script = "\(VirtualGuest.root)/scripts/virtual-bench live \(board.name)"
    try """
    config:
      max_retries: 0
      augmentations: [delay, csv]
      delay:
        wait_for:
          temperature: 45 degC
          battery: {at_least: 1 %}
          cpu_idle: {at_least: 30 %, window: 1 s}
        on_timeout: fail
        timeout: 60 s
        cooling: {start: '\(script) temperature-dK=3132', stop: '\(script) power-mW=777'}
    workloads:
      - {name: command, params: {argv: [cat, /sys/class/thermal/thermal_zone0/temp]}}
    """.write(toFile: folder + "/a.yaml", atomically: true, encoding: .utf8)
    #expect(try VirtualGuest.script(["live", board.name, "temperature-dK=3332"]).code == 0)
    #expect(try board.run("cat /sys/class/thermal/thermal_zone0/temp") == "60000")
    let done = try bench.kelvin(
      ["run", folder + "/a.yaml", "--board", "rock", "-d", folder + "/run"], bench: text)
    let log = (try? String(contentsOfFile: folder + "/run/run.log", encoding: .utf8)) ?? ""
    #expect(done.code == 0, "\(done)\(log)")
    #expect(log.contains("60.0 degC -> 40.0 degC (wanted at most 45.0 degC)"), "\(log)")
    #expect(log.contains("BAT0"), "\(log)")
    let csv = (try? String(contentsOfFile: folder + "/run/results.csv", encoding: .utf8)) ?? ""
    #expect(csv.contains(",delay_temperature,40"), "\(csv)")
    #expect(csv.contains(",delay_cpu_idle,"), "\(csv)")
    // The command that ends the cooling ran, too.
    let live = try VirtualGuest.script(["live", board.name])
    #expect(live.output.contains("power-mW=777"), "\(live)")
  }
}
