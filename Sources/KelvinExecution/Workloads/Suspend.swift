internal import KelvinModel

extension Recipe {
  /// Suspends the board, and has its clock wake it: what it draws asleep.
  static let suspend = Recipe(
    Declaration(
      .workload, "suspend", summary: "Suspends the board; its real-time clock wakes it.",
      description: """
        Writes the alarm of /sys/class/rtc (rtc(4)) and then /sys/power/state, as the kernel's \
        Documentation/admin-guide/pm/sleep-states.rst describes them. The link does not live \
        through it, so its jobs are always detached. What the kernel counts in \
        /sys/power/suspend_stats decides whether it slept. Needs root, and an RTC that can wake \
        the board.
        """,
      options: [
        OptionDeclaration(
          "duration", .quantity(.time, bare: "s"), default: 10.0, range: 1...1e6,
          "How long it sleeps, each time; a bare number is in seconds."),
        OptionDeclaration(
          "mode", .choice(["mem", "freeze", "standby", "s2idle", "shallow", "deep"]),
          default: "mem",
          "mem, freeze, standby: as in /sys/power/state; s2idle, shallow, deep: as in "
            + "/sys/power/mem_sleep."),
        OptionDeclaration("cycles", .integer, default: 1, range: 1...100_000, "How often."),
        OptionDeclaration(
          "pause", .quantity(.time, bare: "s"), default: 2.0, range: 0...1e6,
          "Awake between two of them, rounded up to seconds."),
        OptionDeclaration(
          "rtc", .text, default: "rtc0", "The clock that wakes it, by its name in /sys/class/rtc.")
      ],
      metrics: [
        MetricDeclaration(
          "suspend_time", unit: "s", "From going to sleep to being awake again; mean of all cycles."
        ),
        MetricDeclaration("suspend_cycles", "How often it slept."),
        MetricDeclaration("early_wakeups", "How often it woke more than a second before its alarm.")
      ],
      verified: "Debian's kernel on an emulated aarch64 board, to idle (s2idle) only",
      linkUse: .loses),
    argv: { parameters in
      [
        "sh", "-c", suspendScript, "sh", parameters.text("mode") ?? "mem",
        String(Int64((parameters.number("duration") ?? 10).rounded(.up))),
        String(parameters.integer("cycles") ?? 1),
        String(Int64((parameters.number("pause") ?? 2).rounded(.up))),
        parameters.text("rtc") ?? "rtc0"
      ]
    },
    parse: { output in
      let asked = (output.parameters.number("duration") ?? 10).rounded(.up)
      let slept: [Double] = try output.lines().compactMap { line in
        let words = line.split(separator: " ")
        guard words.count == 3, words[0] == "slept", let begin = Double(words[1]),
          let end = Double(words[2]), (0..<1e9).contains(end - begin)
        else { return nil }
        return end - begin
      }
      guard !slept.isEmpty else { return [] }
      return [
        output.metric("suspend_time", slept.reduce(0, +) / Double(slept.count), unit: "s"),
        output.metric("suspend_cycles", Double(slept.count)),
        output.metric(
          "early_wakeups", Double(slept.filter { $0 < asked - 1 }.count), lowerIsBetter: true)
      ]
    }
  ).with { $0.needsRoot = { _ in true } }

  /// Arguments: the mode, seconds asleep, cycles, seconds awake, the clock's name.
  private static let suspendScript = """
    k_no() { echo "$1" >&2; exit 1; }
    k_has() { read -r k_l <"$1" || k_no "the kernel has no $1"
    case " $k_l " in *" $2 "*|*" [$2] "*) ;; *) k_no "this board offers: $k_l ($1)";; esac; }
    k_state=$1 k_rtc=/sys/class/rtc/$5/wakealarm
    case $1 in s2idle|shallow|deep) k_has /sys/power/mem_sleep $1
    k_l=${k_l#*\\[}; k_was=${k_l%%\\]*}
    trap 'echo $k_was >/sys/power/mem_sleep' EXIT; trap 'exit 143' TERM INT
    echo $1 >/sys/power/mem_sleep || exit 1; k_state=mem;; esac
    k_has /sys/power/state $k_state
    [ -w $k_rtc ] || k_no "$5 has no alarm that could wake the board ($k_rtc)"
    k_count() { k_c=; read -r k_c </sys/power/suspend_stats/success; } 2>/dev/null
    k_n=0; while [ $k_n -lt $3 ]; do [ $k_n -gt 0 ] && sleep $4; k_n=$((k_n+1))
    k_count; k_before=$k_c
    echo 0 >$k_rtc; echo +$2 >$k_rtc || k_no "the alarm of $5 cannot be set"
    read -r k_u k_x </proc/uptime; echo $k_state >/sys/power/state; k_s=$?
    read -r k_v k_x </proc/uptime; echo 0 >$k_rtc; k_count
    if [ $k_s != 0 ] || [ "$k_c" -a "$k_c" = "$k_before" ]; then
    k_no "the kernel did not suspend; last failed: $(cat /sys/power/suspend_stats/last_failed_dev \\
    /sys/power/suspend_stats/last_failed_step 2>/dev/null | tr '\\n' ' ')"; fi
    echo slept $k_u $k_v; done
    """
}
