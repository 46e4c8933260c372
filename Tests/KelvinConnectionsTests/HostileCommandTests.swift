import Glibc
import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinConnections

/// Commands that misbehave: every wait ends in time, and nothing is left behind.
@Suite(.serialized) struct HostileCommandTests {
  static func soon() -> Deadline { .after(seconds: 20) }

  /// The processes of this machine that carry a variable.
  static func carriers(of assignment: String) -> [Int32] {
    ProcessEntry.all().filter { !$0.isZombie && $0.hasEnvironment(Array(assignment.utf8)) }
      .map(\.processID)
  }

  /// Zombies that this process has adopted and not reaped.
  static func zombies() -> Set<ProcessIdentity> {
    Set(
      ProcessEntry.all().filter {
        $0.parent == getpid() && $0.isZombie && $0.session != getsid(0)
      }.map(\.identity))
  }

  @Test(.timeLimit(.minutes(1)))
  func aFloodThatIgnoresSIGTERMIsKilledAfterItsGrace() async throws {
    var command = Command(["sh", "-c", "trap '' TERM; yes"], grace: 0.2)
    command.standardOutput = .capture(limit: 1000)
    let begin = MonotonicTime.now
    await #expect {
      _ = try await LocalConnection().execute(command, until: .after(seconds: 0.2))
    } throws: {
      let partial = ($0 as? ConnectionFailure)?.partial
      return partial?.standardOutput.bytes.count == 1000
        && (partial?.standardOutput.totalBytes ?? 0) > 1000
    }
    #expect(MonotonicTime.now - begin < 15_000_000_000)
  }

  @Test(.timeLimit(.minutes(1)))
  func aDaemonThatIsLeftToFloodThePipeHoldsNobodyUp() async throws {
    let marker = "KELVIN_TEST=flood-\(getpid())"
    var command = Command(
      ["sh", "-c", "yes & exit 0"], environment: ["KELVIN_TEST": "flood-\(getpid())"])
    command.standardOutput = .capture(limit: 1000)
    command.endsDescendants = false
    let result = try await LocalConnection().execute(command, until: Self.soon())
    #expect(result.isSuccess)
    // Its pipe is closed now, so that SIGPIPE ends it; what it was is none of our business.
    _ = SurvivorHunter.endProcesses(
      withEnvironment: marker, alsoIdentities: [], grace: 0, until: Self.soon())
    #expect(Self.carriers(of: marker).isEmpty)
  }

  @Test(.timeLimit(.minutes(1)))
  func aGigabyteOfOutputIsCountedInBoundedMemory() async throws {
    func peak() -> Int64 {
      var usage = rusage()
      getrusage(__rusage_who_t(0), &usage)
      return Int64(usage.ru_maxrss) << 10
    }
    let before = peak()
    let result = try await LocalConnection().execute(
      Command(
        ["head", "-c", "1000000000", "/dev/zero"], standardOutput: .capture(limit: 1 << 20)),
      until: .after(seconds: 50))
    #expect(result.standardOutput.totalBytes == 1_000_000_000)
    #expect(result.standardOutput.keptBytes == 1 << 20)
    #expect(peak() - before < 64 << 20)
  }

  @Test(.timeLimit(.minutes(1)))
  func daemonsThatEndByThemselvesAreReaped() async throws {
    ProcessLauncher.becomeSubreaper()
    let before = Self.zombies()
    for _ in 0..<5 {
      // The orphan ends before its command does, and nobody but this process can reap it.
      _ = try await LocalConnection().execute(
        Command(["sh", "-c", "(setsid true &); (env -i setsid true &); sleep 0.05"]),
        until: Self.soon())
    }
    #expect(Self.zombies().subtracting(before).isEmpty)
  }

  @Test(.timeLimit(.minutes(1)))
  func aFullDiskIsSaidToBeFullNotATimeout() async throws {
    let scratch = try Scratch()
    symlink("/dev/full", scratch.path + "/out")
    let command = Command(
      ["sh", "-c", "echo x; exec sleep 60"],
      standardOutput: .file(scratch.path + "/out", limit: 100))
    await #expect {
      _ = try await LocalConnection().execute(command, until: Self.soon())
    } throws: {
      let failure = $0 as? ConnectionFailure
      return failure?.code == .hostFile(.noSpace) && failure?.message.contains("timed out") == false
        && failure?.message.contains("/out") == true && failure?.partial != nil
        && failure?.hint.isEmpty == false
    }
  }

  @Test(.timeLimit(.minutes(1)))
  func writingToAPipeThatNobodyReadsFailsAtOnce() async throws {
    let scratch = try Scratch()
    mkfifo(scratch.path + "/fifo", 0o600)
    let results = try await LocalConnection().write(
      [(TargetPath(scratch.path + "/fifo"), [1])], until: Self.soon())
    guard case .failure(let error) = results[0] else {
      Issue.record("\(results[0])")
      return
    }
    #expect(error.rawValue == ENXIO)
  }

  @Test(.timeLimit(.minutes(1)))
  func closingTheConnectionEndsWhatItStarted() async throws {
    let connection = LocalConnection()
    let process = try await connection.start(Command(["sleep", "300"]), until: Self.soon())
    let identity = try #require(ProcessIdentity(processID: process.processID))
    await connection.close()
    #expect(!identity.isAlive)
    await connection.close()
    await #expect(throws: ConnectionFailure.self) {
      _ = try await process.wait(until: Self.soon())
    }
  }

  @Test(.timeLimit(.minutes(1)))
  func childrenInheritNoDescriptorButTheirStreams() async throws {
    // One that some library forgot to close on exec.
    let leak = open("/dev/null", O_RDONLY)
    try #require(leak >= 0)
    defer { close(leak) }
    let result = try await LocalConnection().execute(
      Command(["sh", "-c", "ls /proc/self/fd"]), until: Self.soon())
    // 3 is the directory that ls itself reads.
    #expect(result.standardOutput.text == "0\n1\n2\n3\n")
  }

  @Test(.timeLimit(.minutes(1)))
  func childrenStartWithDefaultSignals() async throws {
    signal(SIGPIPE, SIG_IGN)
    let result = try await LocalConnection().execute(
      Command(["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"]), until: Self.soon())
    let masks = result.standardOutput.text.split(separator: "\n").compactMap {
      UInt64($0.suffix(16), radix: 16)
    }
    // glibc keeps 32 and 33 for itself.
    let ownToGlibc: UInt64 = 3 << 31
    #expect(masks.map { $0 & ~ownToGlibc } == [0, 0])
  }

  @Test(.timeLimit(.minutes(1)))
  func aChildThatReadsNoInputDoesNotEndThisProcess() async throws {
    let result = try await LocalConnection().execute(
      Command(["true"], standardInput: .bytes([UInt8](repeating: 1, count: 1_000_000))),
      until: Self.soon())
    #expect(result.isSuccess)
  }

  @Test(.timeLimit(.minutes(1)))
  func anExitStatusOver128IsNoSignal() async throws {
    for status: Int32 in [129, 137, 255] {
      let result = try await LocalConnection().execute(
        Command(["sh", "-c", "exit \(status)"]), until: Self.soon())
      #expect(result.termination == .exited(status))
    }
  }

  @Test(.timeLimit(.minutes(1)))
  func peakMemoryIsTheCommandsOwnOrNotSaid() async throws {
    let small = try await LocalConnection().execute(Command(["true"]), until: Self.soon())
    #expect(small.peakMemory == nil)
    let large = try await LocalConnection().execute(
      Command(["dd", "if=/dev/zero", "of=/dev/null", "bs=900M", "count=1"]), until: Self.soon())
    #expect((large.peakMemory ?? 0) > 800 << 20)
  }

  @Test(.timeLimit(.minutes(1)), arguments: [["./nothing-here"], ["/etc/passwd"], ["/tmp"]])
  func whatCannotBeStartedSaysWhy(argv: [String]) async throws {
    await #expect {
      _ = try await LocalConnection().execute(Command(argv), until: Self.soon())
    } throws: {
      guard let failure = $0 as? ConnectionFailure else { return false }
      return failure.message.hasPrefix(argv[0])
        && [.notFound, .permissionDenied].contains(failure.code)
    }
  }
}
