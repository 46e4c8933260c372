import Glibc
import KelvinModel
import KelvinSystem

@testable import KelvinDevices

/// A directory of a test's own, removed at its end.
final class OwnerScratch: Sendable {
  let path: String

  init() throws {
    var template = Array("/tmp/kelvin-owner-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Errno.current }
    path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  deinit { OwnerScratch.remove(path) }

  private static func remove(_ path: String) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    if status.st_mode & S_IFMT == S_IFDIR {
      for name in SmallFile.names(in: path) { remove(path + "/" + name) }
      rmdir(path)
    } else {
      unlink(path)
    }
  }

  var places: OwnerPlaces {
    OwnerPlaces(runtimeDirectory: path + "/run", stateDirectory: path + "/state")
  }
}

/// An owner on a thread of this process; ended with the last reference.
final class OwnerInThread: Sendable {
  let places: OwnerPlaces
  let ended = Interrupt()
  private let stop = Interrupt()
  private let thread: NamedThread

  init(_ places: OwnerPlaces, _ options: OwnerServer.Options = OwnerServer.Options()) throws {
    self.places = places
    var options = options
    options.backoff = HeldPort.Backoff(first: 0.01, last: 0.05)
    let ready = Interrupt()
    let (stop, ended, chosen) = (stop, ended, options)
    thread = try NamedThread("owner") {
      let server = try? OwnerServer(places: places, options: chosen)
      ready.raise()
      _ = server?.run(until: stop)
      ended.raise()
    }
    guard Deadline.after(seconds: 10).wait(for: ready.descriptor) == .ready else {
      throw PlainFailure(.timeout, "the owner does not begin")
    }
  }

  deinit { end() }

  func end() {
    stop.raise()
    thread.join()
  }

  func client(_ name: String = "test") throws -> Owner.Client {
    try Owner.Client.connect(
      to: places, as: name, starter: nil, until: .after(seconds: 10))
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

  /// Waits for a state.
  func wait(
    _ attachment: inout ConsoleAttachment, for wanted: (PortState) -> Bool
  ) throws -> PortState {
    let deadline = Deadline.after(seconds: 20)
    while !wanted(attachment.state), try news(of: &attachment, until: deadline) != nil {}
    return attachment.state
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
