/// What runs on the board: a loader that is typed at a prompt, and the agent that it loads. Both are
/// POSIX shell that busybox's ash, dash and bash run.
///
/// The agent needs on the board: one of cksum and md5sum; one of base64, od and hexdump; tr, wc, dd,
/// mkdir, rm, and a directory that can be written. stty and job control are used where they are.
package enum ConsoleAgent {
  /// Tools without which the agent cannot work.
  package static let needed: Set<String> = ["tr", "wc", "dd"]

  /// The line that is typed at a prompt, of any shell that takes words in single quotes. It checks
  /// its own text before it runs any of it, so that a byte lost on the way does no harm.
  ///
  /// What it runs says `@SSSS=` and the tool for checks, then takes the lines of
  /// ``lines(_:check:)`` in order, says after each how many it has (`@SSSS7=7`), and starts the
  /// agent when the line that holds a checked `.` comes. A bare `.` ends it, and the agent: Ctrl-C
  /// does nothing where there is no controlling terminal.
  package static func loader(session: String) -> String {
    let text =
      ##"z=$(stty -g);stty -echo;c=cksum;:|$c>/dev/null 2>&1||c=md5sum;k=;n=0;"##
      + "echo @\(session)=$c;"
      + ##"while IFS= read -r l;do t=${l#* };t=${t#* };set -- $(printf %s "$n$t"|$c);"##
      + ##"case $l in .)break;;"#$n $1 "*)case $t in .)w=$LC_ALL z=$z k=$k c=$c LC_ALL=C sh -c "$k";exit;;esac;"##
      + ##"k="$k$t ";n=$((n+1));;esac;"## + "echo @\(session)$n=$n;done;stty $z echo"
    let words = [ConsoleCheck.cksum, .md5sum].map {
      String(decoding: $0.word(of: text.utf8), as: UTF8.self)
    }
    return #" sh -c 'case $(printf %s "$1"|cksum||printf %s "$1"|md5sum) in "#
      + "\(words[0])\\ *|\(words[1])*)exec sh -c \"$1\";;esac' sh '\(text)'"
  }

  /// The lines that follow the loader, without their newlines; the last one starts the agent.
  package static func lines(_ source: [String], check: ConsoleCheck) -> [[UInt8]] {
    (source + ["."]).enumerated().map { index, text in
      let word = check.word(of: "\(index)\(text)".utf8)
      return Array("#\(index) ".utf8) + word + [UInt8(ascii: " ")] + text.utf8
    }
  }

  /// The same source in fewer lines, of up to 400 bytes.
  package static func packed(_ source: [String]) -> [String] {
    var lines: [String] = []
    for line in source {
      if let last = lines.last, last.utf8.count + line.utf8.count < 400 {
        lines[lines.count - 1] = last + " " + line
      } else {
        lines.append(line)
      }
    }
    return lines
  }

  /// The check of the source that the agent finds itself made of.
  package static func word(of source: [String], check: ConsoleCheck) -> String {
    String(decoding: check.word(of: (source.map { $0 + " " }.joined() + "\n").utf8), as: UTF8.self)
  }

  /// The agent, line by line.
  ///
  /// - Parameter short: bytes of output that a reply in one frame holds.
  package static func source(session: String, short: Int) -> [String] {
    // Variables of the loader's are exported, and none of a command's business.
    [
      "K=$k;Z=$z;x=$c;KELVIN_LC=$w;unset k z c w;c=$x;export KELVIN_LC;S=\(session);z=\(short);"
    ] + text.split(separator: "\n").map(String.init)
  }

  /// Has the agent signal the command, if it runs: its process group, or where the board has no job
  /// control, its descendants, which /proc tells.
  package static func kill(_ signal: Int32) -> String {
    "[ $E = 1 ]&&[ ! -s $D/s ]&&{ kill -\(signal) -$J||{ set +f;l=\" $J \";m=;"
      + "while [ \"$l\" != \"$m\" ];do m=$l;for x in /proc/[0-9]*;do read -r y <$x/stat||continue;"
      + "y=${y##*) ? };y=${y%% *};x=${x#/proc/};"
      + "case $l in *\" $x \"*);;*\" $y \"*)l=\"$l$x \";;esac;done;done;set -f;kill -\(signal) $l;};"
      + "} 2>/dev/null"
  }

  /// Notes an end for a command that was killed together with what would have noted it. It does not
  /// wait: dash may miss the end of a job that was killed, and wait for ever.
  package static let note = "[ $E = 1 ]&&{ [ -s $D/s ]||echo 137 >$D/s;} 2>/dev/null"

  // Names: S session, c the check's tool, H the tools, z bytes of a short reply, D the directory, J the process
  // of the running command; I its number, n its lines, q those that have come, L and M the bytes of
  // its script and its input, E whether it was started (2: it could not be); k_0, k_1 ... the lines' texts; Z the terminal's
  // settings, which the agent puts back itself: behind it the loader is in the background. Files: o and e the streams, s the status, i the input,
  // t a piece, p the agent's process, l what the host has scripts read, which is their $0, f: something
  // may still write to o and e, which are begun anew then. Scripts reach the line as 3, which mksh
  // hands on only where a command's own redirection says so.
  //
  // k_c takes the check of a line, h, and with further words for it the sizes of the files o and e, j.
  // k_f sends a frame; with sizes, only if the files have them. k_b encodes a file as letters and
  // digits. k_e encodes a file of so many bytes: a single line by the shell alone, text by tr, all else
  // by k_b. k_a sends the reply: by k_o, whose one cksum takes the sizes and the frame's check, where
  // the command's own subshell (Y) knows from its descriptors 4 and 5 what the sizes should be. k_l
  // sends the head of a long one, k_g pieces of it. k_d decodes a text. k_r runs the command, k_p takes a
  // line of it, k_n refuses it, k_q tells how it stands, k_h greets.
  private static let text = ##"""
    exec 3>&1;I=0;J=;q=0;n=0;E=0;D=;F=;Y=;
    a=$(printf '\001\t');u="*[!$a -~]*";v="*[!${a#?} -}]*";T=$(printf '\003');
    N=$(printf '\n.');N=${N%.};
    eval "k_c(){ h=\$(exec \$c \$2 \$3 \$4<<E$N\$1${N}E$N)||h=\$(printf '%s\n' \"\$1\"|\$c \$2 \$3 \$4);set -- \$h;h=\$1 j=\${5:+\$5.\$8};}";
    k_f(){ k_c "$S$1" $3 $4 $5;[ "$j" = "$2" ]&&printf '~%s %s %s %s\n' $S "$h" ${#1} "$1";};
    k_b(){ case $B in b)x=$(exec base64 <"$1");m=b;;o)x=$(exec od -An -v -tx1 <"$1");m=y;;
    *)x=$(exec hexdump -v -e '1/1 "%02x"' <"$1");m=y;;esac;set -- $x;IFS=;x=$*;unset IFS;};
    k_e(){ m=t;x=;case $2 in 0)return;;esac;case $3 in "");;*)k_b "$1";return;;esac;
    if [ $2 -le $z ];then while [ ${#x} -le $2 ]&&IFS= read -r h;do case $h in $v)x=;break;;esac;x=$x$h~;done<"$1";
    case $h in $v);;*)x=$x$h;[ ${#x} = $2 ]&&return;;esac;fi;
    x=$(exec tr '\n~\001\000' '~\001\002\002' <"$1");
    case $x in $u);;*)[ ${#x} = $2 ]&&return;;esac;k_b "$1";};
    k_o(){ i=x b=x;read -r x i </proc/self/fdinfo/4;read -r x b </proc/self/fdinfo/5;
    case $i$b in *[!0-9]*|??????*)return 1;;esac;[ $((i+b)) -le $z ]||return;
    k_e $D/o $i;g=$m w=$x;k_e $D/e $b;k_f "$I r $s $g$m ${#w} $w$x" $i.$b - $D/o $D/e;};
    k_a(){ s=;read -r s <$D/s;case $s in x|"")k_f "$I x";return;;esac;
    case $Y$F$c in 1cksum)k_o&&return;;esac;
    case $c in cksum)set -- $(exec cksum $D/o $D/e);set -- $2 $5 $1 $4;;
    *)set -- $(exec wc -c $D/o $D/e);set -- $1 $3;;esac;
    if [ "$F" = l -o ${#1} -gt 9 -o ${#2} -gt 9 -o $(($1+$2)) -gt $z ];then k_l $s "$@";return;fi;
    k_e $D/o $1 $F;g=$m w=$x;k_e $D/e $2 $F;k_f "$I r $s $g$m ${#w} $w$x";};
    k_l(){ case $5 in "")h=$(exec $c <$D/o);x=$(exec $c <$D/e);set -- $1 $2 $3 ${h%% *} ${x%% *};;esac;
    k_f "$I l $*";};
    k_g(){ i=$3;while [ $i -lt $4 ];do dd if=$D/$1 bs=$5 skip=$i count=1 >$D/t 2>/dev/null;
    h=$(($2-i*$5));[ $h -gt $5 ]&&h=$5;k_e $D/t $h $6;k_f "$I $1 $i $5 $m $x";i=$((i+1));done;};
    k_d(){ case $1 in [tT])printf %b "$(printf %s "$2"|tr A-Za-z@ a-zA-Z\ )";;
    *)printf %s "$2"|base64 -d;;esac;};
    k_t(){ x=$1.;for i in Aa Bb Cc Dd Ee Ff Gg Hh Ii Jj Kk Ll Mm Nn Oo Pp Qq Rr Ss Tt Uu Vv Ww Xx Yy Zz '@ ';do g=${i#?};i=${i%?};case $x in *"$g"*)IFS=$g;set -- $x;IFS=$T;x="$*";;esac;
    case $x in *"$i"*)IFS=$i;set -- $x;IFS=$g;x="$*";;esac;
    case $x in *"$T"*)IFS=$T;set -- $x;IFS=$i;x="$*";;esac;done;unset IFS;b=${x%.};
    case $b in *\\*)printf %b "$b">$D/t;b=;
    while IFS= read -r g||[ "$g" ];do b=$b$g$N;done<$D/t;b=${b%"$N"};;esac;} 2>/dev/null;
    k_r(){ i=0;b=;d=;m=;h=/dev/null;while [ $i -lt $n ];do eval "x=\$k_$i";case $x in
    [tb]*)m=${x%"${x#?}"};b=$b${x#?};;*)h=${x%"${x#?}"};d=$d${x#?};;esac;i=$((i+1));done;
    w=$b;
    case $m$((${#b}/600)) in t0)k_t "$b";;*)b=;;esac;
    [ ${#b} = $L ]||b=$(k_d $m "$w");[ ${#b} = $L ]||{ k_n;return;};
    case $h in ?)k_d $h "$d">$D/i;h=$D/i;[ $(wc -c <$h) = $M ]||{ k_n;return;};;esac;
    [ ! -e $D/f ]||rm -f $D/f $D/o $D/e;: >$D/s;E=1;F=;
    (trap : 15;set +m;{ Y=1;(exec sh -c "$b" $D/l <$h >&4 2>&5 3>&3 4>&- 5>&-) 2>/dev/null;
    echo $? >$D/s||{ : >$D/o;: >$D/e;echo x >$D/s;};k_a;} 4>$D/o 5>$D/e;[ "$Y" ]||k_f "$I x")&
    J=$!;};
    k_n(){ E=2;k_f "$I x";};
    k_p(){ if [ $1 -gt $I ];then i=0;while [ $i -lt $n ];do unset k_$i;i=$((i+1));done;
    I=$1;q=0;n=$4;L=$5;M=$6;E=0;fi;[ $1 = $I ]||return;[ $E = 0 ]||{ k_q $1;return;};
    eval "x=\$k_$3";case $x in "")eval "k_$3=\$7\$8";q=$((q+1));;esac;[ $q = $n ]&&k_r;};
    k_q(){ if [ $1 -gt $I ];then k_f "$1 u";elif [ $1 -lt $I ];then k_f "$1 g";
    elif [ $E = 0 ];then i=0;h=;while [ $i -lt $n ];do eval "x=\$k_$i";
    case $x in "")h="$h $i";;esac;i=$((i+1));done;k_f "$I m$h";
    elif [ $E = 2 ];then k_f "$I x";elif [ -s $D/s ];then k_a;else k_f "$I w";fi;};
    for d in /run /dev/shm /tmp /var/tmp /dev $PWD;do for x in $d/.kelvin-????;do
    [ -f "$x/p" ]&&read -r i <"$x/p"&&{ kill -0 $i 2>/dev/null||rm -rf "$x";};done;
    x=$d/.kelvin-$S;mkdir -m 700 $x 2>/dev/null&&echo $$ >$x/p&&: >$x/o&&: >$x/e&&{ D=$x;break;};done;
    H=;for i in base64 od hexdump tr dd wc stty;do command -v $i>/dev/null&&H="$H $i";done;
    case $H in *base64*)B=b;;*od*)B=o;;*)B=h;;esac;set -f;set -m 2>/dev/null;exec 2>/dev/null;
    stty -isig -ixon -tostop ignbrk 2>/dev/null;
    k_h(){ k_c "$K";k_f "0 h $h ${D:--}$H";};k_h;
    y=0;while :;do IFS= read -r l||{ y=$((y+1));[ $y -gt 50 ]&&break;continue;};y=0;
    case $l in "#$S "*)l=${l#* };k_c "$S${l#* }";
    if [ "$h" = "${l%% *}" ];then set -- ${l#* };case $2 in p)k_p "$@";;q)F=$3;k_q $1;;
    g)[ $1 = $I ]&&k_g $3 $4 $5 $6 $7 $8;;v)eval "$(k_d $3 "$4")";k_f "$1 v $?";;
    h)k_h;;z)break;;esac;else k_f "0 n";fi;;"#"*)k_f "0 n";;"$T"*|.)break;;esac;done;
    case $E in 1)[ -s $D/s ]||kill -9 -$J;;esac 2>/dev/null;case $D in ?*)rm -rf $D;;esac;
    exec 2>&3;stty $Z echo 2>/dev/null;k_f "0 z"
    """##
}
