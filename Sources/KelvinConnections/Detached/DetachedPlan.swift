/// What is to run on a board while nobody is connected to it.
package struct DetachedPlan: Sendable {
  /// Which network interface the board itself takes down meanwhile.
  package enum Interface: Sendable, Hashable {
    case none
    /// The one by which this connection came.
    case ofLink
    case named(String)
  }

  package var command: Command
  /// An empty directory of the board, made where it is missing; removed when all is collected.
  package var directory: TargetPath
  /// Unique on the board, of letters, digits, `_`, `-`, `.`: its processes carry it.
  package var name: String
  package var interface: Interface
  /// Seconds between the answer and the command, for the link to be gone by then; at least one where
  /// an interface is taken down.
  package var settleSeconds: Double
  /// Seconds that the command may take.
  package var limitSeconds: Double

  /// Describes a detached command.
  package init(
    _ command: Command, directory: TargetPath, name: String, interface: Interface = .none,
    settleSeconds: Double, limitSeconds: Double
  ) {
    self.command = command
    self.directory = directory
    self.name = name
    self.interface = interface
    self.settleSeconds = settleSeconds
    self.limitSeconds = limitSeconds
  }
}

extension DetachedPlan.Interface {
  /// As the launcher takes it.
  var word: String {
    switch self {
    case .none: "-"
    case .ofLink: "+"
    case .named(let name): name
    }
  }
}
