extension CommandResult.Termination {
  /// What a shell says of a command: `$?`, and whether it named a signal.
  ///
  /// - Parameter word: `e`, exited, `s`, signaled; anything else: nobody knows which.
  init(status: Int32, word: some StringProtocol) {
    // Of SIGINT and SIGPIPE shells say nothing: they end far more programs than exit so.
    let isExit = word == "e" && status != 130 && status != 141
    self =
      (129...192).contains(status) && !isExit ? .signaled(status - 128) : .exited(status)
  }
}

extension CommandResult.Termination: CustomStringConvertible {
  /// `exited with 1`, `was ended by signal 9`: what stands behind a program's name in a sentence.
  public var description: String {
    switch self {
    case .exited(let code): "exited with \(code)"
    case .signaled(let number): "was ended by signal \(number)"
    }
  }
}
