/// Shell functions that a console's agent keeps in a file, so that commands cost the line few bytes.
/// Scripts read it as `. "$0"`. POSIX shell, tried with dash, bash, busybox ash and mksh.
///
/// Names that begin with `k_` or `kelvin_` are Kelvin's own. Scripts have the line itself as 3, for
/// calls: a frame that is none, upon which the host asks how things are.
enum ConsoleLibrary {
  /// Stores the library, which it reads, and ends what earlier sessions left. busybox's head takes more
  /// from a pipe than it prints; dd does not, if it knows full blocks.
  static let storing = """
    cat >"$0"&&{ dd iflag=fullblock count=0 </dev/null >/dev/null 2>&1&&echo k_F=x >>"$0"||:;}&&. "$0"&&k_old
    """

  /// The library's text.
  ///
  /// - Parameters:
  ///   - session: the agent's.
  ///   - environment: exported to every command.
  static func text(session: String, environment: [String: String]) -> String {
    "k_S=\(session)\n\(ShellScript.find)\n\(ShellValues.functions)\nk_env() { \(ShellScript.exports(environment))\n:; }\n"
      + "k_end() {\n\(ShellScript.signals)\n}\n\(functions)\n"
  }

  /// The variable that marks a command, and all that it starts.
  static func marker(session: String, nonce: String) -> String {
    "KELVIN_COMMAND=\(session)-\(nonce)"
  }

