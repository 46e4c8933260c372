import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinDevices

/// Messages over the owner's socket, also from those who do not know how to speak.
struct OwnerFrameTests {
  static let requests: [OwnerRequest] = [
    .hello(version: 2, client: "kelvin run"),
    .open(name: "a", address: "socket:/x", keep: true), .attach(name: "ä"), .detach(name: "a"),
    .read(name: "a", position: 5_000_000_000, limit: 65_536, serial: 3, milliseconds: 100),
    .read(name: "a", position: 0, limit: 1, serial: nil, milliseconds: 0),
    .write(name: "a", bytes: [0, 255, 10, 13], milliseconds: 10),
    .takeWriter(name: "a", force: true),
    .releaseWriter(name: "a"), .setLines(name: "a", lines: ControlLines(dtr: true, rts: nil)),
    .setLines(name: "a", lines: ControlLines(dtr: nil, rts: false)),
    .open(name: "a", address: "socket:/x", keep: false, isLink: true), .borrow(name: "a"),
    .giveBack(name: "a"),
    .drive(
      LineDrive(
        name: "a", address: "gpio:x:1", lines: ControlLines(level: false), powers: true,
        milliseconds: 5)),
    .drive(LineDrive(name: "a", address: "pty:/x", isHeldOnly: true, milliseconds: 0)),
    .sendBreak(name: "a", milliseconds: 250), .list, .close(name: "a", force: false),
    .shutdown(force: true)
  ]

  @Test(arguments: requests)
  func requestsArriveAsTheyWereSent(request: OwnerRequest) throws {
    let wire = request.frame(id: 7).encoded
    for size in [1, 3, wire.count] {
      var reader = OwnerFrameReader()
      var found: [OwnerFrame] = []
      var rest = wire[...]
      while !rest.isEmpty {
        reader.append(rest.prefix(size))
        rest = rest.dropFirst(size)
        while let frame = try reader.next() { found.append(frame) }
      }
      #expect(found.count == 1)
      let frame = try #require(found.first)
      #expect(try OwnerRequest(frame) == request)
      #expect(frame.header["id"]?.integer == 7)
    }
  }

  @Test(arguments: requests)
  func aCutMessageIsNoMessage(request: OwnerRequest) throws {
    let wire = request.frame(id: 1).encoded
    for length in 0..<wire.count {
      var reader = OwnerFrameReader()
      reader.append(wire.prefix(length))
      #expect(try reader.next() == nil)
    }
  }

  @Test(arguments: requests)
  func aDamagedMessageIsRefusedOrMeansSomethingElse(request: OwnerRequest) {
    let wire = request.frame(id: 1).encoded
    for index in wire.indices {
      for flip: UInt8 in [1, 0x80, 0xFF] {
        var damaged = wire
        damaged[index] ^= flip
        var reader = OwnerFrameReader()
        reader.append(damaged)
        do throws(OwnerFailure) {
          // Whatever comes out, it is bounded, and it is not taken for what was sent unless the
          // damage only touched what does not matter (a key that nobody reads).
          if let frame = try reader.next() {
            #expect(frame.body.count <= OwnerFrame.bodyLimit)
            _ = try OwnerRequest(frame)
          }
        } catch {
          #expect(error.code == .malformed)
        }
      }
    }
  }

  static let hostile: [[UInt8]] = [
    [255, 255, 255, 255, 0, 0, 0, 0], [0, 0, 0, 2, 255, 255, 255, 255],
    [0, 1, 0, 1, 0, 0, 0, 0], [0, 0, 0, 2, 0, 4, 0, 1], [0, 0, 0, 0, 0, 0, 0, 0],
    [0, 0, 0, 2, 0, 0, 0, 0, 91, 93], [0, 0, 0, 1, 0, 0, 0, 0, 255],
    [0, 0, 0, 4, 0, 0, 0, 0] + Array("null".utf8), Array("GET / HTTP/1.1\r\n\r\n".utf8)
  ]

