/// The scripts of a simulated Android; `$S` is the folder with what they know.
enum AndroidScripts {
  static let all: [String: String] = [
    "pm": AndroidScripts.pm, "cmd": AndroidScripts.cmd, "am": AndroidScripts.am,
    "input": AndroidScripts.input, "wm": AndroidScripts.wm, "screencap": AndroidScripts.screencap,
    "getprop": AndroidScripts.getprop, "setprop": AndroidScripts.setprop,
    "logcat": AndroidScripts.logcat, "dumpsys": AndroidScripts.dumpsys,
    "settings": AndroidScripts.settings, "svc": AndroidScripts.svc,
    "simulated-connectivity": AndroidScripts.connectivity,
    "simulated-airplane": AndroidScripts.airplane
  ]

  /// Source: AOSP frameworks/base cmds/cmd and the services' ShellCommand classes.
  private static let cmd = """
    service=$1; shift
    here=${0%/*}
    case $service in
    package) if [ "$1" != resolve-activity ]; then exec "$here/pm" "$@"; fi
      for name do :; done
      activity=$(sed -n 's/^activity //p' "$S/packages/$name/manifest" 2>/dev/null | head -n 1)
      if [ "$activity" ]; then
        echo 'priority=0 preferredOrder=0 match=0x108000 specificIndex=-1 isDefault=false'
        echo "$name/$activity"
      else echo 'No activity found'; fi;;
    activity) exec "$here/am" "$@";;
    input) exec "$here/input" "$@";;
    window) exec "$here/wm" "$@";;
    settings) exec "$here/settings" "$@";;
    connectivity) exec "$here/simulated-connectivity" "$@";;
    *) echo "cmd: Can't find service: $service" >&2; exit 20;;
    esac
    """

  /// Source: AOSP toolbox getprop: without a name `[NAME]: [VALUE]`, sorted; with one the value alone.
  private static let getprop = """
    cd "$S/properties" || exit 1
    if [ "$1" ]; then cat "./$1" 2>/dev/null; echo; exit 0; fi
    for name in *; do printf '[%s]: [%s]\\n' "$name" "$(cat "./$name")"; done
    """

  /// Source: AOSP toybox setprop.c; properties of `ro.` are set once (init's property_service.cpp).
  private static let setprop = """
    case $1 in */*|'') echo "setprop: bad property name '$1'" >&2; exit 1;; esac
    case $1 in
    ro.*) if [ -e "$S/properties/$1" ]; then
      echo "setprop: failed to set property '$1' to '$2'" >&2; exit 1; fi;;
    debug.deaf) exit 0;;
    *) if [ "${#2}" -gt 91 ]; then
      echo "setprop: value '$2' too long; try '$(printf %.91s "$2")'" >&2; exit 1; fi;;
    esac
    printf %s "$2" >"$S/properties/$1"
    """

  /// Source: AOSP InputShellCommand.java. A secure lock is a file `secure`.
  private static let input = """
    fail() { echo "Error: $1" >&2; exit 255; }
    number() { case $1 in ''|*[!0-9.-]*) fail "Invalid argument: $1";; esac; }
    case $1 in
    tap) [ $# = 3 ] || fail 'Invalid arguments for command: tap'; number "$2"; number "$3";;
    swipe) [ $# -ge 5 ] || fail 'Invalid arguments for command: swipe'
      for n in "$2" "$3" "$4" "$5"; do number "$n"; done;;
    text) [ $# -ge 2 ] || fail 'Invalid arguments for command: text'
      printf %s "$2" | sed 's/%s/ /g' >>"$S/typed"; exit 0;;
    keyevent) key=$2; [ "$key" = --longpress ] && key=$3
      case $key in
      KEYCODE_WAKEUP|224) echo Awake >"$S/wakefulness";;
      KEYCODE_SLEEP|223) echo Asleep >"$S/wakefulness"; : >"$S/locked";;
      KEYCODE_ENTER|66) echo >>"$S/typed";;
      KEYCODE_TAB|61) printf '\\t' >>"$S/typed";;
      KEYCODE_HOME|KEYCODE_BACK|KEYCODE_MENU|KEYCODE_POWER|KEYCODE_VOLUME_UP|[0-9]|[0-9][0-9]) ;;
      *) fail "Unknown keycode: $key";;
      esac;;
    *) fail "Unknown command: $1";;
    esac
    echo "$*" >>"$S/inputs"
    """

  private static let wm = """
    case $1 in
    dismiss-keyguard) [ -e "$S/secure" ] || rm -f "$S/locked";;
    size) echo 'Physical size: 1080x2400';;
    density) echo 'Physical density: 420';;
    *) echo "Unknown command: $1"; exit 255;;
    esac
    """

  /// One gray pixel (PNG specification, 5): made once by this project, byte by byte.
  private static let screencap = """
    [ "$1" = -p ] || { echo 'simulated: only screencap -p' >&2; exit 1; }
    printf '\\211PNG\\r\\n\\032\\n\\000\\000\\000\\015IHDR\\000\\000\\000\\001\\000\\000\\000\\001\\010\\000\\000\\000\\000\\072\\176\\233\\125'
    printf '\\000\\000\\000\\012IDAT\\170\\234\\143\\150\\000\\000\\000\\202\\000\\201\\167\\315\\162\\266'
    printf '\\000\\000\\000\\000IEND\\256B`\\202'
    """

