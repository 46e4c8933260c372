/// What WA's other keys mean here: each is understood, or answered with what to write instead.
enum LegacyKey {
  /// WA's settings of its own program, and what takes their place. None has an effect.
  static let unused: [String: String] = [
    "assets_repository":
      "Kelvin has no assets repository; 'kelvin show NAME' says where a workload finds its files",
    "remote_assets_url":
      "Kelvin fetches nothing over the network; 'kelvin show NAME' says where a workload finds its "
      + "files",
    "logging": "use --verbose, --quiet, --log-format and NO_COLOR",
    "verbosity": "use --verbose or --quiet",
    "user_directory": "the user's settings are in ~/.config/kelvin/config.yaml",
    "default_output_directory": "use 'kelvin run -d DIR'",
    "extra_plugin_paths": "plug-ins are Swift packages; see 'kelvin plugin --help'"
  ]

  /// WA's augmentations; those that Kelvin lacks may be disabled, but not enabled.
  static let augmentations: Set<String> = [
    "delay", "dmesg", "energy-measurement", "fps", "hwmon", "sysfs-extractor", "cpufreq",
    "execution-time", "apk-version", "interrupts", "perf", "perfetto", "file-poller", "proc-stat",
    "screen-capture", "serialmon", "trace-cmd", "csv", "status", "sqlite", "postgres", "targz",
    "cpustates", "uxperf", "json", "summary-csv", "standard", "energy-model", "streamline",
    "screenon", "freq-sweep", "juno-energy", "netstats", "coreutil", "systrace", "notify"
  ]

  /// WA2's words for execution orders.
  static let executionOrders = ["by_spec": "by_workload", "classic": "by_workload"]

  /// Names of devices that are the machine itself.
  static let localDevices: Set<String> = ["generic-local", "local", "localhost"]

  /// What WA calls a machine's own address.
  static let localHosts: Set<String> = ["localhost", "127.0.0.1", "::1"]
}