  @Test(arguments: hostile)
  func hostileSizesAndContentsAreRefused(wire: [UInt8]) {
    var reader = OwnerFrameReader()
    reader.append(wire)
    #expect {
      _ = try reader.next()
    } throws: { ($0 as? OwnerFailure)?.code == .malformed }
  }

  static let wrong: [[String: Value]] = [
    [:], ["do": "nothing"], ["do": 5], ["do": "hello", "client": "x"],
    ["do": "hello", "version": "1", "client": "x"], ["do": "open", "name": "a"],
    ["do": "read", "name": "a", "position": -1, "limit": 1, "ms": 0],
    ["do": "read", "name": "a", "position": 0, "limit": 0, "ms": 0],
    ["do": "read", "name": "a", "position": 0, "limit": 65_537, "ms": 0],
    ["do": "read", "name": "a", "position": 0, "limit": 1, "ms": 100_000_000],
    ["do": "read", "name": "a", "position": 1.5, "limit": 1, "ms": 0],
    ["do": "write", "name": "a", "ms": 1], ["do": "break", "name": "a", "ms": 0],
    ["do": "drive", "name": "a", "ms": 0], ["do": "drive", "name": "a", "address": "x"],
    ["do": "drive", "name": "a", "address": "x", "ms": 0, "held": 1],
    ["do": "close", "name": "a", "force": "yes"], ["do": "attach", "name": nil]
  ]

  @Test(arguments: wrong)
  func requestsThatMakeNoSenseAreRefused(header: [String: Value]) {
    #expect {
      _ = try OwnerRequest(OwnerFrame(header: header))
    } throws: { ($0 as? OwnerFailure)?.code == .malformed }
  }

  @Test func whatIsHeldArrivesAsItWasSent() throws {
    let scratch = try OwnerScratch()
    let log = try ConsoleLog(directory: scratch.path + "/a")
    let console = Holding(
      HeldPort.Snapshot(
        state: .lost(reason: "gone"), serial: 4, lines: ControlLines(dtr: true, rts: false)),
      .init(name: "a", address: .console(.pty(path: "/dev/pts/1")), log: log),
      extent: ConsoleLog.Extent(first: 10, end: 20, lost: 3, problem: "no space"), keep: true,
      drivers: [:], readers: ["a (1)"], writer: "a (1)")
    #expect(console.kind == .console && console.log == log.directory)
    let line = Holding(
      HeldPort.Snapshot(state: .open, serial: 1, lines: ControlLines(level: true)),
      .init(name: "a.power", address: .gpio(chip: "x", line: 3), log: nil),
      extent: ConsoleLog.Extent(first: 0, end: 0, lost: 0), keep: false,
      drivers: ["a.power": true, "a.reset": false],
      readers: [], writer: nil)
    #expect(line.kind == .line && line.keep && line.address == "gpio:x:3")
    for holding in [console, line] {
      #expect(try Holding(holding.value) == holding)
      for key in ["kind", "name", "address", "state", "serial", "first", "end", "log"] {
        var values = holding.value.map ?? [:]
        values[key] = ["no such thing"]
        #expect(throws: OwnerFailure.self, "\(key)") { _ = try Holding(.map(values)) }
      }
    }
    #expect(throws: OwnerFailure.self) { _ = try Holding(["name": "a"]) }
  }

  static let transitions: [(PortState, PortState.Event, PortState?)] = [
    (.opening, .opened, .open), (.opening, .failed("x"), .lost(reason: "x")),
    (.opening, .closed, .closed), (.open, .opened, nil),
    (.open, .failed("x"), .lost(reason: "x")), (.open, .closed, .closed),
    (.lost(reason: "x"), .opened, .open), (.lost(reason: "x"), .failed("y"), .lost(reason: "y")),
    (.lost(reason: "x"), .closed, .closed), (.closed, .opened, nil), (.closed, .failed("x"), nil),
    (.closed, .closed, nil), (.opening, .asked, nil), (.open, .asked, nil),
    (.lost(reason: "x"), .asked, .opening), (.closed, .asked, nil)
  ]

  @Test func aPortsStatesFollowTheirTable() {
    for (state, event, next) in OwnerFrameTests.transitions {
      #expect(state.next(on: event) == next)
    }
  }

  @Test func thePageAboutTheOwnerNamesEveryRequestAndCode() throws {
    let top = "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
    let page = try #require(SmallFile.text(top + "/docs/owner.md"))
    for request in OwnerFrameTests.requests {
      let verb = try #require(request.frame(id: 1).header["do"]?.text)
      #expect(page.contains("| `\(verb)` |"), "\(verb)")
    }
    for code in OwnerFailure.Code.allCases {
      #expect(page.contains("`\(code.rawValue)`"), "\(code)")
    }
    #expect(page.contains("The protocol, version \(Owner.version)"))
  }
}
