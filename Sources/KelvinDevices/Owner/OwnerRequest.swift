internal import KelvinModel

/// What a client asks of the owner, as it goes over the socket.
enum OwnerRequest: Sendable, Hashable {
  /// Must be the first.
  case hello(version: Int, client: String)
  case open(name: String, address: String, keep: Bool, isLink: Bool = false)
  /// From now on the client counts as one who uses the console.
  case attach(name: String)
  case detach(name: String)
  /// Answered as soon as there are bytes at the position, the state's serial differs from the one
  /// given, or the time is over.
  case read(name: String, position: UInt64, limit: Int, serial: UInt64?, milliseconds: Int)
  case write(name: String, bytes: [UInt8], milliseconds: Int)
  case takeWriter(name: String, force: Bool)
  case releaseWriter(name: String)
  /// Answered with a descriptor of a link's far end, which the owner leaves alone until it is given
  /// back or the client is gone.
  case borrow(name: String)
  case giveBack(name: String)
  case setLines(name: String, lines: ControlLines)
  case sendBreak(name: String, milliseconds: Int)
  /// Has lines driven of the port at the address, whatever it is held for; one that is not held yet is
  /// from now on, under the name. Needs no right to write.
  case drive(LineDrive)
  case list
  case close(name: String, force: Bool)
  case shutdown(force: Bool)

  /// The longest wait that a request may ask for.
  static let longestWait = 86_400_000
  /// The most bytes that one read gives.
  static let readLimit = 65_536
}

extension OwnerRequest {
  /// - Parameter id: comes back with the answer.
  func frame(id: UInt64) -> OwnerFrame {
    var header: [String: Value] = ["id": .integer(Int64(clamping: id)), "do": .text(verb)]
    var body: [UInt8] = []
    if let name { header["name"] = .text(name) }
    switch self {
    case .hello(let version, let client):
      header["version"] = .integer(Int64(version))
      header["client"] = .text(client)
    case .open(_, let address, let keep, let isLink):
      header["address"] = .text(address)
      header["keep"] = .boolean(keep)
      if isLink { header["link"] = true }
    case .read(_, let position, let limit, let serial, let milliseconds):
      header["position"] = .integer(Int64(clamping: position))
      header["limit"] = .integer(Int64(limit))
      if let serial { header["serial"] = .integer(Int64(clamping: serial)) }
      header["ms"] = .integer(Int64(milliseconds))
    case .write(_, let bytes, let milliseconds):
      body = bytes
      header["ms"] = .integer(Int64(milliseconds))
    case .takeWriter(_, let force), .close(_, let force), .shutdown(let force):
      header["force"] = .boolean(force)
    case .setLines(_, let lines): header.merge(lines.values) { $1 }
    case .drive(let drive):
      header.merge(drive.lines.values) { $1 }
      header["address"] = .text(drive.address)
      header["held"] = .boolean(drive.isHeldOnly)
      if let powers = drive.powers { header["powers"] = .boolean(powers) }
      header["ms"] = .integer(Int64(drive.milliseconds))
    case .sendBreak(_, let milliseconds): header["ms"] = .integer(Int64(milliseconds))
    case .attach, .detach, .releaseWriter, .borrow, .giveBack, .list: break
    }
    return OwnerFrame(header: header, body: body)
  }

  private var verb: String {
    switch self {
    case .hello: "hello"
    case .open: "open"
    case .attach: "attach"
    case .detach: "detach"
    case .read: "read"
    case .write: "write"
    case .takeWriter: "take-writer"
    case .releaseWriter: "release-writer"
    case .borrow: "borrow"
    case .giveBack: "give-back"
    case .setLines: "set-lines"
    case .sendBreak: "break"
    case .drive: "drive"
    case .list: "list"
    case .close: "close"
    case .shutdown: "shutdown"
    }
  }

  private var name: String? {
    switch self {
    case .open(let name, _, _, _), .attach(let name), .detach(let name),
      .read(let name, _, _, _, _),
      .write(let name, _, _), .takeWriter(let name, _), .releaseWriter(let name),
      .borrow(let name), .giveBack(let name), .setLines(let name, _), .sendBreak(let name, _),
      .close(let name, _):
      name
    case .drive(let drive): drive.name
    case .hello, .list, .shutdown: nil
    }
  }

