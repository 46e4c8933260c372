import Glibc
import KelvinModel
import KelvinSimulators
import Synchronization
import Testing

@testable import KelvinConnections

/// Files into the memory of Debian's U-Boot, by lrzsz.
@Suite(.serialized, .needsUBoot, .needsLRZSZ, .sharedUBoot, .timeLimit(.minutes(10)))
struct UBootLoadTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func seconds(_ seconds: Double) -> Deadline { .after(seconds: seconds) }

  /// A file of random bytes, those among them that mean something to a line or to the protocol.
  private func file(_ size: Int) throws -> UBootFile {
    var generator = SeededGenerator(seed: UInt64(size))
    let bytes = (0..<size).map { _ in UInt8.random(in: 0...255, using: &generator) }
    try scratch.write("-file", bytes)
    return try UBootFile(scratch.path + "/-file")
  }

  private func answers(_ shell: UBootShell, within limit: Double = 30) throws {
    #expect(try shell.run("echo x", until: seconds(limit)).text == "x\n")
    #expect(shell.isOpen)
  }

  @Test(arguments: [1, 128, 1024, 20_001])
  func loadsAFileThatTheBoardReadsBack(size: Int) throws {
    let shell = try SharedUBoot.shell()
    let file = try file(size)
    var told: [Int64] = []
    let load = try shell.load(file, at: .number(0x4040_0000), until: seconds(120)) {
      told.append($0)
    }
    #expect(load == UBootLoad(address: 0x4040_0000, size: Int64(size), checksum: file.checksum))
    #expect(told.last == Int64(size))
    #expect(told == told.sorted())
    try answers(shell)
  }

  @Test func takesAnAddressFromAVariable() throws {
    let shell = try SharedUBoot.shell()
    try shell.set("place", to: Array("0x41000000".utf8), until: seconds(20))
    let load = try shell.load(try file(300), at: .variable("place"), until: seconds(60))
    #expect(load.address == 0x4100_0000)
    let failure = #expect(throws: ConnectionFailure.self) {
      _ = try shell.load(try file(300), at: .variable("nowhere"), until: seconds(60))
    }
    #expect(failure?.code == .refused("nowhere"))
  }

  @Test(arguments: [0, 0xf000_0000, 0x47f0_0000, 0x47ff_fff0] as [UInt64])
  func refusesAnAddressThatIsNotForFiles(address: UInt64) throws {
    let shell = try SharedUBoot.shell()
    let failure = #expect(throws: ConnectionFailure.self) {
      _ = try shell.load(try file(300), at: .number(address), until: seconds(60))
    }
    guard case .refused? = failure?.code else {
      Issue.record("\(String(describing: failure))")
      return
    }
    #expect(failure?.hint.contains("kernel_addr_r") == true)
    try answers(shell)
  }

  @Test func isBackAtThePromptWhenTheTimeIsOver() throws {
    let shell = try SharedUBoot.shell()
    let file = try file(2_000_000)
    let failure = #expect(throws: ConnectionFailure.self) {
      _ = try shell.load(file, at: .number(0x4040_0000), until: seconds(8))
    }
    #expect(failure?.code == .timedOut)
    #expect(
      failure?.message.contains("of 2000000 bytes had gone") == true, "\(failure?.message ?? "")")
    try answers(shell)
  }

  @Test func isBackAtThePromptWhenItIsStopped() throws {
    let shell = try SharedUBoot.shell()
    let interrupt = Interrupt()
    let file = try file(2_000_000)
    let failure = #expect(throws: ConnectionFailure.self) {
      _ = try shell.load(
        file, at: .number(0x4040_0000), until: .after(seconds: 300, interrupt: interrupt)
      ) { if $0 > 4096 { interrupt.raise() } }
    }
    #expect(failure?.code == .interrupted)
    try answers(shell)
  }

  @Test func losesALineThatIsCut() throws {
    let board = try UBootBoard()
    let shell = try board.shell()
    let file = try file(2_000_000)
    let failure = #expect(throws: ConnectionFailure.self) {
      _ = try shell.load(file, at: .number(0x4040_0000), until: seconds(300)) {
        if $0 > 4096 { board.line.end() }
      }
    }
    #expect(failure?.code == .connectionLost)
    #expect(!shell.isOpen || failure?.message.contains("line") == true)
  }

  @Test func noticesABoardThatRestartsMeanwhile() throws {
    let board = try UBootBoard()
    let shell = try board.shell()
    // A watchdog would do that: here what is loaded overwrites nothing, so the line says so.
    let file = try file(2_000_000)
    var isTold = false
    let failure = #expect(throws: ConnectionFailure.self) {
      _ = try shell.load(file, at: .number(0x4040_0000), until: seconds(300)) { sent in
        guard sent > 2048, !isTold else { return }
        isTold = true
        board.line.faults.withLock {
          $0.noiseTexts = ["U-Boot SPL 2023.01"]
          $0.noisePerSecond = 20
        }
      }
    }
    #expect(failure?.code == .connectionLost)
    #expect(failure?.message.contains("restarted") == true)
  }

  /// A line that loses little: the protocol repeats what was lost. One that loses much: the sender gives
  /// up, and the prompt is there.
  @Test func loadsOverALineThatLosesAByteNowAndThen() throws {
    let board = try UBootBoard()
    let shell = try board.shell()
    let file = try file(12_000)
    board.line.faults.withLock { $0 = LineFaults(changed: 0.0001, seed: 61) }
    let load = try shell.load(file, at: .number(0x4040_0000), until: seconds(240))
    #expect(load.checksum == file.checksum)
    try answers(shell, within: 60)
  }

  @Test func isBackAtThePromptWhenTheSenderGivesUp() throws {
    let board = try UBootBoard()
    let shell = try board.shell()
    let file = try file(60_000)
    let failure = #expect(throws: ConnectionFailure.self) {
      _ = try shell.load(file, at: .number(0x4040_0000), until: seconds(400)) {
        guard $0 > 2048 else { return }
        board.line.faults.withLock { $0 = LineFaults(changed: 0.02, seed: 62) }
      }
    }
    switch failure?.code {
    case .refused, .timedOut: break
    default: Issue.record("\(String(describing: failure))")
    }
    board.line.faults.withLock { $0 = LineFaults() }
    try answers(shell, within: 120)
  }

  @Test func saysThatThereIsNoLRZSZ() throws {
    let failure = #expect(throws: ConnectionFailure.self) {
      _ = try YModemSender.program(path: scratch.path)
    }
    #expect(failure?.code == .unsupported)
    #expect(failure?.hint.contains("lrzsz") == true)
  }

  @Test func refusesFilesThatAreNone() throws {
    try scratch.write("empty", [])
    for name in ["empty", "missing", ""] {
      #expect(throws: ConnectionFailure.self) { try UBootFile(scratch.path + "/" + name) }
    }
  }
}

extension Trait where Self == ConditionTrait {
  /// Skips, with the reason, where lrzsz is not there.
  static var needsLRZSZ: ConditionTrait {
    .enabled(
      if: (try? YModemSender.program()) != nil, "lrzsz is not there; scripts/setup installs it")
  }
}
