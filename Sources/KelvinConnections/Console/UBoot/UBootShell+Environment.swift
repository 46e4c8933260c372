package import KelvinModel

/// U-Boot's variables.
extension UBootShell {
  /// Times that a reading is repeated until two are alike.
  private static let readings = 6

  /// The value of a variable; nil when there is none.
  ///
  /// It is read until two readings are alike, since a console may damage one.
  package func variable(
    _ name: String, until deadline: Deadline
  ) throws(ConnectionFailure) -> [UInt8]? {
    let name = try checked(name)
    let command = Array("printenv ".utf8) + UBootQuoting.word(name)
    var values: [[UInt8]?] = []
    for _ in 0..<UBootShell.readings {
      let reply = try run(command, until: deadline)
      var value: [UInt8]?
      if reply.status ?? 0 == 0 {
        let head = name + [UInt8(ascii: "=")]
        // Only a damaged reading is anything else.
        guard reply.output.starts(with: head), reply.output.last == 10 else {
          if parser == .simple, contains("not defined", in: reply.output) { return nil }
          continue
        }
        value = Array(reply.output.dropFirst(head.count).dropLast())
      }
      // A reading on a line that has never lost anything needs no second one.
      if reply.isFramed, !isNoisy || values.contains(value) { return value }
      values.append(value)
    }
    throw unreadable
  }

  /// All variables.
  package func variables(until deadline: Deadline) throws(ConnectionFailure) -> UBootEnvironment {
    var seen: [UBootEnvironment] = []
    for _ in 0..<UBootShell.readings {
      let reply = try run("printenv", until: deadline)
      let environment = UBootEnvironment(reply.output)
      let isSure = environment.isWhole ?? true && reply.isFramed
      if isSure, !isNoisy || seen.contains(environment) { return environment }
      if isSure { seen.append(environment) }
    }
    throw unreadable
  }

  /// Sets a variable for this boot, and reads it back; an empty value deletes it.
  ///
  /// - Throws: `unsupported` for a value that cannot be typed: control characters beside newlines, or
  ///   a line of it that is too long; `refused`: U-Boot does not let it be set.
  package func set(
    _ name: String, to value: [UInt8], until deadline: Deadline
  ) throws(ConnectionFailure) {
    let command =
      Array("setenv ".utf8) + UBootQuoting.word(try checked(name))
      + (value.isEmpty ? [] : [32] + UBootQuoting.word(value))
    let reply = try run(command, until: deadline)
    guard reply.status ?? 0 == 0 else {
      throw refused("set '\(name)'", reply)
    }
    let now = try variable(name, until: deadline)
    guard now == (value.isEmpty ? nil : value) else {
      throw ConnectionFailure(
        .badReply, "\(link.name): '\(name)' has another value than it was given",
        evidence: now.map { String(decoding: $0, as: UTF8.self) } ?? "",
        hint: "this U-Boot may change or protect it")
    }
  }

  /// Writes the variables to where the board keeps them. Never done on its own.
  package func save(until deadline: Deadline) throws(ConnectionFailure) {
    let reply = try run("saveenv", until: deadline)
    guard reply.status ?? 0 == 0 else { throw refused("save its variables", reply) }
  }

  private func checked(_ name: String) throws(ConnectionFailure) -> [UInt8] {
    let bytes = Array(name.utf8)
    guard !bytes.isEmpty, bytes.allSatisfy({ $0 > 32 && $0 < 127 && $0 != UInt8(ascii: "=") })
    else {
      throw ConnectionFailure(.unsupported, "'\(name)' is no name of a variable in U-Boot")
    }
    return bytes
  }

  private func refused(_ what: String, _ reply: UBootReply) -> ConnectionFailure {
    let words = reply.text.split(separator: "\n").last.map(String.init) ?? ""
    return ConnectionFailure(
      .refused(words), "\(link.name): U-Boot did not \(what): \(words)", evidence: reply.text)
  }

  private var unreadable: ConnectionFailure {
    ConnectionFailure(
      .badReply, "\(link.name): no two readings of U-Boot's variables were alike",
      hint: "the line loses too much: check the cable and the baud rate")
  }
}
