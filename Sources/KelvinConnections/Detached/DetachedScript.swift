/// The shell code of a command that runs while nobody is connected to its board: a launcher, which
/// answers, and a runner, which outlives the link.
///
/// Needs on the board: sh, cat, mkdir, mv, sleep; setsid, so that all of a command that takes too long
/// can be ended; ip (or ifconfig) where an interface is to be taken down; date with nanoseconds, for
/// times finer than a hundredth of a second.
enum DetachedScript {
  /// Checks what can be known, writes standard input down, and leaves the runner behind.
  ///
  /// Arguments: the runner's text; the directory; the interface (`-`: none, `+`: the one by which this
  /// session came, else that of the default route); seconds before the command, seconds that it may
  /// take, seconds between SIGTERM and SIGKILL; the command's words.
  ///
  /// Prints lines: `interface NAME`, `boot ID`, `ready PID STAT` (of /proc/PID/stat, proc(5)); or
  /// `error WORD`: `directory`, `missing`, `forbidden`, `interface NAME`, `route`, `root`, `tool`.
  static let launcher = """
    k_run=$1 k_dir=$2 k_if=$3; shift 3
    unset KELVIN_COMMAND KELVIN_LC
    mkdir -p "$k_dir" && cat >"$k_dir/stdin" || { echo error directory; exit 1; }
    case $4 in */*) [ -f "$4" ] || { echo error missing; exit 1; }
    [ -x "$4" ] || { echo error forbidden; exit 1; };;
    *) command -v -- "$4" >/dev/null || { echo error missing; exit 1; };; esac
    if [ "$k_if" = + ]; then k_a=${SSH_CONNECTION#* * }; k_a=${k_a%% *}; k_if=
    [ "$k_a" ] && k_if=$(ip -o addr show 2>/dev/null | while read -r k_n k_i k_f k_c k_r; do
    case $k_c in "$k_a"/*) k_i=${k_i%:}; echo "${k_i%%@*}"; break;; esac; done)
    [ "$k_if" ] || while read -r k_i k_n k_r; do [ "$k_n" = 00000000 ] && k_if=$k_i && break
    done </proc/net/route
    case ${k_if:-lo} in lo) echo error route; exit 1;; esac; fi
    if [ "$k_if" != - ]; then
    [ -e "/sys/class/net/$k_if" ] || { echo "error interface $k_if"; exit 1; }
    [ "$(id -u)" = 0 ] || { echo error root; exit 1; }
    command -v ip >/dev/null || command -v ifconfig >/dev/null || { echo error tool; exit 1; }
    echo "interface $k_if"; fi
    IFS= read -r k_boot <\(ShellScript.bootIDFile); echo "boot $k_boot"
    k_setsid=; command -v setsid >/dev/null && k_setsid=setsid
    k_pid=$( (exec $k_setsid sh -c "$k_run" sh "$k_dir" "$k_if" "$k_setsid" "$@") </dev/null 2>/dev/null &
    echo $!)
    IFS= read -r k_stat </proc/$k_pid/stat; echo "ready $k_pid $k_stat"
    """

