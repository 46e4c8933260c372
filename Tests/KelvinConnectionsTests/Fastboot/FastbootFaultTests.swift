import Glibc
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Testing

@testable import KelvinConnections

/// Boot loaders that hang up, fall silent, refuse, lie and lose packets.
@Suite(.timeLimit(.minutes(3)))
struct FastbootFaultTests {
  private func board(
    _ wire: FastbootBoard.Wire, _ faults: String..., limit: Int64 = 256 << 20
  ) throws -> FastbootBoard {
    try FastbootBoard(wire, partitions: ["system": 4 << 20, "bad": 4 << 20]) { setup in
      setup.downloadLimit = limit
      for fault in faults {
        let isKnown = setup.faults.add(fault)
        #expect(isKnown, "\(fault)")
      }
    }
  }

  private func flash(
    _ board: FastbootBoard, _ partition: String = "system", count: Int = 3_000_000,
    seconds: Double = 30, interrupt: Interrupt? = nil
  ) async throws -> FlashReport {
    try board.scratch.write("image", FastbootTests.noise(count))
    let deadline = Deadline.after(seconds: seconds, interrupt: interrupt)
    let device = try await board.open()
    let image = try FlashImage("\(board.scratch.path)/image", until: deadline)
    return try await device.flash(image, to: partition, until: deadline)
  }

