import Foundation
import KelvinConnections
import KelvinMeters
import KelvinModel
import KelvinSystem
import KelvinTargets
import Synchronization
import Testing

@testable import KelvinExecution

/// A board's supply by a meter that is a program: it prints what a file says.
@Suite(.timeLimit(.minutes(2)))
struct BoardSupplyTests {
  private let folder: TemporaryDirectory
  private var file: String { folder.path + "/supply" }

  init() throws {
    folder = try TemporaryDirectory()
    try supply(5, 0.8)
  }

  /// What it is from now on; whole, so that no half of it is read.
  private func supply(_ volts: Double, _ amperes: Double) throws {
    try "\(volts),\(amperes)\n".write(toFile: file, atomically: true, encoding: .utf8)
  }

  private func supply(
    _ description: SupplyDescription, program: String? = nil,
    channels: [(String, String)] = [("in1", "V"), ("curr1", "A")]
  ) -> BoardSupply {
    let options: [String: Value] = [
      "shell": .text(program ?? "while cat \(file); do sleep 0.01; done"),
      "columns": .list(channels.map { .text($0.0) }),
      "channels": .map(
        Dictionary(channels.map { ($0.0, Value.map(["unit": .text($0.1)])) }) { first, _ in first }),
      "delay": .number(1)
    ]
    let place = SourceLocation(file: "bench.yaml", line: 3)
    let entry = MeterEntry(
      name: "rail", driver: DriverChoice("command", options: options, location: place),
      location: place)
    return BoardSupply(
      description, of: "rock", meters: BoardMeters(declared: [entry], tied: ["rail"]),
      through: LocalConnection())
  }

  private func failure(_ supply: BoardSupply, seconds: Double = 60) async -> PowerFailure? {
    do throws(PowerFailure) {
      _ = try await supply.waitUntilOff(until: .after(seconds: seconds))
      return nil
    } catch {
      return error
    }
  }

  // MARK: Discharge

  @Test func aBoardIsOffWhenBothAreLow() async throws {
    let supply = supply(SupplyDescription(meter: "rail", offVoltage: 0.3, offCurrent: 0.005))
    async let reading = supply.waitUntilOff(until: .after(seconds: 60))
    try self.supply(0.1, 0.8)
    _ = Deadline.after(seconds: 0.2).wait()
    try self.supply(0.1, 0.001)
    #expect(try await reading == PowerReading(.off, .measured))
  }

  @Test func oneThatStaysChargedIsTold() async throws {
    try self.supply(2.125, 0)
    let found = await failure(
      supply(SupplyDescription(meter: "rail", offVoltage: 0.3, offSeconds: 1)))
    #expect(found?.kind == .infrastructure)
    #expect(
      found?.message
        == "switched off, and still not discharged after 1 s, says 'rail': in1 reads 2.125 V, off is "
        + "300.0 mV")
  }

  @Test(arguments: [
    ("exit 3", "its meter cannot tell that it is off: "),
    ("exec sleep 60", "its meter cannot tell that it is off: ")
  ])
  func aMeterThatGivesNothingProvesNothing(program: String, message: String) async {
    let found = await failure(
      supply(SupplyDescription(meter: "rail", offVoltage: 0.3, offSeconds: 1), program: program))
    #expect(found?.message.hasPrefix(message) == true, "\(String(describing: found))")
  }

  @Test func theChannelMustBeThereAndTheOnlyOne() async {
    var found = await failure(
      supply(
        SupplyDescription(meter: "rail", offVoltage: 0.3),
        channels: [("a", "V"), ("b", "V")]))
    #expect(found?.message.hasSuffix("rail: measures several of voltage") == true)
    #expect(found?.hint == "say which: 'supply: {voltage: a}'; it has a, b")
    found = await failure(
      supply(SupplyDescription(meter: "rail", offVoltage: 0.3), channels: [("a", "W")]))
    #expect(found?.message.hasSuffix("rail: measures no voltage") == true)
    found = await failure(
      supply(SupplyDescription(meter: "rail", voltage: "in2", offVoltage: 0.3)))
    #expect(found?.message.hasSuffix("rail: measures no voltage 'in2'") == true)
  }

  // MARK: Brown-outs

  @Test func theFirstLowSampleIsAFinding() async throws {
    let found = Mutex<[Finding]>([])
    let raised = Interrupt()
    let watch = try await supply(SupplyDescription(meter: "rail", brownOut: 4.65)).watch(
      until: .after(seconds: 30)
    ) { finding in
      found.withLock { $0.append(finding) }
      raised.raise()
    }
    #expect(Deadline.after(seconds: 0.2, interrupt: raised).wait() != .interrupted)
    try supply(4.25, 1.5)
    #expect(Deadline.after(seconds: 30, interrupt: raised).wait() == .interrupted)
    try supply(5, 0.8)
    let notes = await watch.stop(until: .after(seconds: 10))
    let findings = found.withLock { $0 }
    #expect(findings.count == 1)
    let finding = try #require(findings.first)
    #expect(finding.kind == .brownOut && finding.severity == .fatal)
    #expect(finding.message == "rock: its supply browns out: 4.250 V, and it needs 4.650 V")
    #expect(finding.evidence == ["meter 'rail', channel 'in1'"])
    #expect(finding.failure.kind == .infrastructure)
    #expect(notes.count == 1 && notes[0].contains("the lowest 4.250 V"), "\(notes)")
  }

  @Test func aSupplyThatHoldsSaysNothing() async throws {
    let watch = try await supply(SupplyDescription(meter: "rail", brownOut: 4.65)).watch(
      until: .after(seconds: 30)
    ) { _ in Issue.record("a finding") }
    _ = Deadline.after(seconds: 0.5).wait()
    #expect(await watch.stop(until: .after(seconds: 10)) == [])
  }

  @Test func aMeterThatEndsIsTold() async throws {
    let watch = try await supply(
      SupplyDescription(meter: "rail", brownOut: 4.65), program: "cat \(file); exit 3"
    ).watch(until: .after(seconds: 30)) { _ in Issue.record("a finding") }
    _ = Deadline.after(seconds: 0.5).wait()
    let notes = await watch.stop(until: .after(seconds: 10))
    #expect(
      notes.count == 1 && notes[0].contains("was not watched to the end") == true, "\(notes)")
  }
}