  /// Reads a request.
  ///
  /// - Throws: `malformed`, naming the key that is missing, of another type or out of range.
  init(_ frame: OwnerFrame) throws(OwnerFailure) {
    let keys = FrameKeys(header: frame.header)
    switch frame.header["do"]?.text ?? "" {
    case "hello":
      self = .hello(
        version: try keys.integer("version", 0...1_000_000), client: try keys.text("client"))
    case "open":
      self = .open(
        name: try keys.text("name"), address: try keys.text("address"),
        keep: try keys.flag("keep"), isLink: try keys.flag("link"))
    case "attach": self = .attach(name: try keys.text("name"))
    case "detach": self = .detach(name: try keys.text("name"))
    case "read":
      self = .read(
        name: try keys.text("name"), position: UInt64(try keys.integer("position", 0...Int.max)),
        limit: try keys.integer("limit", 1...OwnerRequest.readLimit),
        serial: keys.header["serial"] == nil
          ? nil : UInt64(try keys.integer("serial", 0...Int.max)),
        milliseconds: try keys.integer("ms", 0...OwnerRequest.longestWait))
    case "write":
      guard !frame.body.isEmpty else {
        throw OwnerFailure(.malformed, "request 'write': without bytes")
      }
      self = .write(
        name: try keys.text("name"), bytes: frame.body,
        milliseconds: try keys.integer("ms", 0...OwnerRequest.longestWait))
    case "take-writer":
      self = .takeWriter(name: try keys.text("name"), force: try keys.flag("force"))
    case "release-writer": self = .releaseWriter(name: try keys.text("name"))
    case "borrow": self = .borrow(name: try keys.text("name"))
    case "give-back": self = .giveBack(name: try keys.text("name"))
    case "set-lines":
      self = .setLines(
        name: try keys.text("name"), lines: keys.lines)
    case "break":
      self = .sendBreak(
        name: try keys.text("name"), milliseconds: try keys.integer("ms", 1...5000))
    case "drive":
      self = .drive(
        LineDrive(
          name: try keys.text("name"), address: try keys.text("address"), lines: keys.lines,
          powers: keys.header["powers"]?.boolean, isHeldOnly: try keys.flag("held"),
          milliseconds: try keys.integer("ms", 0...OwnerRequest.longestWait)))
    case "list": self = .list
    case "close": self = .close(name: try keys.text("name"), force: try keys.flag("force"))
    case "shutdown": self = .shutdown(force: try keys.flag("force"))
    default: throw OwnerFailure(.malformed, "a request that the owner does not know")
    }
  }
}

/// What is asked of lines.
struct LineDrive: Sendable, Hashable {
  /// What the lines are driven for; the port is called so where it is not held yet.
  var name: String
  var address: String
  /// Those that are nil stay as they are; all of them: they are only read.
  var lines = ControlLines()
  /// Whether that powers a board from now on; nil: as before.
  var powers: Bool?
  /// A port that is not held stays so, and that is refused.
  var isHeldOnly = false
  var milliseconds: Int
}

extension ControlLines {
  /// As keys of a header.
  var values: [String: Value] {
    [("dtr", dtr), ("rts", rts), ("level", level)].reduce(into: [:]) { values, line in
      if let value = line.1 { values[line.0] = .boolean(value) }
    }
  }
}

/// A header's keys, read with their types.
struct FrameKeys {
  let header: [String: Value]

  func text(_ key: String) throws(OwnerFailure) -> String {
    guard let text = header[key]?.text else { throw problem(key) }
    return text
  }

  func integer(_ key: String, _ range: ClosedRange<Int>) throws(OwnerFailure) -> Int {
    guard let value = header[key]?.integer, range.contains(Int(value)) else { throw problem(key) }
    return Int(value)
  }

  /// False when it is missing.
  func flag(_ key: String) throws(OwnerFailure) -> Bool {
    guard let value = header[key] else { return false }
    guard let flag = value.boolean else { throw problem(key) }
    return flag
  }

  var lines: ControlLines {
    ControlLines(
      dtr: header["dtr"]?.boolean, rts: header["rts"]?.boolean, level: header["level"]?.boolean)
  }

  private func problem(_ key: String) -> OwnerFailure {
    OwnerFailure(.malformed, "a message over the owner's socket: '\(key)' is missing or wrong")
  }
}
