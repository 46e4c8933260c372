internal import KelvinConnections
internal import KelvinModel

/// What runs beside the workload, and what only commands can change: services, swap, the network, and
/// whatever an agenda brings its own commands for.
struct ServiceSettings: SettingFamily {
  static let declarations: [SettingDeclaration] = [
    .init(
      "stop_services", .list(.text), aliases: ["stopped_services"], group: "services",
      "Units of systemd that do not run meanwhile, such as 'cron' or 'apt-daily.timer'; those that ran "
        + "are started again. A unit that the board does not have is an error."),
    .init(
      "swap", .boolean, group: "memory",
      "Whether memory may be swapped out. What was in use comes back with its priority."),
    .init(
      "network", .boolean, group: "network",
      "Whether network interfaces are up; 'false' takes all down but the loopback and the one that "
        + "commands come by. See 'link: detached' for that one."),
    .init(
      "commands",
      .list(
        .structure(
          [
            .init("apply", .text, required: true, "A shell line, run as root."),
            .init("undo", .text, required: true, "What makes it undone, run as root."),
            .init(
              "check", .text,
              "Must succeed after 'apply', and is asked before it: what holds "
                + "already is not applied, and not undone.")
          ], shorthand: nil)), aliases: ["shell"], group: "commands",
      "What no other setting does, in shell lines of your own, in the order written.")
  ]

  static func conflicts(_ settings: [NamedSetting]) -> [SettingVocabulary.Problem] {
    settings.filter { $0.name.base == "commands" }.flatMap { setting in
      (setting.value.list ?? []).compactMap { entry in
        entry.map?["apply"]?.text?.contains("\0") == true
          ? .init("commands", "a shell line holds a NUL") : nil
      }
    }
  }

  /// Units that systemd knows of, and whether they run; nil where there is no systemd.
  var units: [String: Bool]?
  var swaps: String
  /// Flags by interface.
  var interfaces: [String: UInt64]
  var link: NetworkLink

  static func read(
    _ board: SettingsReader, until deadline: Deadline
  ) async throws(ConnectionFailure) -> ServiceSettings {
    let listed = try await board.output(
      of: "command -v systemctl >/dev/null && systemctl list-units --all --plain --no-legend "
        + "--no-pager 2>/dev/null", until: deadline)
    var units: [String: Bool]?
    if let listed {
      var found: [String: Bool] = [:]
      for line in listed.split(separator: "\n") {
        let fields = String(line).words
        guard fields.count >= 3 else { continue }
        found[fields[0]] = fields[2] == "active"
      }
      units = found
    }
    let names = try await board.names(in: "/sys/class/net", until: deadline).sorted()
    let texts = try await board.texts(
      ["/proc/swaps"] + names.map { "/sys/class/net/\($0)/flags" }, until: deadline)
    var interfaces: [String: UInt64] = [:]
    for (name, text) in zip(names, texts.dropFirst()) {
      interfaces[name] = text.flatMap { UInt64($0.dropFirst(2), radix: 16) }
    }
    return ServiceSettings(
      units: units, swaps: texts[0] ?? "", interfaces: interfaces,
      link: try await NetworkLink.read(board, until: deadline))
  }

  func wishes(
    for settings: [NamedSetting], cpus: CPUTopology, online: Set<Int>
  ) throws(SettingFailure) -> [SettingWish] {
    var wishes: [SettingWish] = []
    for setting in settings {
      let name = setting.name.description
      switch setting.name.base {
      case "stop_services":
        for unit in setting.value.list?.compactMap(\.text) ?? [] {
          wishes.append(try stop(unit, name))
        }
      case "swap":
        // What was there is what 'true' asks for.
        guard setting.value.boolean == false else { continue }
        wishes.append(SettingWish(ServiceSettings.swap, "", setting: name))
      case "network":
        guard setting.value.boolean == false else { continue }
        // Nobody could put back what the link goes with.
        guard link != .unknown else {
          throw SettingFailure(
            .notOffered, "\(name): which interface commands come by could not be found out",
            hint: "is 'ip' there? take interfaces down by 'commands' instead")
        }
        wishes += interfaceWishes(name)
      case "commands":
        for (index, entry) in (setting.value.list ?? []).enumerated() {
          wishes.append(command(entry.map ?? [:], index, name))
        }
      default: break
      }
    }
    return wishes
  }

  private func stop(_ unit: String, _ setting: String) throws(SettingFailure) -> SettingWish {
    guard let units else {
      throw SettingFailure(
        .notOffered, "\(setting): the board has no systemd", hint: "stop them by 'commands'")
    }
    let name = unit.contains(".") ? unit : unit + ".service"
    guard units[name] != nil else {
      throw SettingFailure(
        .notOffered, "\(setting): the board has no unit '\(name)'",
        hint: NearestName.hint(for: name, in: Array(units.keys)))
    }
    let word = ShellWords.quote(name)
    return SettingWish(
      SettingPoint(
        commands: "unit \(name)", "unit \(name)",
        read: "systemctl is-active \(word) >/dev/null && echo active || echo inactive",
        write:
          "case $1 in active) systemctl start \(word);; *) systemctl stop \(word);; esac"),
      "inactive", setting: setting)
  }