  /// Source: AOSP logcat.cpp: -d ends, -T N prints the last N lines and goes on. Follows its file, so
  /// that tests can add to it.
  private static let logcat = """
    lines=+1; ends=
    while [ $# -gt 0 ]; do
      case $1 in
      -d) ends=y;; -T) lines=$2; shift;; -t) lines=$2; ends=y; shift;;
      -v|-b) shift;; -c) : >"$S/log"; exit 0;; *) ;;
      esac; shift
    done
    if [ "$ends" ]; then exec tail -n "$lines" "$S/log"; fi
    exec tail -n "$lines" -f "$S/log"
    """

  /// Sources: AOSP PowerManagerService.java, DisplayPolicy.java, and Settings.java of the package manager.
  private static let dumpsys = """
    case $1 in
    power) echo 'POWER MANAGER (dumpsys power)'; echo
      echo "  mWakefulness=$(cat "$S/wakefulness" 2>/dev/null || echo Awake)"; echo '  mWakefulnessChanging=false';;
    window) echo 'WINDOW MANAGER POLICY STATE (dumpsys window policy)'
      if [ -e "$S/locked" ]; then echo '    isKeyguardShowing=true'
      else echo '    isKeyguardShowing=false'; fi;;
    package) m=$S/packages/$2/manifest; echo 'Packages:'
      if [ "$2" ] && [ -e "$m" ]; then
        echo "  Package [$2] (5d2de07):"; echo "    userId=10123"
        echo "    versionCode=$(sed -n 's/^versionCode //p' "$m") minSdk=21 targetSdk=34"
        echo "    versionName=$(sed -n 's/^versionName //p' "$m")"
      else echo "Unable to find package: $2"; fi;;
    *) echo "Can't find service: $1";;
    esac
    """

  /// Source: AOSP ActivityManagerShellCommand.java, runStartActivity. It ends with 0 also when nothing
  /// was started.
  private static let am = """
    command=$1; shift
    case $command in
    force-stop) rm -f "$S/running/$1"; [ "$(cat "$S/front" 2>/dev/null)" != "$1" ] || rm -f "$S/front"
      exit 0;;
    broadcast) action= state=
      while [ $# -gt 0 ]; do
        case $1 in -a) action=$2; shift;; --ez) [ "$2" != state ] || state=$3; shift 2;; *) ;; esac; shift
      done
      echo "Broadcasting: Intent { act=$action flg=0x400000 (has extras) }"
      # What the radios of old versions listen to; the setting itself is the sender's.
      if [ "$action" = android.intent.action.AIRPLANE_MODE ]; then
        here=${0%/*}; on=0; [ "$state" != true ] || on=1
        "$here/settings" put global airplane_mode_on $((1 - on)); "$here/simulated-airplane" $on
      fi
      echo 'Broadcast completed: result=0'; exit 0;;
    start|start-activity) ;;
    *) echo "Unknown command: $command"; exit 255;;
    esac
    waits= stops= component= action= data= package=
    while [ $# -gt 0 ]; do
      case $1 in
      -W) waits=y;; -S) stops=y;;
      -n) component=$2; shift;; -a) action=$2; shift;; -d) data=$2; shift;;
      -p) package=$2; shift;; -t|-c) shift;; --es) shift 2;;
      *) ;;
      esac; shift
    done
    what=
    [ -z "$action" ] || what="$what act=$action"
    [ -z "$data" ] || what="$what dat=$data"
    if [ -z "$component" ] && [ "$action" ]; then
      for m in "$S/packages/"*/manifest; do
        [ -e "$m" ] || continue
        name=$(sed -n 's/^package //p' "$m")
        [ -z "$package" ] || [ "$package" = "$name" ] || continue
        activity=$(sed -n "s/^handles $action //p" "$m" | head -n 1)
        [ -z "$activity" ] || { component=$name/$activity; break; }
      done
    else what="$what cmp=$component"; fi
    name=${component%%/*}; activity=${component#*/}
    [ -z "$stops" ] || { echo "Stopping: $name"; rm -f "$S/running/$name"; }
    echo "Starting: Intent {$what }"
    if [ -z "$component" ]; then
      echo "Error: Activity not started, unable to resolve Intent {$what flg=0x10000000 }" >&2; exit 0
    fi
    case $activity in "$name".*) activity=${activity#"$name"};; esac
    if ! grep -qE "^(activity|handles [^ ]*) $(printf %s "$activity" | sed 's/[.$]/[&]/g')\\$" \\
      "$S/packages/$name/manifest" 2>/dev/null; then
      echo 'Error type 3' >&2
      echo "Error: Activity class {$name/$name$activity} does not exist." >&2; exit 0
    fi
    mkdir -p "$S/running"
    state=COLD time=345
    [ ! -e "$S/running/$name" ] || { state=WARM time=78; }
    if [ "$state" = WARM ] && [ "$(cat "$S/front" 2>/dev/null)" = "$name" ]; then
      echo 'Warning: Activity not started, intent has been delivered to currently running top-most instance.'
      state='UNKNOWN (0)' time=0
    fi
    : >"$S/running/$name"; echo "$name" >"$S/front"
    [ -z "$waits" ] || printf '%s\\n' 'Status: ok' "LaunchState: $state" "Activity: $name/$activity" \\
      "TotalTime: $time" "WaitTime: $((time + 5))" Complete
    """
}
