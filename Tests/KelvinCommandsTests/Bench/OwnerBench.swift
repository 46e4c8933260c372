import CLinux
import Glibc
import KelvinConnections
import KelvinDevices
import KelvinModel
import KelvinSystem

/// A place for an owner of a test's own, whose process is the real binary; it is ended with the test.
final class OwnerBench: Sendable {
  let scratch: Scratch
  let places: OwnerPlaces
  let starter: OwnerStarter

  init(options: [String] = []) throws {
    scratch = try Scratch()
    places = OwnerPlaces(
      runtimeDirectory: scratch.path + "/run", stateDirectory: scratch.path + "/state")
    starter = OwnerStarter(program: KelvinBinary.path, options: options)
  }

  deinit {
    guard let client = try? client(starts: false) else { return }
    let owner = ProcessIdentity(processID: client.processID)
    if (try? client.shutDown(force: true, until: .after(seconds: 10))) == nil, let owner,
      owner.isAlive
    {
      kill(owner.processID, SIGKILL)
    }
  }

  func client(
    _ name: String = "test", starts: Bool = true, seconds: Double = 30
  ) throws -> Owner.Client {
    try Owner.Client.connect(
      to: places, as: name, starter: starts ? starter : nil, until: .after(seconds: seconds))
  }

  /// The options by which a command finds this owner.
  var arguments: [String] {
    [
      "--runtime-directory", places.runtimeDirectory, "--state-directory", places.stateDirectory
    ]
  }

  func log(of name: String) -> ConsoleLogReader {
    ConsoleLogReader(directory: places.stateDirectory + "/consoles/" + name)
  }

  /// All that a log holds.
  func logged(_ name: String) -> [UInt8] {
    let reader = log(of: name)
    var bytes: [UInt8] = []
    while true {
      let piece = reader.read(at: UInt64(bytes.count), limit: 1 << 20)
      if piece.bytes.isEmpty { return bytes }
      bytes += piece.bytes
    }
  }
}

extension Owner.Client {
  /// Reads a console until so many bytes came.
  func read(
    _ attachment: inout ConsoleAttachment, count: Int, seconds: Double = 20
  ) throws -> [UInt8] {
    let deadline = Deadline.after(seconds: seconds)
    var bytes: [UInt8] = []
    while bytes.count < count, let news = try news(of: &attachment, until: deadline) {
      bytes += news.bytes
    }
    return bytes
  }

  /// Reads a console until a text came.
  func read(
    _ attachment: inout ConsoleAttachment, through text: String, seconds: Double
  ) throws -> String {
    let deadline = Deadline.after(seconds: seconds)
    var bytes: [UInt8] = []
    while !String(decoding: bytes, as: UTF8.self).contains(text),
      let news = try news(of: &attachment, until: deadline)
    {
      bytes += news.bytes
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// Pseudo-random numbers from a seed that a test prints (SplitMix64).
struct SeededNumbers: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}

/// Waits for a process to end.
///
/// - Returns: whether it did.
func waitForEnd(of process: ProcessIdentity, seconds: Double = 10) -> Bool {
  let descriptor = kelvin_pidfd_open(process.processID, 0)
  guard descriptor >= 0 else { return true }
  defer { close(descriptor) }
  return Deadline.after(seconds: seconds).wait(for: descriptor) == .ready
}

/// Asks again until it is so; each question is one to another process, and takes its time.
func eventually(seconds: Double = 30, _ isSo: () throws -> Bool) rethrows -> Bool {
  let deadline = Deadline.after(seconds: seconds)
  while !deadline.hasPassed {
    if try isSo() { return true }
  }
  return false
}
