import Foundation
import KelvinModel
import Testing

/// `kelvin meter align` on a board with a clock of its own: the meter is the processor time that this machine
/// spends on it, read here.
@Suite(.serialized, .needsGuests, .guest("x86-a"), .timeLimit(.minutes(3)))
struct AlignTests {
  /// Prints, each 10 ms, the time and how many of this machine's CPUs the emulator had since the line before.
  private static let load = """
    import glob, sys, time
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try: words = open(path).read().split("\\0")
        except OSError: continue
        if words[0].startswith("qemu-system") and any(sys.argv[1] in word for word in words):
            tasks = path.replace("cmdline", "task/*/schedstat")
    def used():
        total = 0
        for path in glob.glob(tasks):
            try: total += int(open(path).read().split()[0])
            except OSError: pass
        return total
    last, at = used(), time.monotonic_ns()
    while True:
        time.sleep(0.01)
        now, end = used(), time.monotonic_ns()
        print((at + end) // 2, (now - last) / (end - at), flush=True)
        last, at = now, end

    """

  @Test func findsTheStepsOfABoardWithoutNanoseconds() throws {
    let board = try #require(VirtualGuest.current)
    let bench = try KelvinBench()
    let script = bench.directory + "/load.py"
    try Self.load.write(toFile: script, atomically: true, encoding: .utf8)
    // busybox's date knows none: its clock is /proc/uptime.
    #expect(try board.run("date +%N").filter(\.isNumber).isEmpty)
    let done = try bench.kelvin(
      ["meter", "align", "load", "--board", "rock", "--order", "4", "--format", "json"],
      bench: """
        boards:
          rock:
            profile: virtual-x86
            connection:
              ssh: {host: 127.0.0.1, port: \(try board.port("ssh_port")), config: \(board.folder)/ssh_config}
        meters:
          load:
            driver: command
            argv: [python3, \(script), \(board.folder)]
            columns: [time, power]
            separator: " "
            time: ns
            clock: monotonic
            channels: {power: W}

        """)
    try #require(done.code == 0, "\(done.error)")
    let found = try #require(Value(json: done.output)?.map)
    let offset = try #require(found["offset"]?.number)
    let error = try #require(found["standard error"]?.number)
    print("late by \(offset) s, standard error \(error) s")
    // The trace is of the processor itself: it is late by nothing but what this machine's own load makes.
    #expect(abs(offset) < 4 * error + 0.02, "\(found)")
    #expect(error > 0 && error < 0.1, "\(found)")
    #expect((found["contrast"]?.number ?? 0) > 0.1, "\(found)")
    #expect((found["used"]?.integer ?? 0) >= 5, "\(found)")
  }
}
