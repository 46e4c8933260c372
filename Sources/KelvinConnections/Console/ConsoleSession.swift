package import KelvinModel

/// Who logs in at a console. Never printed.
package struct ConsoleLogin: Sendable, CustomStringConvertible {
  package let user: String
  /// Nil where none is asked for.
  package let password: [UInt8]?

  /// Creates credentials.
  package init(user: String, password: [UInt8]? = nil) {
    self.user = user
    self.password = password
  }

  package var description: String { "login as \(user)" }
}

/// Brings a line in whatever state to a command channel: a shell's prompt of any form, a login, a
/// password prompt, an unfinished line, a program, an agent of an earlier life.
///
/// Nothing is sent while a boot loader may be counting down, since any key would stop it: it listens
/// first until nothing like that can be going on.
package final class ConsoleSession {
  private let link: any ByteLink
  private let login: ConsoleLogin?
  /// What the board said since something was last sent.
  private var heard: [UInt8] = []
  private var refusedLogins = 0
  /// Of the last try.
  private var last: ConsoleChannel?
  /// Whether the board has said anything at all.
  private var hasHeard = false
  /// The last line in which a kernel said that it panics, and how many there were.
  private var panic: (line: [UInt8], count: Int) = ([], 0)

  /// Times that a login is tried: bytes may be lost in one.
  private static let logins = 2
  /// A boot loader that counts down says so each second.
  private static let countdownPause = 1.5
  /// A board that boots has come to an end when it says nothing for so long.
  private static let bootPause = 6.0

  /// Creates a session; nothing is sent yet.
  package init(_ link: any ByteLink, login: ConsoleLogin? = nil) {
    self.link = link
    self.login = login
  }

  /// Reaches a command channel.
  ///
  /// - Parameter listens: false where it is known that no boot loader runs.
  /// - Throws: `permissionDenied`: the board wants a login that was not given, or refused it;
  ///   `unsupported`: it is at its boot loader's prompt; `timedOut`, `connectionLost`.
  package func reach(
    listens: Bool = true, until deadline: Deadline
  ) throws(ConnectionFailure) -> ConsoleChannel {
    do throws(ConnectionFailure) {
      if listens { try listen(until: deadline) }
      return try reach(until: deadline)
    } catch {
      // What is left of a loader would wait for ever in the shell's place.
      if let last, last.isLoading, !last.boot.hasBegun {
        try? link.write([10, UInt8(ascii: "."), 10], until: .after(seconds: 1))
      }
      throw error
    }
  }

  private func reach(until deadline: Deadline) throws(ConnectionFailure) -> ConsoleChannel {
    var attempt = 0
    while true {
      try check(deadline)
      // Ctrl-C ends an unfinished line or a program, Ctrl-\ one that does not care, and Ctrl-Z stops
      // what is left.
      let ways: [UInt8] = [0x1A, 0x03, 0x1C]
      let keys: [UInt8] = attempt == 0 ? [13] : [ways[attempt % 3], 13]
      try send(keys, until: deadline)
      switch try prompt(within: 1, until: deadline) {
      case .login: try logIn(until: deadline)
      case .password, .refused: attempt += 1
      case .bootLoader: throw atBootLoader
      case .other:
        if let channel = try open(attempt, until: deadline) { return channel }
        attempt += 1
      }
    }
  }

  // MARK: Steps

  /// Waits until no boot loader can be counting down, and a board that boots has come to an end.
  private func listen(until deadline: Deadline) throws(ConnectionFailure) {
    // What the line said earlier tells nothing: a board that has just been switched on is silent, too.
    var boot = BootWatch()
    var quietSince = MonotonicTime.now
    var isBooting = false
    while true {
      try check(deadline)
      let count = heard.count
      let pause = isBooting ? ConsoleSession.bootPause : ConsoleSession.countdownPause
      let isQuiet = try !hear(until: deadline.limited(toSeconds: pause))
      if isQuiet, MonotonicTime.now - quietSince >= Int64(pause * 0.9e9) { return }
      let new = heard[count...]
      boot.append(new)
      isBooting = isBooting || boot.hasBegun
      // Lines that come all the time, such as kernel messages, are no boot loader's; a countdown
      // moves the cursor back.
      let isSuspicious = isBooting || new.contains(8) || contains("autoboot", in: heard.suffix(256))
      if isSuspicious { quietSince = .now }
      if isBooting, state == .login { return }
      if !isSuspicious, MonotonicTime.now - quietSince >= 3_000_000_000 { return }
    }
  }

  private func logIn(until deadline: Deadline) throws(ConnectionFailure) {
    guard let login else {
      throw ConnectionFailure(
        .permissionDenied, "\(link.name): the board asks for a login, and none was given",
        hint: "give the console 'login' and 'password-from' in the bench file")
    }
    try send(Array(login.user.utf8) + [13], until: deadline)
    switch try prompt(within: 8, until: deadline) {
    case .password:
      guard let password = login.password else {
        throw ConnectionFailure(
          .permissionDenied,
          "\(link.name): the board asks for \(login.user)'s password, and none was given",
          hint: "give the console 'password-from' in the bench file")
      }
      try send(password + [13], until: deadline)
      // What comes now may take a while, and may be anything; a refusal says so.
      if try prompt(within: 10, until: deadline) == .refused { try refuse(login) }
    case .refused: try refuse(login)
    case .login, .other, .bootLoader: break
    }
  }

  private func refuse(_ login: ConsoleLogin) throws(ConnectionFailure) {
    refusedLogins += 1
    guard refusedLogins >= ConsoleSession.logins else { return }
    throw ConnectionFailure(
      .permissionDenied, "\(link.name): the board refused \(login.user)'s login",
      hint: "check 'login' and 'password-from' of the board's console")
  }

  /// Tries to put the agent in the place of a shell; nil when nothing there took it.
  private func open(
    _ attempt: Int, until deadline: Deadline
  ) throws(ConnectionFailure) -> ConsoleChannel? {
    let channel = ConsoleChannel(link)
    last = channel
    do throws(ConnectionFailure) {
      let seconds = 3 + 2 * Double(min(attempt, 6)) + 4 * channel.transit(4000)
      try channel.open(until: deadline.limited(toSeconds: seconds))
      return channel
    } catch {
      guard error.code == .timedOut else { throw error }
      heard = channel.tail
      hasHeard = hasHeard || !heard.isEmpty
      if contains("Unknown command", in: heard) { throw atBootLoader }
      return nil
    }
  }

  // MARK: What the board says

  private enum State: Equatable { case login, password, refused, bootLoader, other }

  /// Waits until the board shows something that is known, or falls silent after it has said
  /// something else.
  private func prompt(
    within seconds: Double, until deadline: Deadline
  ) throws(ConnectionFailure) -> State {
    let limit = deadline.limited(toSeconds: seconds)
    while true {
      let pause = heard.count > 2 ? min(seconds, 0.6) : seconds
      guard try hear(until: limit.limited(toSeconds: pause)) else { return state }
      let state = state
      if state != .other { return state }
      if limit.hasPassed { return .other }
    }
  }

  /// What the last lines ask for, kernel messages left out.
  private var state: State {
    let text = ConsoleText.visible(heard.suffix(4096))
    // Who waits for an answer leaves the line open, but for a kernel message right behind.
    var lines = text.split(
      omittingEmptySubsequences: false, whereSeparator: { $0 == 10 || $0 == 13 }
    ).suffix(24).map { line -> (text: [UInt8], isOpen: Bool) in
      if let stamp = KernelStamp.first(in: line) { return (Array(Array(line)[..<stamp]), true) }
      return (Array(line), line.endIndex == text.endIndex)
    }
    lines.removeAll { $0.text.allSatisfy { $0 == UInt8(ascii: " ") } }
    if lines.contains(where: { contains("incorrect", in: $0.text) }) { return .refused }
    for (line, isOpen) in lines.reversed() where isOpen {
      let text = String(decoding: line, as: UTF8.self).trimmedEnd.lowercased()
      if text.hasSuffix("login:") || text.hasSuffix("username:") { return .login }
      if text.hasSuffix("password:") { return .password }
    }
    if lines.last?.text.elementsEqual("=> ".utf8) == true { return .bootLoader }
    return .other
  }

  private func contains(_ text: String, in bytes: some Collection<UInt8>) -> Bool {
    String(decoding: bytes, as: UTF8.self).contains(text)
  }

  // MARK: The line

  private func send(_ bytes: [UInt8], until deadline: Deadline) throws(ConnectionFailure) {
    heard = []
    try link.write(bytes, until: deadline)
  }

  private func hear(until deadline: Deadline) throws(ConnectionFailure) -> Bool {
    let count = heard.count
    guard try link.read(into: &heard, until: deadline) else { return false }
    hasHeard = true
    notePanics(from: max(0, count - 200))
    if heard.count > 65_536 { heard.removeFirst(32_768) }
    return true
  }

  /// Lines that are whole; one that was seen before is not counted again.
  private func notePanics(from start: Int) {
    for line in heard[start...].split(separator: 10).dropLast()
    where contains(ConsoleText.panic, in: line) && !contains("---[ end", in: line) {
      let line = line.filter { $0 != 13 }
      if line != panic.line { panic = (line, panic.count + 1) }
    }
  }

  // MARK: Failures

  private func check(_ deadline: Deadline) throws(ConnectionFailure) {
    if deadline.isInterrupted { throw ConnectionFailure(.interrupted, "\(link.name): stopped") }
    guard deadline.hasPassed else { return }
    guard hasHeard else { throw link.saysNothing }
    if panic.count > 0 {
      let line = String(decoding: panic.line.prefix(120), as: UTF8.self)
      throw ConnectionFailure(
        .timedOut, "\(link.name): the board's kernel panics as it boots: '\(line)'",
        hint: "'kelvin bench console' shows what it says before that; its root file system and its "
          + "kernel's arguments are the usual reasons")
    }
    let last = String(decoding: ConsoleText.lastLine(of: heard).prefix(80), as: UTF8.self)
    throw ConnectionFailure(
      .timedOut,
      "\(link.name): no shell was reached in time"
        + (last.isEmpty ? "" : "; the board's last line is '\(last)'"),
      hint: "'kelvin bench console' shows what it says")
  }

  private var atBootLoader: ConnectionFailure {
    ConnectionFailure(
      .unsupported, "\(link.name): the board waits at its boot loader's prompt",
      hint: "boot it: 'boot' on its console, or 'kelvin power cycle'")
  }
}

extension String {
  fileprivate var trimmedEnd: String {
    var text = self[...]
    while let last = text.last, last == " " || last == "\t" { text = text.dropLast() }
    return String(text)
  }
}
