import Glibc
import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinDevices

/// A console's log: nothing is lost, or it says what.
struct ConsoleLogTests {
  private func append(_ log: ConsoleLog, _ text: String) {
    Array(text.utf8).withUnsafeBytes { log.append($0) }
  }

  @Test func bytesCanBeReadFromEveryPosition() throws {
    let scratch = try OwnerScratch()
    let log = try ConsoleLog(directory: scratch.path + "/a")
    append(log, "hello ")
    append(log, "world")
    let reader = ConsoleLogReader(directory: log.directory)
    for position in 0...11 {
      let piece = reader.read(at: UInt64(position), limit: 100)
      #expect(piece.position == UInt64(position))
      #expect(String(decoding: piece.bytes, as: UTF8.self) == "hello world".dropFirst(position))
    }
    #expect(reader.extent == (0, 11))
    #expect(log.extent == ConsoleLog.Extent(first: 0, end: 11, lost: 0, problem: nil))
  }

  @Test func theIndexSaysWhenEachChunkCame() throws {
    let scratch = try OwnerScratch()
    let before = MonotonicTime.now.nanoseconds
    let log = try ConsoleLog(directory: scratch.path + "/a")
    append(log, "abc")
    log.note("open", ["address": "pty:/x"])
    append(log, "de")
    let entries = ConsoleLogReader(directory: log.directory).entries
    #expect(
      entries.map(\.content) == [
        .chunk(length: 3), .note(["event": "open", "address": "pty:/x"]), .chunk(length: 2)
      ])
    #expect(entries.map(\.position) == [0, 3, 3])
    for entry in entries {
      #expect(entry.monotonic >= before && entry.monotonic <= MonotonicTime.now.nanoseconds)
      #expect(abs(entry.wall - MonotonicTime.wallNanoseconds) < 60_000_000_000)
    }
  }

  @Test func oldSegmentsGoAndTheLogSaysHowMuchWent() throws {
    let scratch = try OwnerScratch()
    let log = try ConsoleLog(
      directory: scratch.path + "/a", limits: .init(segmentBytes: 4096, totalBytes: 16_384))
    var written: [UInt8] = []
    for number in 0..<500 {
      let line = Array("line \(number) of a console that talks a lot\r\n".utf8)
      written += line
      line.withUnsafeBytes { log.append($0) }
    }
    let extent = log.extent
    #expect(extent.end == UInt64(written.count))
    #expect(extent.first > 0)
    var size: Int64 = 0
    for name in SmallFile.names(in: log.directory) {
      var status = stat()
      if stat(log.directory + "/" + name, &status) == 0 { size += Int64(status.st_size) }
    }
    #expect(size < 16_384 + 8192)
    // A reader that comes late gets what is left, and learns that something is missing.
    let reader = ConsoleLogReader(directory: log.directory)
    var position: UInt64 = 0
    var read: [UInt8] = []
    while true {
      let piece = reader.read(at: position, limit: 1000)
      if piece.bytes.isEmpty { break }
      if position == 0 { #expect(piece.position == extent.first) }
      read += piece.bytes
      position = piece.end
    }
    #expect(read == Array(written[Int(extent.first)...]))
    let noted = reader.entries.filter { $0.event == "rotated" }
    #expect(!noted.isEmpty)
  }

  @Test func aNewOwnerContinuesWithANoteOfTheGap() throws {
    let scratch = try OwnerScratch()
    let directory = scratch.path + "/a"
    do {
      let log = try ConsoleLog(directory: directory)
      append(log, "before")
    }
    do {
      let log = try ConsoleLog(directory: directory)
      #expect(log.extent.end == 6)
      append(log, " after")
      log.note("closed")
    }
    let log = try ConsoleLog(directory: directory)
    #expect(log.extent.end == 12)
    let reader = ConsoleLogReader(directory: directory)
    #expect(String(decoding: reader.read(at: 0, limit: 100).bytes, as: UTF8.self) == "before after")
    let gaps = reader.entries.compactMap { entry -> Bool? in
      guard case .note(let values) = entry.content, entry.event == "gap" else { return nil }
      #expect(values["since"]?.integer != nil)
      return values["orderly"]?.boolean
    }
    #expect(gaps == [false, true])
  }

  /// What a death in the middle of a write, or a person, can leave behind.
  @Test(arguments: [
    "", "d", "d 0", "d 0 3 1 2", "d 0 3 1 2\nn 3 1 2 {\"event\":\"op", "\n\n\n", "d x y z w\n",
    "\u{0}\u{0}"
  ])
  func aTornIndexDoesNotHideWhatFollows(index: String) throws {
    let scratch = try OwnerScratch()
    let directory = scratch.path + "/a"
    #expect(mkdir(directory, 0o700) == 0)
    let base = directory + "/" + String(repeating: "0", count: 20)
    for (suffix, text) in [(".bytes", "abc"), (".index", index)] {
      let descriptor = creat(base + suffix, 0o600)
      #expect(write(descriptor, text, text.utf8.count) == text.utf8.count)
      close(descriptor)
    }
    let log = try ConsoleLog(directory: directory)
    append(log, "def")
    let reader = ConsoleLogReader(directory: directory)
    #expect(reader.read(at: 0, limit: 9).bytes == Array("abcdef".utf8))
    let events = reader.entries
    #expect(events.contains { $0.event == "gap" })
    #expect(events.last?.content == .chunk(length: 3))
    #expect(events.last?.position == 3)
  }

  @Test func oneLogHasOneWriter() throws {
    let scratch = try OwnerScratch()
    let log = try ConsoleLog(directory: scratch.path + "/a")
    #expect {
      _ = try ConsoleLog(directory: log.directory)
    } throws: { ($0 as? OwnerFailure)?.code == .conflict }
  }

  @Test func aLogThatSomebodyCutShortIsNoTrap() throws {
    let scratch = try OwnerScratch()
    let log = try ConsoleLog(directory: scratch.path + "/a")
    append(log, "0123456789")
    #expect(truncate(ConsoleLogReader.path(log.directory, 0) + ".bytes", 4) == 0)
    let reader = ConsoleLogReader(directory: log.directory)
    #expect(reader.read(at: 0, limit: 100).bytes.count == 4)
    #expect(reader.read(at: 4, limit: 100).bytes.isEmpty)
    #expect(reader.read(at: UInt64.max, limit: 100).bytes.isEmpty)
  }

  @Test(arguments: [
    "", " ", "d", "d 1 2 3", "d 1 0 3 4", "d -1 2 3 4", "d 1 2 3 4 5", "x 1 2 3 4", "n 1 2 3 x",
    "n 1 2 3 []", "n 1 2 3", "d 99999999999999999999 1 1 1"
  ])
  func whatIsNoLineOfAnIndexIsLeftOut(line: String) {
    #expect(ConsoleLogEntry(line: line) == nil)
  }
}
