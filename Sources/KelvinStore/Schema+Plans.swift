// What later versions keep of plans and of the bench.
extension Schema {
  /// What a spec's jobs need on their board: JSON, null for those that take it as it is.
  static let version4 = """
    PRAGMA user_version = 4;

    ALTER TABLE specs ADD COLUMN deploy TEXT;
    """

  /// How a spec's jobs run while their link is away: JSON, null for those whose link stays.
  static let version3 = """
    PRAGMA user_version = 3;

    ALTER TABLE specs ADD COLUMN link TEXT;
    """

  /// Which bench files described the board, so that a resume finds it again.
  static let version2 = """
    PRAGMA user_version = 2;

    CREATE TABLE bench_files (
      id INTEGER NOT NULL PRIMARY KEY,
      path TEXT NOT NULL
    ) STRICT;
    """
}
