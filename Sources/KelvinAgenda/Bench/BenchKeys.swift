public import KelvinModel

/// The keys of bench files, declared once for reading, completion and documentation.
public enum BenchKeys {
  /// At the top of a bench file.
  public static let top: [OptionDeclaration] = [
    .init("boards", .map(.any), "Boards by name."),
    .init("meters", .map(.any), "Meters by name.")
  ]

  /// Of a board.
  public static let board: [OptionDeclaration] = [
    .init(
      "profile", .text, required: true,
      "What kind of board it is: a profile's name; 'kelvin list boards' lists them."),
    .init(
      "connection", .any,
      "How commands and files reach it: a driver with its options. Without it, the console is used."
    ),
    .init("console", .any, "Its serial console: a driver with its options."),
    .init(
      "bootloader", .any,
      "How it is reached while its boot loader runs: a driver with its options."),
    .init("power", .any, "What cuts its power: a driver with its options."),
    .init("reset", .any, "What resets it: a driver with its options; power switches will do."),
    .init(
      "link", .any,
      "What takes the link away while a detached job runs: 'quiet', 'interface', or a power switch."
    ),
    .init(
      "boot", .structure(boot, shorthand: "probe"),
      "How it boots: how long that takes, and how it shows that it is done."),
    .init(
      "recovery", .list(.any),
      "What brings it back when it is lost, in this order: rungs, each with its options. Without it: as "
        + "its profile says."),
    .init("meters", .list(.text), default: [], "Names of the meters that measure it."),
    .init("labels", .map(.text), default: [:], "Tags of your own, by which boards are chosen."),
    .init(
      "lease", .structure(lease, shorthand: nil),
      "Commands that take the board from another system and give it back.")
  ]

  /// Of `boot`.
  public static let boot: [OptionDeclaration] = [
    .init(
      "probe", .text,
      "A shell line that must succeed on a board that has booted; its system's own word (systemd, "
        + "Android) is heeded anyway."),
    .init(
      "timeout", .quantity(.time, bare: "s"), range: 1...86_400,
      "How long it may take; default: 3 min."),
    .init(
      "off", .quantity(.time, bare: "s"), range: 0...3600,
      "How long power stays off when it is cycled; default: 3 s."),
    .init(
      "starts", .integer, range: 2...1000,
      "So many starts of its boot loader, or of its kernel, in one boot are a boot loop; default: 3."
    )
  ]

  /// Of `lease`.
  public static let lease: [OptionDeclaration] = [
    .init(
      "acquire", .argv, required: true,
      "Run before the board is used; exit code 0 grants it, any other refuses it."),
    .init("release", .argv, required: true, "Run when the board is no longer used.")
  ]

  /// Of a meter; everything else belongs to its driver.
  public static let meter: [OptionDeclaration] = [
    .init("driver", .text, required: true, "What drives it; 'kelvin list meters' lists them.")
  ]
}
