internal import GRDB
internal import KelvinModel

/// What a setting of a board was before somebody changed it.
public struct OriginalValue: Sendable, Hashable {
  /// Names the setting; unique on a board.
  public var setting: String
  /// Whatever is needed to put it back, as JSON.
  public var value: String
  /// The run that changed it first; empty outside of runs.
  public var run: String
  /// The board's boot in which it was read.
  public var boardBootID: String

  /// Creates a record.
  public init(setting: String, value: String, run: String, boardBootID: String) {
    self.setting = setting
    self.value = value
    self.run = run
    self.boardBootID = boardBootID
  }
}

// Settings as they were, until they are so again: whoever gets the board next must be able to put them
// back, whatever becomes of the process that changed them.

extension BenchStore {
  /// What is to be put back on a board, under whatever name it was known then.
  public func originals(of resource: BenchResource) throws(StoreFailure) -> [OriginalValue] {
    try read { database in
      let rows = try BenchTables(database, path: path).rows(of: resource)
      var found: [String: OriginalValue] = [:]
      for row in rows {
        let cursor = try Row.fetchCursor(
          database,
          sql: """
            SELECT setting, value, run, board_boot_id FROM original_values WHERE resource = ?
            """, arguments: [row])
        while let next = try cursor.next() {
          let reader = RowReader(row: next, path: path)
          let setting = try reader.text(0)
          if found[setting] != nil { continue }
          found[setting] = OriginalValue(
            setting: setting, value: try reader.text(1), run: try reader.text(2),
            boardBootID: try reader.text(3))
        }
      }
      return found.values.sorted { $0.setting < $1.setting }
    }
  }

  /// Keeps what settings are now, before they are changed. Those of which a value is kept already keep
  /// that one: it is the older.
  public func keep(
    _ originals: [OriginalValue], of resource: BenchResource
  ) throws(StoreFailure) {
    try write { database in
      let rows = try ensureRows(of: resource, in: database)
      let now = MonotonicTime.wallNanoseconds
      for original in originals {
        for row in rows {
          try database.execute(
            sql: """
              INSERT OR IGNORE INTO original_values (resource, setting, value, run, board_boot_id,
                saved_wall_ns) VALUES (?, ?, ?, ?, ?, ?)
              """,
            arguments: [
              row, original.setting.storable, original.value.storable, original.run.storable,
              original.boardBootID.storable, now
            ])
        }
      }
    }
  }

  /// Forgets what was put back.
  public func forget(
    _ settings: [String], of resource: BenchResource
  ) throws(StoreFailure) {
    try write { database in
      for row in try BenchTables(database, path: path).rows(of: resource) {
        for setting in settings {
          try database.execute(
            sql: "DELETE FROM original_values WHERE resource = ? AND setting = ?",
            arguments: [row, setting.storable])
        }
      }
    }
  }
}
