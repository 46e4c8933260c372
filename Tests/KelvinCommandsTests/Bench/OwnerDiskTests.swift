import Glibc
import KelvinConnections
import KelvinDevices
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Testing

/// A console whose log's disk is full.
@Suite struct OwnerDiskTests {
  /// A small file system can only be mounted in a namespace of one's own.
  static let hasNamespaces: Bool = {
    var processID = pid_t()
    let argv = ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"]
    var words: [UnsafeMutablePointer<CChar>?] = argv.map { strdup($0) }
    words.append(nil)
    defer { for word in words { free(word) } }
    guard posix_spawnp(&processID, "unshare", nil, nil, words, environ) == 0 else { return false }
    var status: Int32 = 0
    waitpid(processID, &status, 0)
    return status == 0
  }()

  @Test(
    .timeLimit(.minutes(1)),
    .enabled(if: hasNamespaces, "no mount namespace can be made here (unshare -rm)"))
  func whatAFullDiskRefusesIsCountedAndThePortStays() async throws {
    let bench = try OwnerBench()
    let state = bench.places.stateDirectory
    let script = """
      mkdir -p '\(state)' && mount -t tmpfs -o size=256k none '\(state)' &&
      exec '\(KelvinBinary.path)' bench owner \(bench.arguments.joined(separator: " "))
      """
    let process = try await LocalConnection().start(
      Command(["unshare", "-rm", "sh", "-c", script], endsDescendants: false),
      until: .after(seconds: 10))
    let limit = Deadline.after(seconds: 40)
    let client = try connect(bench, until: limit)
    let listener = try WireListener.tcp()
    _ = try client.open(
      "a", at: .tcp(host: "127.0.0.1", port: listener.port), until: limit)
    let wire = try listener.accept()
    var attachment = try client.attach("a", from: .first, until: limit)

    // Some room is left on the last page, so that a write is refused in its middle.
    let line = [UInt8](repeating: 108, count: 999) + [10]
    try wire.write(line)
    var sent = line.count
    var status = try client.list(until: limit)[0]
    #expect(
      try eventually {
        status = try client.list(until: limit)[0]
        return Int(status.end) == sent
      })

    // The owner's files, seen through its own eyes.
    let root = "/proc/\(client.processID)/root"
    let ballast = root + state + "/ballast"
    let descriptor = creat(ballast, 0o600)
    #expect(descriptor >= 0)
    let page = [UInt8](repeating: 1, count: 4096)
    while write(descriptor, page, page.count) == page.count {}
    close(descriptor)

    #expect(
      try eventually {
        try wire.write(line)
        sent += line.count
        status = try client.list(until: limit)[0]
        return status.lost > 0
      })
    #expect(status.state == .open)
    #expect(Int(status.end) > line.count, "a part of it found room")
    let problem = try #require(status.logProblem)
    #expect(problem.contains("No space"))
    // With room again, the log goes on, and notes the loss before it does.
    _ = unlink(ballast)
    let before = status.end
    #expect(
      try eventually {
        try wire.write(line)
        sent += line.count
        return try client.list(until: limit)[0].end > before
      })
    #expect(
      try eventually {
        status = try client.list(until: limit)[0]
        return Int(status.end + status.lost) >= sent
      })
    #expect(Int(status.end + status.lost) == sent, "every byte is logged or counted")
    #expect(status.logProblem == nil)
    // A reader learns of it as well.
    var lost: UInt64 = 0
    var read = 0
    while read < Int(status.end), let news = try client.news(of: &attachment, until: limit) {
      lost += news.lost
      read += news.bytes.count
    }
    #expect(lost == status.lost)
    #expect(read == Int(status.end))
    let log = ConsoleLogReader(directory: root + state + "/consoles/a")
    let noted = log.entries.reduce(Int64(0)) { sum, entry in
      guard entry.event == "bytes-lost", case .note(let values) = entry.content else { return sum }
      return sum + (values["bytes"]?.integer ?? 0)
    }
    #expect(noted == Int64(status.lost))
    #expect(log.extent.end == status.end)
    _ = try client.shutDown(force: true, until: limit)
    _ = try await process.wait(until: limit)
  }

  /// Its socket appears when it listens.
  private func connect(_ bench: OwnerBench, until deadline: Deadline) throws -> Owner.Client {
    while true {
      do {
        return try bench.client(starts: false)
      } catch {
        guard !deadline.hasPassed else { throw error }
        _ = deadline.limited(toSeconds: 0.01).wait()
      }
    }
  }
}