  /// Waits, takes the interface down, runs the command, and takes the interface up again.
  ///
  /// Shells start what they leave behind with SIGINT and SIGQUIT ignored, which only env(1) of GNU can
  /// undo: on boards without that the command does not hear them. busybox's kill takes an empty word
  /// for its own process group: `k_kill` takes nothing but a number.
  ///
  /// A watch beside it ends a command that takes too long, and sees to it that the interface comes back
  /// even then. In the directory it leaves `stdout`, `stderr`; `begun` and `over`, lines of what
  /// ``DetachedReport`` reads; `late` when the time was not enough. `over` is renamed into place when
  /// all is written and the link is back.
  ///
  /// Its standard output is what the launcher waits for: closed when it has a session of its own, so that
  /// whoever ends the launcher's does not end it.
  static let runner = """
    trap '' HUP; exec >/dev/null
    k_dir=$1 k_if=$2 k_group=$3 k_settle=$4 k_limit=$5 k_grace=$6; shift 6
    k_now() { read -r k_u k_x </proc/uptime; echo "$1 $k_u $(date +%s%N)"; }
    k_down() { [ "$k_if" = - ] && return; k_keep=/proc/sys/net/ipv6/conf/$k_if/keep_addr_on_down
    read -r k_kept <$k_keep && echo 1 >$k_keep
    if command -v ip; then k_routes=$(ip route show dev "$k_if"); ip link set dev "$k_if" down
    else ifconfig "$k_if" down; fi; }
    k_up() { [ "$k_if" = - ] && return
    if command -v ip; then ip link set dev "$k_if" up || return 1
    echo "$k_routes" | while IFS= read -r k_r; do ip route add $k_r dev "$k_if"; done
    else ifconfig "$k_if" up || return 1; fi
    [ "$k_kept" ] && echo "$k_kept" >$k_keep; return 0; }
    k_kill() { case $2 in ''|0*|1|*[!0-9]*) ;; *) kill -$1 $2;; esac; }
    k_close() { k_up && echo link up || echo link lost; }
    k_stop=; trap 'k_stop=x' TERM INT
    sleep "$k_settle"; [ "$k_stop" ] && exit 143
    k_down || { k_up; echo link kept >"$k_dir/over"; exit 1; }
    (trap '' TERM; sleep "$k_limit" & echo $! >"$k_dir/watch"; wait; : >"$k_dir/watch"
    [ -e "$k_dir/done" ] && exit
    echo >"$k_dir/late"; k_pid=; read -r k_pid <"$k_dir/pid"
    if [ "$k_group" ]; then kill -TERM -$$; else k_kill TERM "$k_pid"; fi
    sleep "$k_grace"; [ -e "$k_dir/done" ] && exit
    { echo status 137 s; k_now end; k_close; } >"$k_dir/over.new"
    mv "$k_dir/over.new" "$k_dir/over"
    if [ "$k_group" ]; then kill -KILL -$$; else k_kill KILL "$k_pid"; kill -KILL $$; fi) &
    k_n=0; until [ -s "$k_dir/watch" ] || [ $k_n = 9999 ]; do k_n=$((k_n+1)); done
    k_env=; case $1 in *=*) ;; *) env --default-signal=INT,QUIT true && \
    k_env='env --default-signal=INT,QUIT';; esac
    exec 2>"$k_dir/stderr"
    \(ShellScript.signals)
    k_now begin >"$k_dir/begun"
    (exec sh -c 'echo $$ >"$1"; shift; \(ShellScript.noBuiltin); exec "$@"' sh "$k_dir/pid" $k_env "$@" \
    2>&7 7>&- 8<&-) <"$k_dir/stdin" >"$k_dir/stdout"
    kelvin_status=$?
    k_over=$(k_now end); kelvin_end; exec 2>/dev/null; echo >"$k_dir/done"
    read -r k_pid <"$k_dir/watch" && k_kill KILL "$k_pid"
    { echo "status $kelvin_status $kelvin_word"; echo "$k_over"; times; k_close; } >"$k_dir/over.new"
    mv "$k_dir/over.new" "$k_dir/over"
    """

  /// What there is to say of a run: its files, whether its runner is there, and which boot this is.
  ///
  /// `over` is read first: once it is there, all that comes before it is.
  ///
  /// Arguments: the directory, the runner's process id.
  static let inquiry = """
    cd -- "$1" && cat over begun; [ -e late ] && echo late
    IFS= read -r k_boot <\(ShellScript.bootIDFile); echo "boot $k_boot"
    IFS= read -r k_stat </proc/$2/stat && echo "runner $k_stat"; :
    """

  /// The board's clocks: seconds since boot, and nanoseconds of its calendar where it has them.
  static let clock = "read -r k_u k_x </proc/uptime; echo \"clock $k_u $(date +%s%N 2>/dev/null)\""
}
