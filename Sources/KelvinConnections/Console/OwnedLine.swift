package import KelvinDevices
package import KelvinModel
internal import KelvinSystem

/// A board's line that the owner of ports holds, so that all it carries is logged, and others can
/// read it meanwhile; one at a time writes.
package struct OwnedLine: ConsoleLine {
  package let name: String
  private let board: String
  private let choice: DriverChoice
  private let console: DriverChoice?
  private let baud: UInt32?
  private let places: OwnerPlaces

  /// Creates a way to a line; nothing is opened yet.
  ///
  /// - Parameters:
  ///   - board: under its name the owner holds it.
  ///   - choice: what the bench file says of it.
  ///   - console: what it says of the board's console, which may be another line, and then has the
  ///     board's name.
  ///   - baud: the rate when the bench file names none, from the board's profile.
  package init(
    board: String, _ choice: DriverChoice, console: DriverChoice? = nil, baud: UInt32? = nil,
    places: OwnerPlaces = .standard
  ) {
    self.board = board
    name = "\(choice.driver) line of \(board)"
    self.choice = choice
    self.console = console
    self.baud = baud
    self.places = places
  }

  package func open(until deadline: Deadline) throws(ConnectionFailure) -> any ByteLink {
    do {
      let client = try Owner.Client.connect(to: places, as: "kelvin", until: deadline)
      let holding = try holding()
      let held = try client.open(console: holding, choice, baud: baud, until: deadline)
      if case .lost(let reason) = held.state {
        throw OwnerFailure(.lost, reason, hint: "is it plugged in, and does nobody else hold it?")
      }
      return try OwnedLink(
        client, held, name: name, bitsPerSecond: OwnedLine.rate(choice, baud), until: deadline)
    } catch let failure as OwnerFailure {
      throw failure.code == .lost
        ? ConnectionFailure(
          .unreachable(.noAnswer), "\(name): \(failure.message)", evidence: failure.evidence,
          hint: failure.hint) : ConnectionFailure(owner: failure, name)
    } catch let failure as ConnectionFailure {
      throw failure
    } catch {
      let failure = PlainFailure(error)
      throw ConnectionFailure(
        .unreachable(.noAnswer), "\(name): \(failure.message)", evidence: failure.evidence,
        hint: failure.hint)
    }
  }

  /// The name under which the owner holds it.
  private func holding() throws -> String {
    guard let console, console != choice,
      try ConsoleAddress(console, baud: baud) != ConsoleAddress(choice, baud: baud)
    else { return board }
    return "\(board)-connection"
  }

  /// Bits a second, where the line is a serial one whose rate is set here.
  package static func rate(_ choice: DriverChoice, _ baud: UInt32?) -> Int? {
    guard ["serial", "rfc2217"].contains(choice.driver) else { return nil }
    let written = choice.options["baud"]?.integer.flatMap { Int(exactly: $0) }
    return written ?? baud.map { Int($0) } ?? Int(ConsoleAddress.defaultBaud)
  }
}

/// The bytes of a line that the owner of ports holds.
final class OwnedLink: ByteLink {
  let name: String
  let bitsPerSecond: Int?
  private let client: Owner.Client
  private let holding: String
  private var attachment: ConsoleAttachment

  /// Attaches to it, from now on, as the one who writes.
  init(
    _ client: Owner.Client, _ held: Holding, name: String, bitsPerSecond: Int?,
    until deadline: Deadline
  ) throws(OwnerFailure) {
    self.client = client
    holding = held.name
    self.name = name
    self.bitsPerSecond = bitsPerSecond
    attachment = try client.attach(holding, from: .end, until: deadline)
    try client.takeWriter(holding, until: deadline)
  }

  func write(_ bytes: [UInt8], until deadline: Deadline) throws(ConnectionFailure) {
    do { try client.write(bytes, to: holding, until: deadline) } catch {
      throw ConnectionFailure(owner: error, name)
    }
  }

  func read(
    into bytes: inout [UInt8], until deadline: Deadline
  ) throws(ConnectionFailure) -> Bool {
    do throws(OwnerFailure) {
      while let news = try client.news(of: &attachment, until: deadline) {
        switch news.newState {
        case .lost(let reason):
          throw OwnerFailure(
            .lost, "the line was lost: \(reason)",
            hint: "is it still plugged in, or its server running? The next use opens it again")
        case .closed: throw OwnerFailure(.lost, "it was given up")
        case .open, .opening, nil: break
        }
        // Bytes that are no longer kept are noise like any other: what they belonged to is asked for
        // again.
        guard !news.bytes.isEmpty else { continue }
        bytes += news.bytes
        return true
      }
      return false
    } catch {
      // Whoever waits looks at the deadline.
      if error.code == .interrupted, deadline.isInterrupted { return false }
      throw ConnectionFailure(owner: error, name)
    }
  }
}

extension ConnectionFailure {
  /// What the owner of ports says of a line.
  init(owner failure: OwnerFailure, _ name: String) {
    let code: Code =
      switch failure.code {
      case .lost, .ownerGone: .connectionLost
      case .timeout: .timedOut
      case .interrupted: .interrupted
      case .denied: .permissionDenied
      case .writerTaken, .conflict, .inUse, .busy: .unreachable(.notAdmitted)
      case .notRunning, .unknownConsole, .version, .system: .unreachable(.noAnswer)
      case .invalid, .unsupported, .malformed: .unsupported
      }
    self.init(
      code, "\(name): \(failure.message)", evidence: failure.evidence, hint: failure.hint)
  }
}
