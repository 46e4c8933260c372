import Glibc
import KelvinModel
import KelvinSimulators
import Testing

@testable import KelvinConnections

/// The driver against simulated boot loaders, over real sockets.
@Suite(.timeLimit(.minutes(3)))
struct FastbootDeviceTests {
  private var deadline: Deadline { .after(seconds: 30) }

  private func image(_ board: FastbootBoard, _ bytes: [UInt8]) throws -> FlashImage {
    try board.scratch.write("image", bytes)
    return try FlashImage("\(board.scratch.path)/image", until: deadline)
  }

  @Test(arguments: FastbootBoard.Wire.allCases)
  func asksAndOrders(wire: FastbootBoard.Wire) async throws {
    let board = try FastbootBoard(wire, partitions: ["boot_a": 8192, "boot_b": 8192, "misc": 4096])
    let device = try await board.open()
    #expect(try await device.variable("version", until: deadline) == "0.4")
    let variables = try await device.variables(until: deadline)
    #expect(variables.contains(FastbootVariable("partition-size:misc", "0x1000")))
    #expect(variables.contains(FastbootVariable("max-download-size", "0x10000000")))
    let failure = await #expect(throws: ConnectionFailure.self) {
      try await device.variable("nope", until: deadline)
    }
    #expect(failure?.code == .refused("Unknown variable"))
    #expect(failure?.kind == .target)
    #expect(failure?.message.hasSuffix("'getvar:nope' was refused: Unknown variable") == true)
    // A refusal is an answer: the link goes on.
    #expect(try await device.partition("boot", until: deadline) == "boot_a")
    try await device.setActive("b", until: deadline)
    #expect(try await device.partition("boot", until: deadline) == "boot_b")
    #expect(try await device.partition("boot", slot: "a", until: deadline) == "boot_a")
    #expect(try await device.partition("misc", until: deadline) == "misc")
    await #expect(throws: ConnectionFailure.self) {
      try await device.partition("misc", slot: "a", until: deadline)
    }
    var heard: [String] = []
    device.hear = { heard.append($0) }
    try await device.oem("say hello there", until: deadline)
    #expect(heard == ["hello there", "11 letters"])
  }

  @Test(arguments: FastbootBoard.Wire.allCases)
  func movesDataBothWays(wire: FastbootBoard.Wire) async throws {
    let board = try FastbootBoard(wire, partitions: ["misc": 300_000])
    let device = try await board.open()
    let bytes = FastbootTests.noise(300_000)
    let report = try await device.flash(image(board, bytes), to: "misc", until: deadline)
    #expect(report == FlashReport(partition: "misc", parts: 1, sent: 300_000, size: 300_000))
    #expect(try board.scratch.read("misc.img") == bytes)
    try await device.erase("misc", until: deadline)
    #expect(try board.scratch.read("misc.img") == [UInt8](repeating: 0, count: 300_000))
    for count in [1, 512, 4096, 70_000, 262_144] {
      try await device.oem("stage \(count)", until: deadline)
      let path = "\(board.scratch.path)/up"
      #expect(try await device.upload(to: path, until: deadline) == Int64(count))
      #expect(
        try board.scratch.read("up") == (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) })
    }
    let failure = await #expect(throws: ConnectionFailure.self) {
      try await device.upload(to: "\(board.scratch.path)/none", until: deadline)
    }
    #expect(failure?.code == .refused("nothing is staged"))
    #expect(access("\(board.scratch.path)/none", F_OK) != 0)
  }

  /// The case of the issue: 32 MB through downloads of 8 MiB, with data that compress and do not.
  @Test(arguments: FastbootBoard.Wire.allCases)
  func splitsLargeImages(wire: FastbootBoard.Wire) async throws {
    let size = wire == .tcp ? 32_000_000 : 10_000_000
    let board = try FastbootBoard(wire, partitions: ["system": 32 << 20]) {
      $0.downloadLimit = 8 << 20
    }
    var bytes = FastbootTests.noise(size)
    bytes.replaceSubrange(2_000_000..<3_000_000, with: [UInt8](repeating: 0, count: 1_000_000))
    let file = try image(board, bytes)
    let device = try await board.open()
    var steps: [FastbootProgress] = []
    let report = try await device.flash(file, to: "system", until: .after(seconds: 90)) {
      steps.append($0)
    }
    #expect(report.parts == (wire == .tcp ? 4 : 2))
    // The fill is not sent.
    #expect(report.sent < Int64(size) - 900_000)
    // The rest of the partition stays as it was.
    bytes += [UInt8](repeating: 0, count: 32 << 20 - size)
    #expect(try board.sha("system") == Checksum.sha256(bytes))
    #expect(zip(steps, steps.dropFirst()).allSatisfy { $0.sent <= $1.sent })
    #expect(steps.last?.stage == .done && steps.last?.sent == report.sent)
    #expect(steps.filter { $0.stage == .writing }.count == report.parts)
    #expect(board.commands.filter { $0 == "flash:system" }.count == report.parts)
  }

  @Test func flashesSparseImages() async throws {
    let board = try FastbootBoard(.tcp, partitions: ["system": 1 << 20]) {
      $0.downloadLimit = 100_000
    }
    var layout = SparseLayout(blockSize: 4096, blocks: 256)
    let noise = FastbootTests.noise(100 * 4096, seed: 4)
    try board.scratch.write("data", noise)
    layout.append(.skip, count: 10)
    layout.append(.file(offset: 0), count: 100)
    layout.append(.fill([1, 2, 3, 4]), count: 46)
    layout.append(.skip, count: 100)
    let part = try #require(
      SparsePart.split(layout, fileSize: Int64(noise.count), limit: .max)?.first)
    var reader = PieceReader(part, of: try ImageFile("\(board.scratch.path)/data"))
    var buffer = [UInt8](repeating: 0, count: Int(part.byteCount))
    #expect(try reader.fill(&buffer) == buffer.count)
    // What is skipped must stay.
    var expected = FastbootTests.noise(1 << 20, seed: 8)
    try board.scratch.write("system.img", expected)
    let device = try await board.open()
    let report = try await device.flash(image(board, buffer), to: "system", until: deadline)
    #expect(report.parts > 4)
    #expect(report.size == 1 << 20)
    expected.replaceSubrange(40_960..<450_560, with: noise)
    for index in 450_560..<638_976 { expected[index] = UInt8(index % 4 + 1) }
    #expect(try board.scratch.read("system.img") == expected)
  }

  @Test func goesAwayAndComesBack() async throws {
    let board = try FastbootBoard(.tcp)
    let device = try await board.open()
    try await device.reboot(toBootloader: true, until: deadline)
    let failure = await #expect(throws: ConnectionFailure.self) {
      try await device.variable("version", until: deadline)
    }
    #expect(failure?.code == .connectionLost)
    // It is waited for.
    let again = try await FastbootDevice.open(board.address, patience: 20, until: deadline)
    #expect(try await again.variable("version", until: deadline) == "0.4")
    #expect(board.commands.starts(with: ["reboot-bootloader", "away", "back"]))
    try await again.boot(image(board, FastbootTests.noise(5000)), until: deadline)
    #expect(board.commands.contains("boot"))
  }

  @Test(arguments: FastbootBoard.Wire.allCases)
  func anAbsentBoardIsNotWaitedForWithoutEnd(wire: FastbootBoard.Wire) async throws {
    let board = try FastbootBoard(wire)
    board.simulator.stop()
    let start = MonotonicTime.now
    for patience in [0, 0.5] {
      let failure = await #expect(throws: ConnectionFailure.self) {
        try await FastbootDevice.open(board.address, patience: patience, until: deadline)
      }
      #expect(failure?.code == .notFound)
      #expect(failure?.hint.contains("nothing listens there") == true)
    }
    let seconds = Double(MonotonicTime.now - start) / 1e9
    #expect(seconds > 0.4 && seconds < 10)
  }
}
