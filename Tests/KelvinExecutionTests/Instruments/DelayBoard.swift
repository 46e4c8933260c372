import Glibc
import KelvinConnections
import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinExecution

/// A recorded board whose files change by themselves, and a place where cooling leaves its trace.
struct DelayBoard {
  static let zone = "/sys/class/thermal/thermal_zone0/temp"
  let tree: RecordedTree
  /// Ends what changes it.
  let isOver = BoardConfined(false)
  /// Fast enough for tests.
  var settings: [String: Value] = ["poll_period": 0.02, "timeout": 10]

  init(_ files: [String: String] = [:]) throws {
    let zone = ["/sys/class/thermal/thermal_zone0/type": "cpu-thermal\n", Self.zone: "58200\n"]
    tree = try RecordedTree(zone.merging(files) { $1 })
  }

  var log: String { tree.root + "/cooling" }

  /// Commands that write down that they ran.
  ///
  /// - Parameter degrees: what the file holds from then on, in thousandths.
  func cooling(_ file: String? = nil, to degrees: Int = 0) -> Value {
    let effect = file.map { "; echo \(degrees) > \(tree.root)\($0)" } ?? ""
    return [
      "start": ["sh", "-c", .text("echo on >> \(log)\(effect)")],
      "stop": ["sh", "-c", .text("echo off >> \(log)")]
    ]
  }

  /// What cooling has done.
  var cooled: String {
    guard let bytes = try? HostFile.read(log) else { return "" }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").joined(separator: " ")
  }

  /// Has a thread write one content after the other; the last one stays.
  func change(
    _ path: String, to contents: [String], every milliseconds: UInt32 = 50
  ) throws -> NamedThread {
    try NamedThread("board") { [tree, isOver] in
      for content in contents where !isOver.value {
        usleep(milliseconds * 1000)
        // As a whole, as the kernel's files change.
        try? tree.write([path + ".new": content])
        rename(tree.root + path + ".new", tree.root + path)
      }
    }
  }

  /// Does something once cooling has begun.
  func whenCooled(_ body: @escaping @Sendable () -> Void) throws -> NamedThread {
    let board = self
    return try NamedThread("fan") {
      for _ in 0..<2000 where board.cooled.isEmpty { usleep(5000) }
      body()
    }
  }

  func bench(_ wait: [String: Value], _ connection: (any Connection)? = nil) -> InstrumentBench {
    var bench = InstrumentBench(connection ?? LocalConnection(root: tree.root))
    bench.settings = ["delay": settings.merging(wait) { $1 }]
    return bench
  }
}
