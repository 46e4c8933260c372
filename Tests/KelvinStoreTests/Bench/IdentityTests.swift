import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinStore

/// One device under several names and several descriptions, seen or not seen at the moment.
@Suite struct IdentityTests {
  let directory = TemporaryDirectory()
  let store: BenchStore

  init() throws { store = try BenchStore.open(directory: directory.path) }

  /// A board of a bench file, whose console is described so and means these devices now.
  private func board(
    _ name: String, _ written: String, _ devices: String..., bench: String = "/lab/bench.yaml"
  ) -> BenchResource {
    BenchResource(.board, name, bench: bench, identities: [.init(written, devices: devices)])
  }

  @Test func twoDescriptionsOfOneDeviceAreOneResource() throws {
    let bySerial = board("rock", "serial A", "usb:A", "port 1")
    let byPort = board("spare", "port 1 as written", "usb:A", "port 1", bench: "/other.yaml")
    let lease = try store.take(bySerial, run: "r1").lease
    #expect(try store.refusal(byPort).description.contains("board 'spare': leased by"))
    try store.release(lease)
    try store.take(byPort)
    _ = try store.refusal(bySerial)
  }

  /// Pulled, or switched off: what was found last time counts.
  @Test(arguments: [true, false], [true, false])
  func anAbsentDeviceIsTheOneThatWasFoundLast(isGoneFirst: Bool, isGoneThen: Bool) throws {
    let there = (board("rock", "serial A", "usb:A"), board("spare", "written B", "usb:A"))
    let gone = (board("rock", "serial A"), board("spare", "written B"))
    try store.release(try store.take(there.0).lease)
    try store.release(try store.take(there.1).lease)
    let lease = try store.take(isGoneFirst ? gone.0 : there.0).lease
    _ = try store.refusal(isGoneThen ? gone.1 : there.1)
    // Also under the same description in another bench file, which nobody used before.
    _ = try store.refusal(
      BenchResource(
        .board, "third", bench: "/third.yaml", identities: [.init("written B")]))
    try store.release(lease)
    try store.take(isGoneThen ? gone.1 : there.1)
  }

  @Test func aLeaseOfWhatWasNeverFoundHoldsItsDescription() throws {
    let lease = try store.take(board("rock", "serial A")).lease
    _ = try store.refusal(board("spare", "serial A", "usb:A"))
    try store.release(lease)
    #expect(try store.status(of: board("rock", "serial A", "usb:A")).state == .free)
  }

  /// A second adapter with the same serial number comes: the first is known by its port then.
  @Test func aSerialNumberThatTurnsOutSharedStillHoldsItsPort() throws {
    try store.take(board("rock", "serial 0001", "usb:0001", "port 1"))
    _ = try store.refusal(board("spare", "written port 1", "port 1"))
    try store.take(board("other", "written port 2", "port 2"))
  }

  @Test func sicknessStaysWithTheDevice() throws {
    let port = { (devices: [String]) in
      BenchResource(
        .board, "rock", bench: "/b", identities: [.init("at port 1", devices: devices)])
    }
    try store.quarantine(port(["usb:A", "port 1"]), reason: "silent")
    // Another device at that port is well; the sick one is sick wherever it is.
    #expect(try store.status(of: port(["usb:B", "port 1"])).state == .free)
    #expect(try store.status(of: board("x", "serial A", "usb:A", "port 9")).state == .quarantined)
    // Nobody knows which one it is while none is there: the last one.
    #expect(try store.status(of: port([])).state == .quarantined)
    try store.release(try store.take(port(["usb:B", "port 1"])).lease)
    #expect(try store.status(of: port([])).state == .free)
    #expect(try store.enable(board("x", "serial A", "usb:A", "port 9")))
    #expect(try store.status(of: port(["usb:A", "port 1"])).state == .free)
  }

  /// Two bench files, of which one knows a way more to the board.
  @Test func eachWayToABoardCounts() throws {
    let both = BenchResource(
      .board, "rock", bench: "/a", identities: [.init("ssh 10.0.0.7"), .init("console 1")])
    let console = BenchResource(.board, "stone", bench: "/b", identities: [.init("console 1")])
    let lease = try store.take(both).lease
    _ = try store.refusal(console)
    try store.release(lease)
    try store.take(console)
    _ = try store.refusal(both)
  }

  /// What people see are names, each once, whatever they stand for.
  @Test func onlyNamesAreListed() throws {
    let resource = BenchResource(
      .board, "rock", bench: "/a",
      identities: [.init("serial A", devices: ["usb:A", "port 1"]), .init("console 1")])
    let lease = try store.take(resource).lease
    _ = try store.reserve(resource, forNanoseconds: ReservationTests.hour, reason: "mine")
    var listing = try BenchListing.read(directory: directory.path)
    #expect(listing.resources.map(\.resource.name) == ["rock"])
    #expect(listing.resources.map(\.resource.identity) == ["usb:A"])
    try store.quarantine(resource, reason: "silent")
    try store.release(lease)
    listing = try BenchListing.read(directory: directory.path)
    #expect(listing.resources.map(\.state) == [.quarantined])
    // Found sick before the device was ever seen, seen since: still sick in every listing.
    try store.quarantine(board("late", "serial L"), reason: "silent")
    let late = board("late", "serial L", "usb:L")
    _ = try store.reserve(late, forNanoseconds: ReservationTests.hour, reason: "repair")
    #expect(try store.status(of: late).state == .quarantined)
    listing = try BenchListing.read(directory: directory.path)
    #expect(listing.resources.map(\.resource.name) == ["late", "rock"])
    #expect(listing.state("late") == .quarantined)
  }

  @Test func aRecoveryThatIsCutOffLeavesTheDeviceSickAndNotItsPort() throws {
    let rock = board("rock", "at port 1", "usb:A", "port 1")
    let lease = try store.take(rock).lease
    try store.recover(rock, in: lease, reason: "silent")
    try store.release(lease)
    #expect(try store.status(of: rock).state == .quarantined)
    #expect(try store.status(of: board("rock", "at port 1", "usb:B", "port 1")).state == .free)
  }

  @Test func eventsOfADeviceAreToldUnderEachOfItsNames() throws {
    let rock = board("rock", "serial A", "usb:A")
    let spare = board("spare", "port 1", "usb:A")
    try store.release(try store.take(rock, run: "r1").lease)
    try store.quarantine(spare, reason: "silent", evidence: "no prompt")
    let events = try BenchListing.events(of: rock, limit: 10, directory: directory.path)
    #expect(events.map(\.action) == ["quarantine", "release", "acquire"])
    #expect(events.map(\.resource) == ["spare", "rock", "rock"])
    #expect(events.map(\.run) == ["", "r1", "r1"])
    #expect(events.first?.detail == "silent (no prompt)")
    #expect(try BenchListing.events(of: spare, limit: 1, directory: directory.path).count == 1)
    let other = BenchResource(.board, "other", bench: "/lab/bench.yaml")
    #expect(try BenchListing.events(of: other, limit: 10, directory: directory.path).isEmpty)
    #expect(try BenchListing.events(of: rock, limit: 10, directory: directory("none")).isEmpty)
  }
}