  // k_sig prepares a shell: 7 and 6 are standard error, 2 takes what the shell itself has to say.
  // k_no NONCE WORDS ends a script that could not begin its command. k_why PROGRAM makes what
  // kelvin_end said more exact. k_need NONCE PROGRAM looks it up. k_s NONCE ARGV runs a short
  // command; the file f tells the agent that something may still write to the streams.
  //
  // k_b NONCE JOB LIMIT IN OUT ERR PROGRAM ARGV starts a command that outlives its script; the ARGV is
  // of k_in, which prints its process id, the boot, seconds since then and /proc/PID/stat, and kills
  // the script's shell, which so ends with 137: what shells start in the background would ignore
  // SIGINT. What waits for it outlives a terminal that sudo has made. OUT and ERR: p, through a
  // pipe of which LIMIT bytes are kept and the rest counted, f, to a file, n, nowhere. Files of job
  // J: J.o and J.e the streams, J.m and J.n bytes that were not kept (nothing in them: there was no
  // room), J.p and J.q the pipes while they are read, J.i: it has begun, J.r why not, J.s its end: the
  // status, the word of kelvin_end (f: there was no room) and seconds since the board's boot (k_u).
  // k_w JOB NONCE [LIMIT] hands over streams and end, the last line of which is a dot: without it
  // something is missing; with LIMIT so much of each stream, and as o and e how long they are. k_z JOB
  // ROOT ends a script with 100 when the command runs, with 102 when it is gone without an end. k_x JOB
  // NONCE ROOT START [LIMIT] is k_z, then k_w when it has left nothing (else 101).
  //
  // k_m MARKER ROOT START lists the living processes of a command, as process id and start, in k_l
  // the ids alone: those of the root's session that began no earlier than it, those that carry the
  // marker, and all below these; of ROOT and START '-': the marker alone. Starts are compared as
  // text (k_late): numbers of some shells have 32 bits. The script's own shell and what that was
  // started by are never among them, nor is 1. k_k SIGNALS MARKER ROOT START signals them as well.
  // k_old ends the commands of sessions whose agents are gone: of hosts that died, or lost the line.
  private static let functions = #"""
    k_sig() { k_end; exec 6>&7; if [ "$KELVIN_LC" ]; then LC_ALL=$KELVIN_LC; else unset LC_ALL; fi
    unset KELVIN_LC; k_env; }
    k_no() { k_n=$1; shift; printf '~%s%s' $k_n "$*" >&7; exit 126; }
    k_why() { case $kelvin_status in 126|127) kelvin_find "$1"
    if [ "$kelvin_path" ]; then :; elif [ "$kelvin_plain" ]; then kelvin_word=f
    else kelvin_word=m; fi;; 130|141) ;;
    129|13?|14?|15?|16?|17?|18?|190|191|192) [ $kelvin_word = e ] || return 0
    (exec sh -c 'kill -9 $$' 2>/dev/null); kelvin_end
    if [ $kelvin_word = s ]; then kelvin_word=e; else kelvin_word=u; fi;; esac; }
    k_find() { kelvin_find "$1"; [ "$kelvin_path" ]; }
    k_need() { k_find "$2" && return
    [ "$kelvin_plain" ] && k_no $1 f; k_no $1 m; }
    k_s() { k_n=$1; shift
    : >${0%/*}/f
    (export KELVIN_COMMAND=$k_S-$k_n; \#(ShellScript.noBuiltin); exec "$@" 2>&6 3>&- 6>&- 7>&- 8<&-)
    kelvin_status=$?; kelvin_end; k_why "$1"; printf '~%s%s' $k_n $kelvin_word >&7
    exit $kelvin_status; }
    k_keep() { if [ "$k_F" ]; then dd iflag=fullblock bs=4096 count=$(((k_L+4095)/4096))
    else head -c $k_L; fi; }
    k_pipe() { k_f=/dev/null; : >$k_d.$3; case $2 in n) return;; esac; k_f=$k_d.$3
    case $2 in f) return;; esac; mkfifo $k_d.$1 || return 0
    : >$k_d.$4
    ({ k_keep >$k_f && wc -c >$k_d.$4; } || { : >$k_d.$4; cat >/dev/null; }
    rm -f $k_d.$1) <$k_d.$1 2>/dev/null 3>&- 6>&- 7>&- 8<&- &
    k_f=$k_d.$1; }
    k_b() { k_n=$1 k_d=${0%/*}/$2 k_L=$3 k_i=$4; k_pipe p $5 o m; k_o=$k_f; k_pipe q $6 e n; k_e=$k_f
    k_p=$7; shift 7; k_find setsid; k_t=${kelvin_path:+setsid}
    (trap '' HUP; exec 5>&1 >/dev/null; (trap - HUP; export KELVIN_COMMAND=$k_S-$k_n
    exec $k_t "$@" <$k_i >$k_o 2>$k_e 5>&5 3>&- 6>&- 7>&- 8<&-)
    kelvin_status=$?; k_u; kelvin_end; [ -f $k_d.i ] || exit; k_why "$k_p"
    echo $kelvin_status $kelvin_word $k_t >$k_d.s || { : >$k_d.o; : >$k_d.e
    echo $kelvin_status f >$k_d.s; }; printf '\n~%s .\n' $k_S >&3)
    wait; cat $k_d.e >&7; k_no $k_n r $(cat $k_d.r); }
    k_u() { k_t=-; { read -r k_t k_y </proc/uptime; } 2>/dev/null; }
    k_in='k_d=$1; [ $2 = - ] || [ "$(nice)" = $2 ] || { echo nice >$k_d.r; exit 126; }
    k_t=-; k_x=; k_y=; { IFS= read -r k_x </proc/$$/stat; IFS= read -r k_y <\#(ShellScript.bootIDFile)
    IFS=" " read -r k_t k_u </proc/uptime; } 2>/dev/null
    echo $$ ${k_y:--} $k_t "$k_x" >&5; : >$k_d.i; shift 2; \#(ShellScript.noBuiltin)
    kill -9 $0; exec "$@" 5>&-'
    k_w() { k_d=${0%/*}/$1; k_i=0
    while [ -p $k_d.p -o -p $k_d.q ] && [ $k_i -lt 60 ]; do
    k_i=$((k_i+1)); sleep 0.05 2>/dev/null || { sleep 1; k_i=$((k_i+19)); }; done
    k_c o $3 && k_c e $3 >&2 && { printf '~%s' $2; cat $k_d.s
    [ ! "$3" ] || { echo o $(wc -c <$k_d.o); echo e $(wc -c <$k_d.e); }
    for k_i in m n; do [ -e $k_d.$k_i ] && echo $k_i $(cat $k_d.$k_i); done; echo .; } >&2 2>/dev/null
    rm -f $k_d.*; }
    k_c() { if [ "$2" ] && k_find head; then head -c $2 $k_d.$1; else cat $k_d.$1; fi; }
    k_z() { [ -s ${0%/*}/$1.s ] && return; [ ! -d /proc/self ] || [ -d /proc/$2 ] || exit 102; exit 100; }
    k_x() { k_z $1 $3; k_m KELVIN_COMMAND=$k_S-$2 $3 $4
    [ "$k_l" ] && exit 101; k_w $1 $2 $5; }
    k_m() { k_g=x; k_find grep &&
    k_g=$({ cat /proc/[0-9]*/environ | tr '\000' '\n'; cat /proc/[0-9]*/stat; } 2>/dev/null |
    grep -e "^$1\$" -e "^$2 " -e ") [^ZX] [0-9]* [0-9]* $2 "); k_l=; [ "$k_g" ] || return 0
    k_M=$1 k_r=$2 k_t=$3 k_a= k_v=' 1 ' k_x=$$
    while [ $k_x -gt 1 ]; do k_v="$k_v$k_x "; k_y=; IFS= read -r k_y </proc/$k_x/stat || break
    set -- ${k_y##*) }; k_x=${2:-1}; done 2>/dev/null
    for k_x in /proc/[0-9]*; do k_y=; IFS= read -r k_y <$k_x/stat || continue
    k_x=${k_x#/proc/}; case $k_v in *" $k_x "*) continue;; esac
    set -- ${k_y##*) }; case $1 in Z*|X*) continue;; esac
    k_a="$k_a $k_x/$2/${20}"
    case $k_t,$k_r in -,*|*,[01]) ;; *,$4|*,$k_x) k_late ${20} && { k_l="$k_l $k_x"; continue; };; esac
    case "
    $(tr '\000' '\n' </proc/$k_x/environ)
    " in *"
    $k_M
    "*) k_l="$k_l $k_x";; esac; done 2>/dev/null
    k_g=; while [ "$k_g" != "$k_l" ]; do k_g=$k_l; for k_x in $k_a; do
    k_y=${k_x#*/}; k_y=${k_y%/*}; k_x=${k_x%%/*}
    case " $k_l " in *" $k_x "*) ;; *" $k_y "*) k_l="$k_l $k_x";; esac; done; done
    for k_x in $k_a; do case " $k_l " in *" ${k_x%%/*} "*) echo ${k_x%%/*} ${k_x##*/};; esac; done; }
    k_late() { [ ${#1} -gt ${#k_t} ] && return; [ ${#1} = ${#k_t} ] && ! [ "$1" \< "$k_t" ]; }
    k_k() { k_h=$1; shift; k_m "$@"; [ "$k_l" ] && for k_x in $k_h; do kill -$k_x $k_l; done
    :; } 2>/dev/null
    k_old() { k_find grep || return 0
    for k_o in $(cat /proc/[0-9]*/environ | tr '\000' '\n' | grep '^KELVIN_COMMAND=....-......$'); do
    k_x=${k_o#*=}; k_x=${k_x%-*}; for k_y in /run /dev/shm /tmp /var/tmp /dev; do
    [ -d $k_y/.kelvin-$k_x ] && continue 2; done
    k_k STOP "$k_o" - -; k_k KILL "$k_o" - -; done; } >/dev/null 2>&1
    """#
}
