import Glibc
import KelvinMeters
import KelvinModel
import Synchronization

/// What a capture delivers, kept whole.
final class CollectingSink: BlockSink {
  private let state = Mutex<(blocks: [SampleBlock], events: [CaptureEvent])>(([], []))

  func take(_ blocks: [SampleBlock]) { state.withLock { $0.blocks += blocks } }
  func take(_ event: CaptureEvent) { state.withLock { $0.events.append(event) } }

  var events: [CaptureEvent] { state.withLock { $0.events } }
  func codes(_ channel: Int) -> [Int64] {
    state.withLock { $0.blocks.filter { $0.channel == channel }.flatMap(\.codes) }
  }
  func times(_ channel: Int = 0) -> [Int64] {
    state.withLock { $0.blocks.filter { $0.channel == channel }.flatMap(\.times.array) }
  }

  /// Waits for so many samples of the first channel.
  func wait(for count: Int, seconds: Double = 20) -> Bool {
    let deadline = Deadline.after(seconds: seconds)
    while state.withLock({ $0.blocks.reduce(0) { $0 + ($1.channel == 0 ? $1.codes.count : 0) } })
      < count
    {
      if deadline.hasPassed { return false }
      usleep(5000)
    }
    return true
  }
}

var soon: Deadline { .after(seconds: 20) }

/// What a call threw; nil when it did not.
func meterFailure(_ body: () async throws -> Void) async -> MeterFailure? {
  do {
    try await body()
    return nil
  } catch {
    return error as? MeterFailure
  }
}

/// A temporary directory that goes with its last reference.
final class Folder: Sendable {
  let path: String

  init() throws {
    var template = Array("/tmp/kelvin-iio-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw PlainFailure(.internal, "no directory") }
    path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  deinit { system("rm -rf '\(path)'") }

  /// A file with its directories.
  func write(_ name: String, _ text: String) {
    let file = path + "/" + name
    system("mkdir -p \"$(dirname '\(file)')\"")
    let stream = fopen(file, "w")
    fputs(text, stream)
    fclose(stream)
  }

  func read(_ name: String) -> String {
    guard let stream = fopen(path + "/" + name, "r") else { return "" }
    defer { fclose(stream) }
    var buffer = [UInt8](repeating: 0, count: 65_536)
    let count = fread(&buffer, 1, buffer.count, stream)
    return String(decoding: buffer[..<count], as: UTF8.self)
  }
}
