public import KelvinModel

/// What bench files may say of connections, consoles and boot loaders: values only.
///
/// ``Connections`` makes them.
public enum ConnectionDeclarations {
  /// How commands and files reach a board.
  public static let connections: [Declaration] =
    [
      Declaration(
        .connection, "local", summary: "This machine itself.",
        description: "Commands run as processes of this machine, without a shell.",
        options: [
          .init("root", .path, "A recorded tree that stands for / where files are read.")
        ] + become(["sudo", "su"])),
      Declaration(
        .connection, "ssh", summary: "A board on the network that runs an SSH server.",
        description: "By OpenSSH's own client, with the user's configuration and agent. It logs in "
          + "once, whatever is run. Needs nothing on the board but a POSIX shell and the usual small "
          + "tools, as busybox has them.",
        options: [
          .init("host", .text, required: true, "Name or address."),
          .init(
            "port", .integer, usually: 22, range: 1...65_535,
            "TCP port; without it, ssh's own configuration decides, and else it is 22."),
          .init(
            "user", .text, isDetail: true,
            "Who logs in; without it, ssh's own configuration decides, and else it is who runs "
              + "Kelvin."),
          .init(
            "key", .path, isDetail: true,
            "The private key's file; without it, ssh's own configuration decides."), passwordSource,
          .init(
            "host-key", .text, isDetail: true,
            "How the host's key is checked: 'strict' (it must be known), 'accept-new' (the first one "
              + "is remembered), or 'file:PATH' (it must be in that file, of the format of "
              + "known_hosts). Without it, ssh's own configuration decides, and where that would ask, "
              + "an unknown key is refused."),
          .init(
            "config", .path, isDetail: true,
            "A file that ssh reads instead of the user's and the system's configuration.")
        ] + become(["sudo", "su"])),
      Declaration(
        .connection, "adb", summary: "An Android board, or any board that runs adbd.",
        description: "Through the server of adb, or without it: over TCP and USB. With none of "
          + "'serial', 'tcp' and 'usb' it is the only device that the server knows. A server is "
          + "started where none runs, and none is ever ended. A server holds each device on USB that "
          + "it finds: then 'serial' is the way, or 'adb kill-server' frees it for 'usb'.",
        options: [
          .init(
            "serial", .text,
            "The serial number, as 'adb devices' prints it; where two have the same, the path of the "
              + "port, as 'adb devices -l' prints it: 'usb:1-1'."),
          .init(
            "server", .text, default: "127.0.0.1:5037", "The server's HOST:PORT, for 'serial'."),
          .init("tcp", .text, "HOST:PORT of the board's adbd, without a server."),
          .init(
            "usb", .structure([DeviceMatch.option(of: "USB device")], shorthand: nil),
            "The USB device, without a server; without a match, the only one with an interface of "
              + "adb's.")
        ] + become(["su", "sudo", "adb-root"]),
        alternatives: [.init(["serial", "tcp", "usb"])],
        verified: "adb's own server and daemon, and a simulated device, over TCP and USB"),
      fastboot(.connection)
    ] + lines(.connection)

  /// Whether a connection of this name is a line, which carries the board's console.
  public static func isLine(_ name: String) -> Bool { consoles.contains { $0.name == name } }

  /// How a user who is not root becomes root.
  private static func become(_ ways: [String]) -> [OptionDeclaration] {
    [
      .init(
        "become", .choice(ways), isDetail: true,
        "How a user who is not root runs what is to run as root ('kelvin target exec --root')."
          + (ways.contains("adb-root") ? " 'adb-root' restarts adbd as root." : "")),
      .init(
        "root-password-from", .text, isDetail: true,
        "Where the password for that is: 'env:NAME' or 'file:PATH'; the user's own for sudo, root's "
          + "for su. It never stands in a bench file.")
    ]
  }

  /// Byte streams of a board's serial console.
  public static let consoles: [Declaration] = lines(.console)

  /// How boards are reached while their boot loaders run.
  public static let bootloaders: [Declaration] = [fastboot(.bootloader), uboot]

  /// Connections, then consoles, then boot loaders.
  public static let all = connections + consoles + bootloaders

  private static let uboot = Declaration(
    .bootloader, "uboot", summary: "A board whose boot loader is U-Boot, on its console.",
    description:
      "'kelvin target uboot' runs its commands, over the board's 'console'. All options may be left "
      + "out: 'bootloader: uboot'.",
    options: [
      .init(
        "prompt", .text, isDetail: true,
        "Its prompt, blanks included: '=> '. Without it, it is learned."),
      .init(
        "stop-keys", .text, isDetail: true,
        "What stops its autoboot: 'space', 'esc', 'enter', 'ctrl-c', or the text to be typed. "
          + "Without it, what the countdown asks for."),
      .init(
        "line-limit", .integer, default: 512, range: 128...65_536, isDetail: true,
        "Bytes that its lines may have (CONFIG_SYS_CBSIZE).")
    ],
    verified: "Debian's U-Boot 2023.01 on an emulated board")

