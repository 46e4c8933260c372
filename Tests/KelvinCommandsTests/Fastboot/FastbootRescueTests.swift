import Foundation
import KelvinConnections
import KelvinModel
import KelvinSimulators
import Synchronization
import Testing

@testable import KelvinExecution

/// The rung `bootloader` on a simulated boot loader that speaks fastboot.
@Suite(.timeLimit(.minutes(2)))
struct FastbootRescueTests {
  private final class Lines: Sendable {
    private let stored = Mutex<[String]>([])
    var all: [String] { stored.withLock { $0 } }
    func add(_ line: String) { stored.withLock { $0.append(line) } }
  }
  private let scratch: Scratch
  private let simulator: FastbootSimulator
  /// What the simulator was told.
  private let told: Lines
  private let notes = Lines()

  init() throws {
    scratch = try Scratch()
    var setup = FastbootSimulator.Setup(
      .tcp(0), directory: scratch.path + "/parts", partitions: ["boot": 1 << 20, "dtb": 1 << 16])
    setup.awaySeconds = 0.2
    try FileManager.default.createDirectory(
      atPath: setup.directory, withIntermediateDirectories: true)
    let told = Lines()
    self.told = told
    simulator = try FastbootSimulator(setup) { told.add($0) }
  }

  private func rescue(flash: [String: String] = [:]) async throws {
    var plan = RungPlan.Rescue()
    plan.flash = flash
    let notes = notes
    try await BootLoaderRescue(
      board: "rock", link: .fastboot(.tcp(HostAndPort(host: "127.0.0.1", port: simulator.port))),
      plan: plan, equipment: BoardEquipment(), note: { notes.add($0) }
    ).carryOut(until: .after(seconds: 60))
  }

  @Test func aBoardThatSitsInFastbootIsRebooted() async throws {
    try await rescue()
    #expect(told.all.contains { $0.contains("reboot") }, "\(told.all)")
    #expect(!told.all.contains { $0.contains("flash") || $0.contains("download") }, "\(told.all)")
    #expect(notes.all.first?.hasPrefix("rock: is in its boot loader (fastboot, tcp") == true)
  }

  @Test func imagesAreWrittenBeforeTheReboot() async throws {
    let image = [UInt8](repeating: 0xA5, count: 5000)
    let path = try scratch.write(
      "boot.img", String(decoding: image.map { $0 & 0x7F }, as: UTF8.self))
    try await rescue(flash: ["boot": path])
    let written = try #require(
      FileManager.default.contents(atPath: scratch.path + "/parts/boot.img"))
    #expect(written.prefix(5000).allSatisfy { $0 == 0x25 })
    let flash = try #require(told.all.firstIndex { $0.contains("flash:boot") }, "\(told.all)")
    let reboot = try #require(told.all.firstIndex { $0.contains("reboot") })
    #expect(flash < reboot)
    #expect(notes.all.contains("rock: boot: 5000 bytes written"), "\(notes.all)")
  }

  /// What cannot be written is told before anything is.
  @Test func anImageThatIsNotThereTouchesNothing() async throws {
    let failure = await #expect(throws: (any Error).self) {
      try await rescue(flash: ["boot": scratch.path + "/none.img"])
    }
    #expect("\(failure.map { PlainFailure($0).description } ?? "")".contains("none.img"))
    #expect(told.all.isEmpty, "\(told.all)")
  }

  @Test func aPartitionThatIsNotThereKeepsTheBoardWhereItIs() async throws {
    let path = try scratch.write("x.img", "x")
    let failure = await #expect(throws: (any Error).self) {
      try await rescue(flash: ["nowhere": path])
    }
    #expect(failure != nil)
    #expect(!told.all.contains { $0.hasPrefix("reboot") }, "\(told.all)")
  }
}
