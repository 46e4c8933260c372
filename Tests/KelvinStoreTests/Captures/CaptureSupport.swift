import GRDB
import KelvinModel
import Testing

@testable import KelvinStore

/// A run with one capture of the run as a whole.
struct CaptureRun {
  let directory = TemporaryDirectory()
  let store: RunStore
  let capture: Int64
  var path: String { directory("run") }

  init(channels: [Channel] = [Channel(name: "c", unit: "W", scale: 0.5, offset: 1)]) throws {
    store = try RunStore.create(
      at: directory("run"), run: makeRun(), plan: makePlan(), life: deadLife)
    capture = try store.beginCapture(attempt: nil, source: "s", channels: channels)
  }

  func append(_ blocks: SampleBlock...) throws {
    try store.append(capture: capture, blocks: blocks)
  }

  func reader() throws -> RunReader { try RunReader(directory: path) }

  /// All samples of a channel, one by one.
  func samples(_ channel: Int = 0) throws -> (times: [Int64], codes: [Int64]) {
    try reader().samples(ofCapture: capture, channel: channel)
  }
}

extension RunReader {
  /// All samples of a channel, one by one.
  func samples(
    ofCapture capture: Int64, channel: Int
  ) throws -> (times: [Int64], codes: [Int64]) {
    var all: (times: [Int64], codes: [Int64]) = ([], [])
    for block in try blocks(ofCapture: capture, channel: channel) {
      all.times += block.times.array
      all.codes += block.codes
    }
    return all
  }
}

extension CaptureRun {
  /// The rows of summaries, by level and ordinal.
  func rows() throws -> [(level: Int, ordinal: Int, data: [UInt8])] {
    try reader().read { database in
      try Row.fetchAll(
        database, sql: "SELECT level, ordinal, data FROM summaries ORDER BY level, ordinal"
      ).map { row in
        let row = RowReader(row: row, path: path)
        return (try row.int(0), try row.int(1), try row.bytes(2))
      }
    }
  }
}