  private static func fastboot(_ kind: Declaration.Kind) -> Declaration {
    Declaration(
      kind, "fastboot", summary: "A board whose boot loader speaks fastboot.",
      description:
        "'kelvin target flash' and 'kelvin target fastboot' use it. A boot loader takes no "
        + "commands of a run.",
      options: [
        .init(
          "usb", .structure([DeviceMatch.option(of: "USB device")], shorthand: nil),
          "The USB device."),
        .init("tcp", .text, "HOST:PORT; fastboot's own port is 5554."),
        .init("udp", .text, "HOST:PORT; fastboot's own port is 5554.")
      ],
      alternatives: [.init(["usb", "tcp", "udp"], required: true)],
      verified:
        "simulated boot loaders over TCP, UDP and USB")
  }

  /// Serial lines, near and far; a console that is also the connection carries commands as well.
  private static func lines(_ kind: Declaration.Kind) -> [Declaration] {
    [
      line(
        kind, "serial", "A serial line of this host.",
        options: [
          .init(
            "path", .path,
            "The device's file. Names such as /dev/ttyUSB0 change with every plug; 'match' or "
              + "/dev/serial/by-path does not."),
          DeviceMatch.option(of: "serial adapter"), baud
        ] + login,
        alternatives: [.init(["path", "match"], required: true)], verified: "emulated adapters only"
      ),
      line(
        kind, "telnet", "A serial line that another machine serves by the telnet protocol.",
        options: [
          .init("host", .text, required: true, "Name or address."),
          .init("port", .integer, default: 23, range: 1...65_535, "TCP port.")
        ] + login, verified: "virtual boards, and an emulated server"),
      line(
        kind, "rfc2217", "A serial line that another machine serves, its baud rate included.",
        description: "Telnet with the serial port's settings (RFC 2217), as ser2net and pyserial "
          + "serve it: 8N1 without flow control, at the rate that is wanted here.",
        options: [
          .init("host", .text, required: true, "Name or address."),
          .init("port", .integer, required: true, range: 1...65_535, "TCP port."), baud
        ] + login, verified: "ser2net and pyserial in front of pseudo terminals"),
      line(
        kind, "tcp", "A TCP port whose bytes are the serial line's, as ser2net's raw ones.",
        options: [
          .init("host", .text, required: true, "Name or address."),
          .init("port", .integer, required: true, range: 1...65_535, "TCP port.")
        ] + login, verified: "an emulated server"),
      line(
        kind, "socket", "A Unix socket, such as a virtual board's console.",
        options: [.init("path", .path, required: true, "The socket's file.")] + login,
        verified: "virtual boards")
    ]
  }

  private static let baud = OptionDeclaration(
    "baud", .integer, range: 50...4_000_000, isDetail: true,
    "Bits a second; default: the profile's, else 115,200.")

  private static let login: [OptionDeclaration] = [
    .init("login", .text, isDetail: true, "Who logs in; default: the profile's user."),
    passwordSource
  ]

  private static let passwordSource = OptionDeclaration(
    "password-from", .text, isDetail: true,
    "Where the password is: 'env:NAME' or 'file:PATH'. It never stands in a bench file.")

  /// A line that the owner of ports holds.
  private static func line(
    _ kind: Declaration.Kind, _ name: String, _ summary: String, description: String = "",
    options: [OptionDeclaration], alternatives: [Declaration.Alternatives] = [], verified: String
  ) -> Declaration {
    let use =
      kind == .console
      ? "'kelvin bench console' shows it; it is held, and what it says is logged, from "
        + "'kelvin bench up' or the first use on."
      : "Commands and files go over the board's console, checked, beside kernel messages: an agent "
        + "takes the place of the shell that is reached there, a login included, and leaves it at the "
        + "end. The board needs a POSIX shell and the usual small tools, as busybox has them. What "
        + "the line carries is logged, and 'kelvin bench console' shows it meanwhile."
    return Declaration(
      kind, name, summary: summary,
      description: description.isEmpty ? use : description + "\n\n" + use,
      options: options + (kind == .connection ? become(["sudo", "su"]) : []),
      alternatives: alternatives, verified: verified)
  }
}
