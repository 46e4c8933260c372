import Foundation
import Glibc
import KelvinModel
import Testing

/// One agenda, four boards, four ways to them, at once; and each way interrupted.
@Suite(
  .serialized, .needsGuests, .enabled(if: FourBoards.adbd != nil, "needs scripts/build-adbd"),
  .fourBoards, .timeLimit(.minutes(10)))
struct FourConnectionsTests {
  let bench: KelvinBench
  let boards: FourBoards

  init() throws {
    bench = try KelvinBench()
    boards = try #require(FourBoards.current)
    setenv("BOARD_PASSWORD", "kelvin", 1)
  }

  @Test func carryOutOneAgendaAtOnce() throws {
    let agenda = boards.folder + "/agenda.yaml"
    try """
    config:
      augmentations: [execution_time, csv, status]
    workloads:
      - name: command
        label: work
        params:
          argv: [vb-work, -c, '1', -u, '100']
          metrics: {rate: {pattern: '^rate ([0-9.]+)', unit: units/s}}
        iterations: 2
      - name: shellscript
        label: copy
        params: {script_file: \(boards.folder)/copy.sh, argstring: '1 "two words"'}
    """.write(toFile: agenda, atomically: true, encoding: .utf8)
    try "#!/bin/sh\necho \"$#:$2\"; head -c 100000 /dev/zero | wc -c; echo noise >&2\n".write(
      toFile: boards.folder + "/copy.sh", atomically: true, encoding: .utf8)
    // While they run, kernels talk on the consoles that carry commands.
    for way in [FourBoards.Way.serial, .telnet] {
      try boards.guest(way).run(
        """
        echo on >/proc/sys/kernel/printk_devkmsg; echo 8 >/proc/sys/kernel/printk
        (i=0; while [ $i -lt 20000 ] && [ ! -e /tmp/quiet ]; do
        echo "<4>usb 1-1: noise $i" >/dev/kmsg; i=$((i+1)); sleep 0.05; done) >/dev/null 2>&1 </dev/null &
        """)
    }
    defer {
      for way in [FourBoards.Way.serial, .telnet] {
        _ = try? boards.guest(way).run("touch /tmp/quiet; echo 4 >/proc/sys/kernel/printk")
      }
    }
    let runs = try FourBoards.Way.allCases.map { way in
      (
        way,
        try bench.start(
          ["run", agenda, "--board", "\(way)", "-d", "\(boards.folder)/\(way)", "-q"],
          bench: boards.text)
      )
    }
    for (way, run) in runs {
      try VirtualGuest.wait("the run over \(way) ends", seconds: 300) { !run.isRunning }
      #expect(run.terminationStatus == 0, "\(way)")
      let results = try String(
        contentsOfFile: "\(boards.folder)/\(way)/results.csv", encoding: .utf8)
      #expect(results.components(separatedBy: ",rate,").count == 3, "\(way): \(results)")
      let output = try VirtualGuest.program(
        "/bin/sh", ["-c", "cat \(boards.folder)/\(way)/jobs/*copy*/*/stdout*"])
      #expect(output.output == "2:two words\n100000\n", "\(way): \(output)")
      // Nothing stays on the board.
      #expect(
        try boards.guest(way).run("ls -d /tmp/kelvin-* /run/.kelvin-* 2>/dev/null | wc -l") == "0",
        "\(way)")
    }
  }

  @Test(arguments: FourBoards.Way.allCases)
  func aCordPulledInMidCommandIsALostConnection(way: FourBoards.Way) throws {
    let guest = try boards.guest(way)
    let record = "\(boards.folder)/status-\(way)"
    let mark = "54\(getpid())"
    let process = try bench.start(
      [
        "target", "exec", "\(way)", "--status-file", record, "--", "sh", "-c",
        "echo begun; exec sleep \(mark)"
      ], bench: boards.text)
    defer { process.terminate() }
    try VirtualGuest.wait("the command runs") {
      try guest.run("ps | grep '[s]leep \(mark)' | wc -l") != "0"
    }
    try boards.cord(way).pull()
    let begin = Date()
    try VirtualGuest.wait("kelvin ends", seconds: 90) { !process.isRunning }
    #expect(process.terminationStatus == 126)
    #expect(Date().timeIntervalSince(begin) < 60)
    let status = Value(json: try String(contentsOfFile: record, encoding: .utf8))?.map
    #expect(status?["outcome"]?.text == "connection-lost", "\(String(describing: status))")
    try guest.run("for p in $(pidof sleep); do kill $p; done; :")
    // Plugged in again, it is as good as before.
    try boards.cord(way).plug()
    let done = try bench.kelvin(
      ["target", "exec", "\(way)", "--", "echo", "again"], bench: boards.text)
    #expect(done.code == 0 && done.output == "again\n", "\(done)")
  }

  /// adbd's own interface stays up, and the other ones come back.
  @Test(arguments: [FourBoards.Way.ssh, .adb])
  func noNetworkMeansAllButTheLink(way: FourBoards.Way) throws {
    let guest = try boards.guest(way)
    try guest.run("modprobe dummy; ip link set dummy0 up")
    let set = try bench.kelvin(["target", "set", "\(way)", "network=false"], bench: boards.text)
    #expect(set.code == 0, "\(set)")
    let look =
      "for i in eth0 dummy0; do f=$(cat /sys/class/net/$i/flags); echo $i $((f & 1)); done"
    let seen = try bench.kelvin(
      ["target", "exec", "\(way)", "--", "sh", "-c", look], bench: boards.text)
    #expect(seen.output == "eth0 1\ndummy0 0\n", "\(seen)")
    let restored = try bench.kelvin(["target", "restore", "\(way)"], bench: boards.text)
    #expect(restored.code == 0 && restored.output.contains("dummy0"), "\(restored)")
    #expect(try guest.run(look) == "eth0 1\ndummy0 1")
  }
}
