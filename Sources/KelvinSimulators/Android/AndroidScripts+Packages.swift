extension AndroidScripts {
  /// Sources: AOSP PackageManagerShellCommand.java, and the texts of PackageManagerServiceUtils.java,
  /// InstallPackageHelper.java and ParsingPackageUtils.java.
  static let pm = """
    fail() { echo "Failure [$1]"; exit 1; }
    field() { sed -n "s/^$1 //p" "$2" | head -n 1; }
    crash() { printf '\\n%s\\n%s\\n' "Exception occurred while executing '$1':" "$2" >&2; exit 255; }

    # Judges the APK $1 against what is installed; with $2 = split it need not be a base.
    judge() {
      if [ ! -e "$1" ]; then echo "Error: Unable to open file: $1" >&2
        echo 'Consider using a file under /data/local/tmp/' >&2
        echo "Error: Can't open file: $1" >&2; exit 1; fi
      [ "$(head -n 1 "$1" | tr -d '\\000')" = 'simulated apk' ] ||
        fail "INSTALL_PARSE_FAILED_NOT_APK: Failed to parse $1"
      name=$(field package "$1"); code=$(field versionCode "$1")
      [ -z "$(field split "$1")" ] || [ "$2" = split ] ||
        fail 'INSTALL_FAILED_MISSING_SPLIT: Missing split for '"$name"
      ! grep -qx testOnly "$1" || [ "$tests" ] ||
        fail 'INSTALL_FAILED_TEST_ONLY: Failed to install test-only apk. Did you forget to add -t?'
      sdk=$(field minSdk "$1"); have=$(cat "$S/properties/ro.build.version.sdk")
      [ "${sdk:-0}" -le "$have" ] ||
        fail "INSTALL_FAILED_OLDER_SDK: Failed parse during installPackageLI: $1 (at Binary XML file line #7): Requires newer sdk version #$sdk (current version is #$have)"
      native=$(field native "$1")
      [ -z "$native" ] || [ "$native" = arm64-v8a ] ||
        fail 'INSTALL_FAILED_NO_MATCHING_ABIS: Failed to extract native libraries, res=-113'
      old=$S/packages/$name/manifest
      if [ -e "$old" ]; then
        [ "$replaces" ] ||
          fail "INSTALL_FAILED_ALREADY_EXISTS: Attempt to re-install $name without first uninstalling."
        [ "$(field key "$old")" = "$(field key "$1")" ] ||
          fail "INSTALL_FAILED_UPDATE_INCOMPATIBLE: Existing package $name signatures do not match newer version; ignoring!"
        [ "$downgrade" ] || [ "$code" -ge "$(field versionCode "$old")" ] ||
          fail "INSTALL_FAILED_VERSION_DOWNGRADE: Downgrade detected: Update version code $code is older than current $(field versionCode "$old")"
      fi
    }
    keep() {
      mkdir -p "$S/packages/$name"; cp "$1" "$S/packages/$name/manifest"
      [ -e "$S/packages/$name/data" ] || echo fresh >"$S/packages/$name/data"
      [ -z "$grants" ] || sed -n 's/^permission //p' "$1" >"$S/packages/$name/granted"
    }
    options() {
      replaces=y tests= downgrade= grants= taken=0
      while [ $# -gt 0 ]; do
        case $1 in
        -r) ;; -R) replaces=;; -t) tests=y;; -d) downgrade=y;; -g) grants=y;;
        -S|-i) shift; taken=$((taken + 1));;
        -*) echo "Error: Unknown option: $1" >&2; exit 1;;
        *) break;;
        esac; shift; taken=$((taken + 1))
      done
    }

    command=$1; [ $# = 0 ] || shift
    case $command in
    list)
      [ "$1" = packages ] || { echo "Error: unknown list type '$1'"; exit 255; }
      shift; file= code= filter=
      for word do case $word in
        -f) file=y;; --show-versioncode) code=y;;
        -*) echo "Error: Unknown option: $word"; exit 1;; *) filter=$word;; esac; done
      for m in "$S/packages/"*/manifest; do
        [ -e "$m" ] || continue
        name=$(field package "$m"); line=package:
        case $name in *"$filter"*) ;; *) continue;; esac
        [ -z "$file" ] || line="$line/data/app/~~q1w2e3==/$name-r4t5y6==/base.apk="
        line=$line$name
        [ -z "$code" ] || line="$line versionCode:$(field versionCode "$m")"
        echo "$line"
      done;;
    path) [ -e "$S/packages/$1/manifest" ] && [ "$1" ] || exit 1
      echo "package:/data/app/~~q1w2e3==/$1-r4t5y6==/base.apk";;
    install) options "$@"; shift $taken; judge "$1"; keep "$1"; echo Success;;
    install-create) options "$@"; mkdir -p "$S/sessions"; id=1000
      while ! mkdir "$S/sessions/$id" 2>/dev/null; do id=$((id + 1)); done
      printf '%s\\n' "$*" >"$S/sessions/$id/options"
      echo "Success: created install session [$id]";;
    install-write) size=; [ "$1" = -S ] && { size=$2; shift 2; }
      [ -d "$S/sessions/$1" ] && [ "$1" ] || crash install-write "java.lang.SecurityException: Caller has no access to session $1"
      [ -e "$3" ] || { echo "Error: Unable to open file: $3" >&2; exit 1; }
      cp "$3" "$S/sessions/$1/$2"; had=$(wc -c <"$3")
      [ -z "$size" ] || [ "$size" -eq "$had" ] || { echo "Error: size is $had, not $size" >&2; exit 1; }
      echo "Success: streamed $((had)) bytes";;
    install-commit) id=$1; d=$S/sessions/$id
      [ -d "$d" ] && [ "$id" ] || crash install-commit "java.lang.SecurityException: Caller has no access to session $id"
      options $(cat "$d/options"); base= names=
      for apk in "$d"/*.apk; do judge "$apk" split; names="$names $name"
        [ "$(field split "$apk")" ] || base=$apk; done
      [ "$base" ] || fail 'INSTALL_FAILED_INVALID_APK: Full install must include a base package'
      for one in $names; do [ "$one" = "$name" ] ||
        fail "INSTALL_FAILED_INVALID_APK: $one inconsistent with $name"; done
      judge "$base" split; keep "$base"
      for apk in "$d"/*.apk; do field split "$apk"; done >"$S/packages/$name/splits"
      rm -rf "$d"; echo Success;;
    install-abandon) [ -d "$S/sessions/$1" ] && [ "$1" ] || crash install-abandon "java.lang.SecurityException: Caller has no access to session $1"
      rm -rf "$S/sessions/$1"; echo Success;;
    uninstall) [ "$1" != -k ] || shift
      [ -e "$S/packages/$1/manifest" ] && [ "$1" ] || fail DELETE_FAILED_INTERNAL_ERROR
      rm -rf "$S/packages/$1" "$S/running/$1"; echo Success;;
    clear) [ -e "$S/packages/$1/manifest" ] && [ "$1" ] || { echo Failed; exit 1; }
      echo fresh >"$S/packages/$1/data"; rm -f "$S/packages/$1/granted" "$S/running/$1"; echo Success;;
    grant) m=$S/packages/$1/manifest
      [ -e "$m" ] && [ "$1" ] || crash grant "java.lang.IllegalArgumentException: Unknown package: $1"
      grep -qxF "permission $2" "$m" ||
        crash grant "java.lang.SecurityException: Package $1 has not requested permission $2"
      echo "$2" >>"$S/packages/$1/granted";;
    *) echo "Unknown command: $command"; exit 255;;
    esac
    """
}
