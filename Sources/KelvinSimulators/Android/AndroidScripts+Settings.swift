extension AndroidScripts {
  /// Source: AOSP SettingsService.java (what `settings` calls): a value that is not set is `null`.
  static let settings = """
    fail() { echo "$1" >&2; exit 255; }
    verb=$1; [ $# = 0 ] || shift
    if [ "$1" = --user ]; then shift 2; fi
    table=$1; key=$2
    case $verb in get|put|delete|list) ;; *) fail "Invalid command: $verb";; esac
    case $table in system|secure|global) ;; *) fail "Invalid namespace '$table'";; esac
    [ "$verb" = list ] || [ "$key" ] || fail 'Bad arguments'
    case $key in */*) fail 'Bad arguments';; esac
    d=$S/settings/$table; mkdir -p "$d"
    case $verb in
    get) if [ -e "$d/$key" ]; then cat "$d/$key"; else echo null; fi;;
    put) [ $# -ge 3 ] || fail 'Bad arguments'
      printf '%s\\n' "$3" >"$d/.$key.$$" && mv "$d/.$key.$$" "$d/$key";;
    delete) n=0; [ ! -e "$d/$key" ] || { rm -f "$d/$key"; n=1; }; echo "Deleted $n rows";;
    list) for f in "$d"/*; do [ ! -e "$f" ] || echo "${f##*/}=$(cat "$f")"; done;;
    esac
    """

  /// Sources: AOSP svc (WifiCommand.java, BluetoothCommand.java); what they come to in the settings by
  /// WifiSettingsStore.java (2: on, and on against airplane mode) and BluetoothManagerService.java.
  /// Both services work on their own thread: the command is over before it shows.
  static let svc = """
    here=${0%/*}; what=$1
    case $what in wifi|bluetooth) ;; *) echo "svc: no such command: $what" >&2; exit 1;; esac
    case $2 in enable) on=1;; disable) on=0;; *) echo "usage: svc $what [enable|disable]" >&2; exit 1;; esac
    if [ $on = 1 ] && [ "$what" = wifi ] && [ "$("$here/settings" get global airplane_mode_on)" = 1 ]; then
      on=2; fi
    (sleep 0.2; exec "$here/settings" put global ${what}_on $on) >/dev/null 2>&1 </dev/null &
    """

  /// What airplane mode does to the radios when it comes ($1 = 1) and goes. Sources: as ``svc``; 3 is Wi-Fi
  /// that was on and will be again, 2 the same of Bluetooth.
  static let airplane = """
    here=${0%/*}; get() { "$here/settings" get global "$1"; }; put() { "$here/settings" put global "$@"; }
    [ "$(get airplane_mode_on)" != "$1" ] || exit 0
    put airplane_mode_on "$1"
    case $1 in
    1) [ "$(get wifi_on)" != 1 ] || put wifi_on 3; [ "$(get bluetooth_on)" != 1 ] || put bluetooth_on 2;;
    *) case $(get wifi_on) in 2|3) put wifi_on 1;; esac
      [ "$(get bluetooth_on)" != 2 ] || put bluetooth_on 1;;
    esac
    """

  /// Source: AOSP ConnectivityService.java, since Android 11; before, Binder.java's own answer, which is
  /// no failure.
  static let connectivity = """
    if [ "$(cat "$S/properties/ro.build.version.sdk")" -lt 30 ]; then
      echo 'No shell command implementation.' >&2; exit 0; fi
    here=${0%/*}
    [ "$1" = airplane-mode ] || { echo "Unknown command: $1"; exit 255; }
    case $2 in
    '') case $("$here/settings" get global airplane_mode_on) in 1) echo enabled;; *) echo disabled;; esac;;
    enable) exec "$here/simulated-airplane" 1;;
    disable) exec "$here/simulated-airplane" 0;;
    *) echo "Unknown command: $2"; exit 255;;
    esac
    """

  /// What a phone's settings are when it is new; those of animations are not set.
  static let freshSettings = [
    "system/screen_brightness": "102", "system/screen_brightness_mode": "1",
    "system/accelerometer_rotation": "1", "system/user_rotation": "0",
    "global/airplane_mode_on": "0", "global/stay_on_while_plugged_in": "0",
    "global/wifi_on": "1", "global/bluetooth_on": "1"
  ]
}
