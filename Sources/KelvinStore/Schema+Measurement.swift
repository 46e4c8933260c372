// What later versions keep of meters, samples and how far values can be trusted.
extension Schema {
  /// How far values can be trusted.
  static let version6 = """
    PRAGMA user_version = 6;

    ALTER TABLE metrics ADD COLUMN uncertainty REAL;
    ALTER TABLE run_metrics ADD COLUMN uncertainty REAL;

    DROP VIEW results;
    CREATE VIEW results AS
      SELECT j.position AS job, s.id AS id, s.label AS label, s.workload AS workload,
        j.iteration AS iteration, a.number AS attempt, a.verdict AS verdict,
        t.name AS metric, m.value AS value, t.unit AS unit,
        t.lower_is_better AS lower_is_better, t.classifiers AS classifiers, t.source AS source,
        a.number = (SELECT max(number) FROM attempts WHERE job = j.position) AS is_last,
        m.uncertainty AS uncertainty
      FROM metrics m
      JOIN metric_types t ON t.id = m.type
      JOIN attempts a ON a.id = m.attempt
      JOIN jobs j ON j.position = a.job
      JOIN specs s ON s.position = j.spec;
    """

  /// Meters, events of captures, and samples whose summaries have levels. `blocks.data` has another form
  /// where `ordinal` is not null.
  static let version5 = """
    PRAGMA user_version = 5;

    ALTER TABLE captures ADD COLUMN meter TEXT;
    ALTER TABLE captures ADD COLUMN clock TEXT;

    ALTER TABLE channels ADD COLUMN offset REAL NOT NULL DEFAULT 0;
    ALTER TABLE channels ADD COLUMN site TEXT NOT NULL DEFAULT '';
    ALTER TABLE channels ADD COLUMN kind TEXT;
    ALTER TABLE channels ADD COLUMN range_min REAL;
    ALTER TABLE channels ADD COLUMN range_max REAL;
    ALTER TABLE channels ADD COLUMN accuracy TEXT;
    ALTER TABLE channels ADD COLUMN wrap INTEGER;
    ALTER TABLE channels ADD COLUMN averaging_s REAL;

    CREATE TABLE capture_events (
      id INTEGER NOT NULL PRIMARY KEY,
      capture INTEGER NOT NULL REFERENCES captures (id),
      kind TEXT NOT NULL,
      channel INTEGER,
      from_ns INTEGER NOT NULL,
      to_ns INTEGER NOT NULL,
      count INTEGER,
      note TEXT NOT NULL
    ) STRICT;
    CREATE INDEX capture_events_by_capture ON capture_events (capture, from_ns);

    ALTER TABLE blocks ADD COLUMN ordinal INTEGER;
    DROP INDEX blocks_by_channel;
    CREATE UNIQUE INDEX blocks_by_ordinal ON blocks (capture, channel, ordinal);
    CREATE INDEX blocks_by_time ON blocks (capture, channel, last_ns);

    CREATE TABLE groups (
      block INTEGER NOT NULL PRIMARY KEY REFERENCES blocks (id),
      data BLOB NOT NULL
    ) STRICT;

    CREATE TABLE summaries (
      id INTEGER NOT NULL PRIMARY KEY,
      capture INTEGER NOT NULL,
      channel INTEGER NOT NULL,
      level INTEGER NOT NULL,
      ordinal INTEGER NOT NULL,
      data BLOB NOT NULL,
      UNIQUE (capture, channel, level, ordinal),
      FOREIGN KEY (capture, channel) REFERENCES channels (capture, ordinal)
    ) STRICT;

    DROP VIEW block_summaries;
    CREATE VIEW block_summaries AS
      SELECT p.attempt AS attempt, p.source AS source, c.name AS channel, c.unit AS unit,
        b.first_ns AS first_ns, b.last_ns AS last_ns, b.count AS count,
        min(b.min_code * c.scale, b.max_code * c.scale) + c.offset AS min,
        b.mean_code * c.scale + c.offset AS mean,
        max(b.min_code * c.scale, b.max_code * c.scale) + c.offset AS max
      FROM blocks b
      JOIN channels c ON c.capture = b.capture AND c.ordinal = b.channel
      JOIN captures p ON p.id = b.capture;
    """
}
