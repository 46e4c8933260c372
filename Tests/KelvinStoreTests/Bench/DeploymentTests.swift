import Testing

@testable import KelvinStore

/// What was deployed to boards.
@Suite struct DeploymentTests {
  let directory = TemporaryDirectory()

  @Test func theLastOneIsKept() throws {
    let store = try BenchStore.open(directory: directory.path)
    #expect(try store.deployment(of: rock) == nil)
    var record = DeploymentRecord(
      way: "kexec", image: "{}", buildID: "", boardBootID: "", run: "r1")
    try store.deployed(record, to: rock)
    record.boardBootID = "b"
    record.buildID = "aa"
    try store.deployed(record, to: rock)
    #expect(try store.deployment(of: rock) == record)
    #expect(try store.deployment(of: pi) == nil)
    try store.deployed(nil, to: rock)
    #expect(try store.deployment(of: rock) == nil)
  }

  /// A board is known by what leads to it, whatever a bench file calls it.
  @Test func anotherNameOfTheBoardHasItToo() throws {
    let store = try BenchStore.open(directory: directory.path)
    let record = DeploymentRecord(
      way: "command", image: "{}", buildID: "aa", boardBootID: "b", run: "r1")
    try store.deployed(record, to: BenchResource(.board, "a", bench: "/b", identity: "usb:1"))
    let other = BenchResource(.board, "z", bench: "/c", identity: "usb:1")
    #expect(try store.deployment(of: other) == record)
    try store.deployed(nil, to: other)
    #expect(
      try store.deployment(of: BenchResource(.board, "a", bench: "/b", identity: "usb:1")) == nil)
  }
}
