public import KelvinModel

/// What takes the link to a board away while a detached job runs.
public enum BoardLink: Sendable {
  /// Nothing: the link stays, and nobody uses it.
  case quiet
  /// The board itself takes a network interface down; nil: the one by which it is reached.
  case interface(String?)
  /// This host switches it off: a hub's port, the supply of a network switch.
  case switched(PowerControl)

  /// What stands under `link` in a bench file, beside every power switch.
  public static let declarations: [Declaration] = [
    Declaration(
      .link, "quiet", summary: "The link stays; nothing is sent over it while a job is detached.",
      description: "For consoles, for links that draw nothing, and for what cannot be switched."),
    Declaration(
      .link, "interface", summary: "The board takes its own network interface down.",
      description:
        "And up again when the job is over, with its routes; even when the job takes too "
        + "long, after run_timeout. Needs root, and 'ip' or 'ifconfig', on the board.",
      options: [
        .init(
          "name", .text,
          "Such as eth0; default: the one that has the address by which the board is reached, else "
            + "that of its default route.")
      ])
  ]

  /// What the board's entry says; where that says nothing, a network's interface is taken down by the
  /// board, and any other link is left alone.
  ///
  /// - Throws: of kind configuration, as ``PowerControl``.
  public init(of board: BoardEntry, host: PowerHost) throws(PowerFailure) {
    guard let choice = board.link else {
      self = BoardLink.isNetwork(board.connection) ? .interface(nil) : .quiet
      return
    }
    switch choice.driver {
    case "quiet": self = .quiet
    case "interface": self = .interface(choice.options["name"]?.text)
    default: self = .switched(try PowerControl(board, .link, host: host))
    }
  }

  private static func isNetwork(_ connection: DriverChoice?) -> Bool {
    switch connection?.driver {
    case "ssh": true
    case "adb": connection?.options["tcp"] != nil
    default: false
    }
  }

  /// What a detached job of this kind lacks on this board; nil when nothing.
  public func problem(with detached: DetachedLink) -> (text: String, hint: String)? {
    guard case .switched(let control) = self, detached.seconds == nil else { return nil }
    return (
      "is detached, and nothing tells when to switch \(control.subject) on again",
      "say how long the workload takes: 'link: {state: detached, seconds: 90}'"
    )
  }
}
