internal import Glibc
public import KelvinModel
internal import KelvinSystem

/// Marks that come from outside of a run, in a file of its directory: `kelvin mark` adds a line, and
/// whoever measures reads them at the end of each job. A file, since it needs nobody who listens, and holds
/// what was marked while Kelvin was gone.
public struct MarkFile: Sendable {
  public let path: String
  /// Of this boot of the host: times of another one mean nothing here.
  private let bootID: String

  /// The file of a run.
  public init(run directory: String, bootID: String) {
    path = directory + "/marks.jsonl"
    self.bootID = bootID
  }

  /// What is read of a file at most.
  private static let limit = 1 << 20

  /// Adds a mark; on the disk when this returns.
  ///
  /// - Throws: what keeps it from being written.
  public func add(_ mark: PhaseMark) throws(PlainFailure) {
    let line =
      Value.map([
        "boot_id": .text(bootID), "monotonic_ns": .integer(mark.time),
        "limit_ns": .integer(mark.limit), "name": mark.name.map { .text($0) } ?? .null
      ]).json + "\n"
    let descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw failure(.current) }
    defer { close(descriptor) }
    let bytes = Array(line.utf8)
    // One write, so that lines of two commands do not mix.
    guard write(descriptor, bytes, bytes.count) == bytes.count, fsync(descriptor) == 0 else {
      throw failure(.current)
    }
  }

  /// The marks of this boot, and how many lines are none.
  public func read() -> (marks: [PhaseMark], broken: Int) {
    guard let bytes = try? HostFile.read(path, limit: Self.limit) else { return ([], 0) }
    var marks: [PhaseMark] = []
    var broken = 0
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      guard let map = Value(json: String(decoding: line, as: UTF8.self))?.map,
        let boot = map["boot_id"]?.text, let time = map["monotonic_ns"]?.integer,
        let limit = map["limit_ns"]?.integer, limit >= 0
      else {
        broken += 1
        continue
      }
      guard boot == bootID else { continue }
      marks.append(
        PhaseMark(
          time: time, limit: limit, name: map["name"]?.text.flatMap { PhaseMark.name(of: $0) }))
    }
    return (marks, broken)
  }

  private func failure(_ error: Errno) -> PlainFailure {
    PlainFailure(.infrastructure, "\(path): cannot be written", evidence: "\(error)")
  }
}
