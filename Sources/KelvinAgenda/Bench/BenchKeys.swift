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
    .init(
      "deploy", .structure(deploy, shorthand: nil),
      "How images get onto it: one or several ways, each with its options."),
    .init("meters", .list(.text), default: [], "Names of the meters that measure it."),
    .init(
      "supply", .structure(SupplyKeys.all, shorthand: nil),
      "What one of its meters tells of its supply: that it browns out, that it is discharged."),
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

  /// Of `deploy`: the ways, each with what it needs to know.
  public static let deploy: [OptionDeclaration] = [
    .init(
      Deployment.Way.kexec.rawValue, .structure(kexec, shorthand: nil),
      "The running kernel starts another; needs root and kexec-tools on the board."),
    .init(
      Deployment.Way.uboot.rawValue, .structure(uboot, shorthand: nil),
      "U-Boot loads the files into memory and starts them; needs 'bootloader: uboot'."),
    .init(
      Deployment.Way.fastboot.rawValue, .structure(fastboot, shorthand: nil),
      "Partitions are written by fastboot; needs 'bootloader: {fastboot: ...}'."),
    .init(
      Deployment.Way.sdMux.rawValue, .structure(sdMux, shorthand: nil),
      "A card that is switched between this host and the board; needs 'power'."),
    .init(
      Deployment.Way.command.rawValue, .structure(command, shorthand: "argv"),
      "A command of this host, which finds the files in its environment.")
  ]

  private static let kexec: [OptionDeclaration] = [
    .init("program", .text, default: "kexec", "kexec on the board."),
    .init("options", .argv, "More of its options, such as '-s' or '-i'.")
  ]

  private static let uboot: [OptionDeclaration] = [
    .init(
      "load", .choice(["tftp", "serial"]), default: "tftp",
      "How files come: by network, or by YMODEM over the console."),
    .init("directory", .path, "Of the TFTP server; Kelvin puts files there, and removes them."),
    .init("server", .text, "The TFTP server's address; default: what DHCP says."),
    .init(
      "network", .text, default: "dhcp",
      "What is typed to join the network; empty for a board that is in it."),
    .init(
      "kernel", .text, default: "kernel_addr_r",
      "Where the kernel goes: a hexadecimal address, or a variable that has one."),
    .init("initrd", .text, default: "ramdisk_addr_r", "Where the initial RAM file system goes."),
    .init("device_tree", .text, default: "fdt_addr_r", "Where the device tree goes."),
    .init(
      "own_tree", .text, default: "fdtcontroladdr",
      "The variable that has the address of the board's own device tree."),
    .init("boot", .text, "What starts it; default: 'booti' or 'bootz', by the kernel's format."),
    .init(
      "boots_itself", .boolean, default: true,
      "False: the board waits in U-Boot for what it is given, and has no system of its own.")
  ]

  private static let fastboot: [OptionDeclaration] = [
    .init("kernel", .text, "The partition for the kernel, or its boot image."),
    .init("initrd", .text, "The partition for the initial RAM file system."),
    .init("device_tree", .text, "The partition for the device tree."),
    .init("root", .text, "The partition for the root file system."),
    .init("slot", .text, "Which slot, where there are slots; default: the current one."),
    .init(
      "enter", .text, default: "reboot bootloader",
      "The board's command that leads to its boot loader; empty where it is there anyway.")
  ]

  private static let sdMux: [OptionDeclaration] = [
    .init("to_host", .argv, required: true, "Run to switch the card to this host."),
    .init("to_board", .argv, required: true, "Run to switch it back."),
    .init(
      "device", .path, required: true,
      "The card on this host: a path that stays, below /dev/disk/by-id or by-path.")
  ]

  private static let command: [OptionDeclaration] = [
    .init("argv", .argv, required: true, "The program and its arguments; exit code 0 is success."),
    .init(
      "then", .choice(["wait", "reboot", "power_cycle"]), default: "reboot",
      "What boots the board afterwards: its own reboot, its power, or the command itself ('wait')."),
    .init(
      "timeout", .quantity(.time, bare: "s"), default: 600, range: 1...86_400,
      "How long it may take.")
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
