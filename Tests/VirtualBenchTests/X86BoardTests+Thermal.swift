import Foundation
import Glibc
import Testing

// The zone of the board's ACPI tables.
extension X86BoardTests {
  @Test func aThermalZoneIsSetAndPutBack() throws {
    let board = try board()
    let bench = try KelvinBench()
    let folder =
      NSTemporaryDirectory() + "kelvin-thermal-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let text = """
      boards:
        rock:
          profile: virtual-x86
          connection:
            ssh: {host: 127.0.0.1, port: \(try board.port("ssh_port")), config: \(board.folder)/ssh_config}

      """
    let see = "cd /sys/class/thermal/thermal_zone0; echo $(cat type policy mode trip_point_0_temp)"
    let before = try board.run(see)
    #expect(before == "acpitz step_wise enabled 110000")
    let path = "\(folder)/thermal.yaml"
    try """
    config: {augmentations: [execution_time], max_retries: 0}
    workloads:
      - name: command
        runtime_params: {thermal_zones: {acpitz: {governor: user_space, mode: disabled}}}
        params: {argv: [sh, -c, '\(see)']}
    """.write(toFile: path, atomically: true, encoding: .utf8)
    let done = try bench.kelvin(
      ["run", path, "--board", "rock", "-d", "\(folder)/thermal"], bench: text)
    #expect(done.code == 0, "\(done)")
    let output = try VirtualGuest.program(
      "/bin/sh", ["-c", "cat \(folder)/thermal/jobs/0001-*/*/stdout"]
    ).output
    #expect(output == "acpitz user_space disabled 110000\n")
    #expect(try board.run(see) == before)
    // Its trip points are the firmware's: the kernel's file cannot be written, and that is said.
    let refused = try bench.kelvin(
      ["target", "set", "rock", "thermal_zones={acpitz: {trips: {0: 90 degC}}}"], bench: text)
    #expect(
      refused.code != 0 && refused.error.contains("cannot be set to '90000' (Permission denied)"),
      "\(refused)")
    #expect(try board.run(see) == before)
  }
}
