import KelvinModel
import KelvinSimulators
import KelvinSystem

@testable import KelvinConnections

/// The ways to a board that must all keep the same promises.
enum ConformanceKind: String, Sendable, CaseIterable {
  case local, dash, bash, busybox, mksh
  case sshd = "sshd with bash"
  case sshdBusybox = "sshd with busybox"
  case dropbear = "dropbear with dash"
  case adb = "adb's server"
  case adbDirect = "adb without a server"
  case adbOld = "adb to an old device"
  case adbd = "Android's adbd by adb's server"
  case adbdDirect = "Android's adbd without a server"
  case consoleDash = "console with dash"
  case consoleBash = "console with bash"
  case consoleBusybox = "console with busybox"
  case consoleMksh = "console with mksh"

  static let allCases: [ConformanceKind] =
    [
      .local, .dash, .bash, .busybox, .mksh, .adbDirect, .adbOld, .consoleDash, .consoleBash,
      .consoleBusybox, .consoleMksh
    ] + (hasADB ? [.adb] : [])
    + (RealADBD.isThere ? [.adbdDirect] : [])
    + (RealADBD.isThere && hasADB ? [.adbd] : [])
    + (SSHServer.obstacle == nil ? [.sshd, .sshdBusybox, .dropbear] : [])

  /// Started at the first use; they end with this process.
  private static let serverSshd = Result { try SSHServer(.sshd, login: .bash) }
  private static let serverSshdBusybox = Result { try SSHServer(.sshd, login: .busybox) }
  private static let serverDropbear = Result { try SSHServer(.dropbear, login: .dash) }

  var isConsole: Bool { [.consoleDash, .consoleBash, .consoleBusybox, .consoleMksh].contains(self) }

  /// What a line that carries checked frames brings over while a test waits.
  func bytes(_ count: Int) -> Int { isConsole ? count / 10 : count }

  /// A connection of this kind, to a board that is this machine.
  func connection() throws -> any Connection {
    switch self {
    case .local: LocalConnection()
    case .dash: ShellConnection(argv: ["dash"])
    case .bash: ShellConnection(argv: ["bash"])
    case .busybox: ShellConnection(argv: ["busybox", "ash"])
    case .mksh: ShellConnection(argv: ["mksh"])
    case .sshd: try Self.serverSshd.get().connection()
    case .sshdBusybox: try Self.serverSshdBusybox.get().connection()
    case .dropbear: try Self.serverDropbear.get().connection()
    case .adb, .adbDirect, .adbOld, .adbd, .adbdDirect: try ADBBoards.connection(self)
    case .consoleDash: try ShellLine(.dash).connection()
    case .consoleBash: try ShellLine(.bash).connection()
    case .consoleBusybox: try ShellLine(.busybox).connection()
    case .consoleMksh: try ShellLine(.mksh).connection()
    }
  }
}

/// Enough for anything but what hangs.
func soon() -> Deadline { .after(seconds: 20) }
