public import KelvinModel

/// The keys of board and meter profiles, declared once for reading and documentation.
public enum ProfileKeys {
  // MARK: boards

  /// Of a board profile.
  public static let board: [OptionDeclaration] = [
    .init("title", .text, required: true, "The product's name, as people say it."),
    .init(
      "platform", .choice(BoardProfile.Platform.allCases.map(\.rawValue)), required: true,
      "What runs on it."),
    .init("architecture", .text, "As 'uname -m' prints it."),
    .init("cpus", .integer, range: 1...8192, "How many CPUs it has; the clusters' sum."),
    .init(
      "clusters", .list(.structure(cluster, shorthand: nil)),
      "CPUs of one kind that change their frequency together."),
    .init(
      "console", .structure(console, shorthand: nil), "Its first serial console."),
    .init(
      "boot_loader", .structure(bootLoader, shorthand: nil),
      "How its boot loader shows itself on the console."),
    .init("login", .structure(login, shorthand: nil), "How it asks for a user on the console."),
    .init("shell_prompt", .pattern, "What the shell's prompt matches."),
    .init(
      "settings", .list(.choice(settings)), default: [], "Which settings can be changed on it."),
    .init(
      "recovery", .list(.any),
      "What brings such a board back, in this order, as in a bench file; what a bench lacks is passed over."
    ),
    .init(
      "deploy", .structure(BenchKeys.deploy, shorthand: nil),
      "How images get onto it, where a bench file does not say."),
    .init("quirks", .list(.text), default: [], "What surprises people."),
    .init("notes", .list(.text), default: [], "Whatever else is worth knowing."),
    .init(
      "verified", .text, "What it has been checked on, when that is less than such a board.")
  ]

  /// Of a cluster.
  public static let cluster: [OptionDeclaration] = [
    .init("name", .text, required: true, "Such as LITTLE; differs within a board."),
    .init("kind", .text, "The core's kind, such as cortex-a55."),
    .init("cpus", .text, required: true, "As the kernel numbers them: '0-3,6'."),
    .init(
      "capacity", .integer, range: 1...1024,
      "As the kernel's cpu_capacity: 1024 for the fastest core at its highest frequency."),
    .init(
      "frequencies", .list(.quantity(.frequency, bare: nil)), range: 1000...1e11,
      "Every frequency it can have."),
    .init(
      "frequency", .structure(frequency, shorthand: nil),
      "Its lowest and highest frequency, where not every step is known.")
  ]

  private static let frequency: [OptionDeclaration] = [
    .init("min", .quantity(.frequency, bare: nil), required: true, range: 1000...1e11, "Lowest."),
    .init("max", .quantity(.frequency, bare: nil), required: true, range: 1000...1e11, "Highest.")
  ]
  private static let console: [OptionDeclaration] = [
    .init("baud", .integer, required: true, range: 50...4_000_000, "Bits a second.")
  ]
  private static let bootLoader: [OptionDeclaration] = [
    .init("name", .text, required: true, "Such as U-Boot."),
    .init("prompt", .pattern, "What its prompt matches."),
    .init("stop_at", .pattern, "What the line matches that invites a key."),
    .init("stop_with", .text, "What to send then.")
  ]
  private static let login: [OptionDeclaration] = [
    .init("prompt", .pattern, "What the question matches; without it, a shell answers at once."),
    .init("user", .text, "Who logs in.")
  ]

  /// What `settings` may name: Workload Automation's runtime parameters.
  public static let settings = [
    "governor", "governor_tunables", "frequency", "min_frequency", "max_frequency", "num_cores",
    "idle_states", "sysfile_values", "brightness", "auto_brightness", "rotation", "auto_rotation",
    "airplane_mode", "screen_on"
  ]

  // MARK: meters

  /// Of a meter profile.
  public static let meter: [OptionDeclaration] = [
    .init("title", .text, required: true, "The product's name, as people say it."),
    .init("driver", .text, required: true, "What bench files call its driver."),
    .init(
      "usb", .list(.structure(usb, shorthand: "id")), default: [], "By which it is found on USB."),
    .init(
      "serial_line", .boolean, default: false,
      "Whether it is spoken to over a serial line, on whatever adapter."),
    .init(
      "tcp_port", .integer, range: 1...65_535,
      "Where it, or its maker's software, listens on the network."),
    .init(
      "sample_rate", .quantity(.frequency, bare: nil), range: 1e-6...1e12,
      "The highest at which it delivers samples."),
    .init(
      "channels", .list(.structure(channel, shorthand: nil)), default: [], "What it measures."),
    .init(
      "accuracy", .list(.structure(accuracy, shorthand: nil)), default: [],
      "How far its figures can be trusted, and who says so."),
    .init(
      "supply", .structure(supply, shorthand: nil), "What it can supply a board with."),
    .init("modes", .list(.text), default: [], "Ways of use that exclude each other."),
    .init("loss_witness", .text, "What shows that samples were lost."),
    .init("quirks", .list(.text), default: [], "What surprises people."),
    .init("notes", .list(.text), default: [], "Whatever else is worth knowing."),
    .init("verified", .text, "What the profile, and its driver, has been checked on.")
  ]

  static let usb: [OptionDeclaration] = [
    .init("id", .text, required: true, "VENDOR:PRODUCT, as lsusb prints it: 1915:c00a."),
    .init("model", .text, "Which model, or which state, has this identity."),
    .init(
      "is_meter", .boolean, default: true, "False for a boot loader's or updater's identity.")
  ]

  /// Of a channel; the unit of `min`, `max` and `resolution` is its kind's.
  public static let channel: [OptionDeclaration] = [
    .init("name", .text, required: true, "Differs within a meter."),
    .init(
      "kind", .choice(MeterChannel.Kind.allCases.map(\.rawValue)), required: true,
      "What is measured."),
    .init("min", .any, "The lowest value."),
    .init("max", .any, "The highest value."),
    .init("resolution", .any, "The smallest step.")
  ]

  static let accuracy: [OptionDeclaration] = [
    .init("channel", .text, "A channel's name; without it, all are meant."),
    .init("figure", .text, required: true, "As stated: '0.05 % + 25 nA'."),
    .init("conditions", .text, "Under which it holds."),
    .init("source", .text, required: true, "Who states it.")
  ]

  static let supply: [OptionDeclaration] = [
    .init("min", .quantity(.voltage, bare: nil), required: true, "The lowest voltage."),
    .init("max", .quantity(.voltage, bare: nil), required: true, "The highest voltage."),
    .init(
      "current", .quantity(.current, bare: nil), range: 0...1e6, "The highest current it gives.")
  ]
}