  private func failure(
    _ board: FastbootBoard, _ partition: String = "system", seconds: Double = 30,
    interrupt: Interrupt? = nil
  ) async throws -> ConnectionFailure? {
    await #expect(throws: ConnectionFailure.self) {
      _ = try await flash(board, partition, seconds: seconds, interrupt: interrupt)
    }
  }

  @Test(arguments: FastbootBoard.Wire.allCases)
  func tellsWhatABoardRefuses(wire: FastbootBoard.Wire) async throws {
    let board = try board(wire, "fail=bad", limit: 1 << 20)
    let failure = try await failure(board, "bad")
    #expect(failure?.code == .refused("flash write error"))
    #expect(failure?.evidence == "it had said: flash bad")
    #expect(failure?.message.contains("'flash:bad' was refused: flash write error") == true)
    // Not a part more than the one that failed.
    #expect(board.commands.filter { $0.hasPrefix("download:") }.count == 1)
    let other = try await self.failure(board, "nowhere")
    #expect(other?.code == .refused("no such partition"))
  }

  @Test func seesThatABoardHangsUp() async throws {
    let board = try board(.tcp, "drop-after=1000000")
    let failure = try await failure(board)
    #expect(failure?.code == .connectionLost)
    #expect(failure?.message.contains("download:") == true)
    #expect(!board.commands.contains("flash:system"))
  }

  @Test(
    arguments: [FastbootBoard.Wire.tcp, .udp], ["stall=flash", "stall=download", "chatter=flash"])
  func doesNotWaitWithoutEnd(wire: FastbootBoard.Wire, fault: String) async throws {
    let board = try board(wire, fault)
    let start = MonotonicTime.now
    let failure = try await failure(board, seconds: 3)
    #expect(failure?.code == .timedOut)
    #expect(Double(MonotonicTime.now - start) / 1e9 < 6)
    if fault.hasPrefix("chatter") {
      #expect(failure?.evidence.contains("still at it; still at it") == true)
      #expect((failure?.evidence.utf8.count ?? 0) < 200)
    }
  }

  @Test(arguments: [FastbootBoard.Wire.tcp, .udp])
  func anInterruptEndsEachWait(wire: FastbootBoard.Wire) async throws {
    let board = try board(wire, "stall=flash")
    let interrupt = Interrupt()
    let thread = try NamedThread("interrupter") {
      // When the driver waits for the flash to end.
      let deadline = Deadline.after(seconds: 20)
      while !board.commands.contains("flash:system"), !deadline.hasPassed {
        _ = deadline.limited(toSeconds: 0.01).wait()
      }
      interrupt.raise()
    }
    let failure = try await failure(board, interrupt: interrupt)
    #expect(failure?.code == .interrupted)
    thread.join()
  }

  @Test func aBoardThatVanishesOnUDPIsNotSuccess() async throws {
    let board = try board(.udp, "drop-after=500000")
    #expect(try await failure(board, seconds: 3)?.code == .timedOut)
  }

  @Test(
    arguments: [FastbootBoard.Wire.tcp, .udp],
    [
      ("short-replies", "is no reply"), ("data-size=4", "bytes, there are 3000000"),
      ("data-size=-4", "it asks for 2999996 bytes")
    ])
  func believesNoBrokenReply(
    wire: FastbootBoard.Wire, fault: (text: String, problem: String)
  ) async throws {
    let board = try board(wire, fault.text)
    let failure = try await failure(board)
    #expect(failure?.code == .badReply)
    #expect(failure?.message.contains(fault.problem) == true, "\(failure?.message ?? "")")
    #expect(!board.commands.contains("flash:system"))
  }

  @Test(arguments: [FastbootBoard.Wire.tcp, .udp], [3, -3])
  func anUploadHasTheSizeThatWasSaid(wire: FastbootBoard.Wire, error: Int) async throws {
    let board = try board(wire, "data-size=\(error)")
    let device = try await board.open()
    try await device.oem("stage 1000", until: .after(seconds: 5))
    let path = "\(board.scratch.path)/up"
    let failure = await #expect(throws: ConnectionFailure.self) {
      try await device.upload(to: path, until: .after(seconds: 2))
    }
    // Too few bytes, whose place the reply takes, or more than were announced.
    #expect(failure?.code == .badReply || failure?.code == .timedOut)
    #expect(access(path, F_OK) != 0)
    let later = await #expect(throws: ConnectionFailure.self) {
      try await device.variable("version", until: .after(seconds: 2))
    }
    #expect(later?.message.contains("the connection failed before") == true)
  }

  /// 5 % of the packets lost in either direction, and 5 % twice: slow, and right.
  @Test func survivesLostAndRepeatedPackets() async throws {
    let board = try board(.udp, "loss=0.02", "duplicate=0.05", "seed=11")
    let report = try await flash(board, count: 300_000, seconds: 60)
    #expect(report.sent == 300_000)
    let partition = try board.scratch.read("system.img")
    #expect(Array(partition[..<300_000]) == FastbootTests.noise(300_000))
    #expect(board.commands.filter { $0 == "flash:system" }.count == 1)
  }

  @Test(arguments: ["SSH-2.0-OpenSSH_9.2\r\n", "FBxx", "FB00", "HTTP/1.1 400\r\n\r\n"])
  func seesThatSomethingElseListens(greeting: String) async throws {
    let listener = try WireListener.tcp()
    let server = try NamedThread("other-server") {
      guard let wire = try? listener.accept() else { return }
      _ = try? wire.write(Array(greeting.utf8))
      _ = try? wire.read(count: 64, until: .after(seconds: 5))
    }
    let failure = await #expect(throws: ConnectionFailure.self) {
      try await FastbootDevice.open(
        .tcp(HostAndPort(host: "127.0.0.1", port: listener.port)), until: .after(seconds: 5))
    }
    #expect(failure?.code == .badReply)
    #expect(failure?.message.contains("something else listens there") == true)
    server.join()
  }

  @Test func takesNoReplyOfExabytes() async throws {
    let listener = try WireListener.tcp()
    let server = try NamedThread("other-server") {
      guard let wire = try? listener.accept() else { return }
      _ = try? wire.write(Array("FB01".utf8) + [UInt8](repeating: 0xff, count: 64))
      _ = try? wire.read(count: 64, until: .after(seconds: 5))
    }
    let device = try await FastbootDevice.open(
      .tcp(HostAndPort(host: "127.0.0.1", port: listener.port)), until: .after(seconds: 5))
    let failure = await #expect(throws: ConnectionFailure.self) {
      try await device.variable("version", until: .after(seconds: 5))
    }
    #expect(failure?.code == .badReply)
    device.close()
    server.join()
  }
}
