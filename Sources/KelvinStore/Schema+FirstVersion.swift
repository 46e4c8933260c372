// What runs have had from the beginning: the plan, attempts, what they left, captures.
extension Schema {
  static let version1 = """
    PRAGMA application_id = \(applicationID);
    PRAGMA user_version = 1;

    CREATE TABLE run (
      id TEXT NOT NULL PRIMARY KEY,
      name TEXT NOT NULL,
      kelvin_version TEXT NOT NULL,
      command_line TEXT NOT NULL,
      board TEXT NOT NULL,
      created_wall_ns INTEGER NOT NULL,
      ended_wall_ns INTEGER,
      state TEXT NOT NULL,
      verdict TEXT,
      reason TEXT,
      settings TEXT NOT NULL
    ) STRICT;

    CREATE TABLE sources (
      id INTEGER NOT NULL PRIMARY KEY,
      path TEXT NOT NULL,
      content TEXT NOT NULL
    ) STRICT;

    CREATE TABLE lives (
      id INTEGER NOT NULL PRIMARY KEY,
      boot_id TEXT NOT NULL,
      process_id INTEGER NOT NULL,
      start_ticks INTEGER NOT NULL,
      monotonic_ns INTEGER NOT NULL,
      boottime_ns INTEGER NOT NULL,
      wall_ns INTEGER NOT NULL,
      ended_ns INTEGER
    ) STRICT;

    CREATE TABLE specs (
      position INTEGER NOT NULL PRIMARY KEY,
      id TEXT NOT NULL,
      label TEXT NOT NULL,
      workload TEXT NOT NULL,
      iterations INTEGER NOT NULL,
      parameters TEXT NOT NULL,
      runtime_parameters TEXT NOT NULL,
      classifiers TEXT NOT NULL,
      augmentations TEXT NOT NULL,
      timeouts TEXT NOT NULL,
      cleanup_assets INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE jobs (
      position INTEGER NOT NULL PRIMARY KEY,
      spec INTEGER NOT NULL REFERENCES specs (position),
      iteration INTEGER NOT NULL,
      verdict TEXT,
      reason TEXT
    ) STRICT;

    CREATE TABLE fingerprints (
      id INTEGER NOT NULL PRIMARY KEY,
      content TEXT NOT NULL UNIQUE
    ) STRICT;

    CREATE TABLE attempts (
      id INTEGER NOT NULL PRIMARY KEY,
      job INTEGER NOT NULL REFERENCES jobs (position),
      number INTEGER NOT NULL,
      life INTEGER NOT NULL REFERENCES lives (id),
      started_wall_ns INTEGER NOT NULL,
      process_id INTEGER,
      process_start_ticks INTEGER,
      verdict TEXT,
      reason TEXT,
      setup_start_ns INTEGER,
      setup_end_ns INTEGER,
      run_start_ns INTEGER,
      run_end_ns INTEGER,
      extract_start_ns INTEGER,
      extract_end_ns INTEGER,
      teardown_start_ns INTEGER,
      teardown_end_ns INTEGER,
      overhead_cpu_ns INTEGER,
      overhead_before_ns INTEGER,
      overhead_after_ns INTEGER,
      fingerprint INTEGER REFERENCES fingerprints (id),
      changes TEXT,
      UNIQUE (job, number)
    ) STRICT;

    CREATE TABLE metric_types (
      id INTEGER NOT NULL PRIMARY KEY,
      name TEXT NOT NULL,
      unit TEXT NOT NULL,
      lower_is_better INTEGER,
      classifiers TEXT NOT NULL,
      source TEXT NOT NULL
    ) STRICT;
    CREATE INDEX metric_types_by_name ON metric_types (name, classifiers);

    CREATE TABLE metrics (
      attempt INTEGER NOT NULL REFERENCES attempts (id),
      ordinal INTEGER NOT NULL,
      type INTEGER NOT NULL REFERENCES metric_types (id),
      value ANY,
      PRIMARY KEY (attempt, ordinal)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE run_metrics (
      ordinal INTEGER NOT NULL PRIMARY KEY,
      type INTEGER NOT NULL REFERENCES metric_types (id),
      value ANY
    ) STRICT;

    CREATE TABLE artifacts (
      id INTEGER NOT NULL PRIMARY KEY,
      attempt INTEGER REFERENCES attempts (id),
      name TEXT NOT NULL,
      path TEXT NOT NULL,
      kind TEXT NOT NULL,
      description TEXT NOT NULL,
      source TEXT NOT NULL
    ) STRICT;
    CREATE INDEX artifacts_by_attempt ON artifacts (attempt);

    CREATE TABLE events (
      id INTEGER NOT NULL PRIMARY KEY,
      attempt INTEGER REFERENCES attempts (id),
      life INTEGER NOT NULL REFERENCES lives (id),
      time_ns INTEGER NOT NULL,
      level TEXT NOT NULL,
      source TEXT NOT NULL,
      message TEXT NOT NULL
    ) STRICT;
    CREATE INDEX events_by_attempt ON events (attempt);

    CREATE TABLE captures (
      id INTEGER NOT NULL PRIMARY KEY,
      attempt INTEGER REFERENCES attempts (id),
      life INTEGER NOT NULL REFERENCES lives (id),
      source TEXT NOT NULL,
      summary TEXT
    ) STRICT;
    CREATE INDEX captures_by_attempt ON captures (attempt);

    CREATE TABLE channels (
      capture INTEGER NOT NULL REFERENCES captures (id),
      ordinal INTEGER NOT NULL,
      name TEXT NOT NULL,
      unit TEXT NOT NULL,
      scale REAL NOT NULL,
      PRIMARY KEY (capture, ordinal)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE blocks (
      id INTEGER NOT NULL PRIMARY KEY,
      capture INTEGER NOT NULL,
      channel INTEGER NOT NULL,
      first_ns INTEGER NOT NULL,
      last_ns INTEGER NOT NULL,
      count INTEGER NOT NULL,
      min_code INTEGER NOT NULL,
      mean_code REAL NOT NULL,
      max_code INTEGER NOT NULL,
      data BLOB NOT NULL,
      FOREIGN KEY (capture, channel) REFERENCES channels (capture, ordinal)
    ) STRICT;
    CREATE INDEX blocks_by_channel ON blocks (capture, channel);

    CREATE VIEW results AS
      SELECT j.position AS job, s.id AS id, s.label AS label, s.workload AS workload,
        j.iteration AS iteration, a.number AS attempt, a.verdict AS verdict,
        t.name AS metric, m.value AS value, t.unit AS unit,
        t.lower_is_better AS lower_is_better, t.classifiers AS classifiers, t.source AS source,
        a.number = (SELECT max(number) FROM attempts WHERE job = j.position) AS is_last
      FROM metrics m
      JOIN metric_types t ON t.id = m.type
      JOIN attempts a ON a.id = m.attempt
      JOIN jobs j ON j.position = a.job
      JOIN specs s ON s.position = j.spec;

    CREATE VIEW job_states AS
      SELECT j.position AS job, s.id AS id, s.label AS label, s.workload AS workload,
        j.iteration AS iteration, j.verdict AS verdict, j.reason AS reason,
        (SELECT count(*) FROM attempts WHERE job = j.position) AS attempts
      FROM jobs j JOIN specs s ON s.position = j.spec;

    CREATE VIEW block_summaries AS
      SELECT p.attempt AS attempt, p.source AS source, c.name AS channel, c.unit AS unit,
        b.first_ns AS first_ns, b.last_ns AS last_ns, b.count AS count,
        b.min_code * c.scale AS min, b.mean_code * c.scale AS mean, b.max_code * c.scale AS max
      FROM blocks b
      JOIN channels c ON c.capture = b.capture AND c.ordinal = b.channel
      JOIN captures p ON p.id = b.capture;
    """
}