  /// What is swapped to, and with which priority: `/dev/sda2:-2 /swapfile:5`.
  private var swapsNow: String {
    swaps.split(separator: "\n").dropFirst().compactMap { line in
      let fields = String(line).words
      return fields.count >= 5 ? "\(fields[0]):\(fields[4])" : nil
    }.joined(separator: " ")
  }

  /// Negative priorities are the kernel's own choice and cannot be given: it gives lower and lower ones, so
  /// the highest comes back first. Some busyboxes know no -p: then swap is on, and reads back with another
  /// priority. /proc/swaps writes blanks in names as octal escapes, which printf's %b reads.
  static let swap = SettingPoint(
    commands: "swap", "swap",
    read:
      "awk 'NR > 1 { print $1 \":\" $5 }' /proc/swaps | sort | tr '\\n' ' ' | sed 's/ $//'",
    write: """
      for e in $(awk 'NR > 1 { print $1 }' /proc/swaps); do case " $1" in *" $e:"*) ;; \
      *) swapoff "$(printf %b "$e")" || exit 1;; esac; done; \
      for e in $(printf '%s\\n' $1 | awk '{ p = $0; sub(/.*:/, "", p); print p, $0 }' | sort -rn | \
      cut -d ' ' -f 2-); do grep -q "^${e%:*} " /proc/swaps && continue; d=$(printf %b "${e%:*}"); \
      case ${e##*:} in -*) swapon "$d";; *) swapon -p "${e##*:}" "$d" || swapon "$d";; esac || exit 1; done
      """)

  private func isLink(_ name: String) -> Bool {
    if case .by(let names) = link { names.contains(name) } else { false }
  }

  private func interfaceWishes(_ setting: String) -> [SettingWish] {
    let loopback: UInt64 = 8
    return interfaces.sorted { $0.key < $1.key }.compactMap { name, flags in
      guard flags & loopback == 0, !isLink(name) else { return nil }
      let word = ShellWords.quote(name)
      // Only IFF_UP is ours: others come and go with the carrier. With it go the routes of IPv4 that nobody
      // but their maker brings back, the default one first of all: they are kept on the board meanwhile.
      return SettingWish(
        SettingPoint(
          commands: "interface \(name)", "interface \(name)",
          read: "f=$(cat /sys/class/net/\(word)/flags) && [ $((f & 1)) = 1 ] && echo up "
            + "|| echo down",
          write: """
            r=/run; [ -w $r ] || r=/tmp; r=$r/.kelvin-routes-\(word)
            [ "$1" = up ] || ip -4 route show dev \(word) 2>/dev/null | \
            sed 's/ dev [^ ]*//; s/ linkdown//' | grep -v 'proto kernel' >$r
            ip link set dev \(word) "$1" 2>/dev/null || ifconfig \(word) "$1" || exit 1
            [ "$1" = up ] && [ -f $r ] || exit 0
            while read -r a; do ip -4 route replace $a dev \(word) 2>/dev/null || \
            ip -4 route add $a dev \(word) 2>/dev/null; done <$r; rm -f $r
            """),
        "down", setting: setting)
    }
  }

  /// What an agenda's own commands do: `applied` or `undone`.
  private func command(_ entry: [String: Value], _ index: Int, _ setting: String) -> SettingWish {
    let apply = entry["apply"]?.text ?? ""
    let undo = entry["undo"]?.text ?? ""
    // Without a check nothing tells whether it was applied: it is, each time.
    let read = entry["check"]?.text.map {
      "if ( \($0)\n) >/dev/null 2>&1; then echo applied; else echo undone; fi"
    }
    return SettingWish(
      SettingPoint(
        commands: "command \(apply)", "command \(index + 1) ('\(apply.prefix(60))')",
        read == nil ? .unverified : .text, read: read ?? "echo undone",
        write: "case $1 in applied) \(apply)\n;; *) \(undo)\n;; esac"), "applied", setting: setting)
  }

  func offers(cpus: CPUTopology) -> [SettingOffer] {
    var offers: [SettingOffer] = []
    for (unit, isActive) in (units ?? [:]).sorted(by: { $0.key < $1.key })
    where isActive && (unit.hasSuffix(".service") || unit.hasSuffix(".timer")) {
      offers.append(
        SettingOffer(
          "stop_services: \(unit)", value: "active", range: "may be stopped", source: "systemctl"))
    }
    offers.append(
      SettingOffer(
        "swap", value: swapsNow.isEmpty ? "false" : "true", range: "true, false",
        source: "/proc/swaps"))
    for (name, flags) in interfaces.sorted(by: { $0.key < $1.key })
    where flags & 8 == 0 && !isLink(name) {
      offers.append(
        SettingOffer(
          "network: \(name)", value: flags & 1 == 1 ? "true" : "false", range: "true, false",
          source: "/sys/class/net/\(name)/flags"))
    }
    return offers
  }
}
