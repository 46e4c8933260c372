PRAGMA application_id = 1265399406;
PRAGMA user_version = 6;
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY);
INSERT INTO grdb_migrations VALUES('v1');
INSERT INTO grdb_migrations VALUES('v2');
INSERT INTO grdb_migrations VALUES('v3');
INSERT INTO grdb_migrations VALUES('v4');
INSERT INTO grdb_migrations VALUES('v5');
INSERT INTO grdb_migrations VALUES('v6');
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
INSERT INTO run VALUES('8f7f0c4e-0000-4000-8000-000000000001','test','0.1','["kelvin","run","a b.yaml"]','local',1700000000000000000,1795746917605129086,'ended','aborted','SIGINT','{"augmentations":{"cpufreq":{"paths":["a","b"],"rate":1.5}},"bail_on_init_failure":false,"bail_on_job_failure":true,"execution_order":"interleaved","health_check":{"every":9,"params":{"argv":["true"]},"timeout":5.0,"when":["recovery"],"workload":"command"},"max_retries":7,"project":"p","project_stage":"s","provenance":{"max_retries":["a.yaml",3,4]},"quarantine":{"failures":2,"of":3},"reboot_policy":"never","retry_on_status":["aborted"],"run_name":"n","seed":"18446744073709551615"}');
CREATE TABLE sources (
  id INTEGER NOT NULL PRIMARY KEY,
  path TEXT NOT NULL,
  content TEXT NOT NULL
) STRICT;
INSERT INTO sources VALUES(1,'a b.yaml',replace('workloads: [idle]\n','\n',char(10)));
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
INSERT INTO lives VALUES(1,'00000000-0000-0000-0000-000000000000',1,1,1,1,1,32787804324235);
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
, link TEXT, deploy TEXT) STRICT;
INSERT INTO specs VALUES(0,'s-wk1','l','command',3,'{"argv":["a b","\"","\\","\u0001\u2028✓"],"big":9223372036854775807,"five":5.0,"flag":true,"half":0.5,"map":{"a":{"b":[]}},"none":null,"tiny":1e-300}','[["governor","performance"],["cpu0_frequency",1000]]','{"a":"b"}','["x","~y"]','{"extract":3.0,"run":2.5,"setup":1.0,"teardown":4.0}',1,'{"seconds":90.0,"settle":0.5}','{"build_id":"0a","by":"sd-mux","command_line":"a b","device_tree":"d","initrd":"i","kernel":"k","root":"/r \"","verify":"true"}');
CREATE TABLE jobs (
  position INTEGER NOT NULL PRIMARY KEY,
  spec INTEGER NOT NULL REFERENCES specs (position),
  iteration INTEGER NOT NULL,
  verdict TEXT,
  reason TEXT
) STRICT;
INSERT INTO jobs VALUES(0,0,1,'ok','');
INSERT INTO jobs VALUES(1,0,2,'skipped','SIGINT');
CREATE TABLE fingerprints (
  id INTEGER NOT NULL PRIMARY KEY,
  content TEXT NOT NULL UNIQUE
) STRICT;
INSERT INTO fingerprints VALUES(1,'{"boot_id":"abc","kernel":"6.1.0"}');
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
INSERT INTO attempts VALUES(1,0,1,1,5,77,88,'failed: workload','exit code 1',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO attempts VALUES(2,0,2,1,6,NULL,NULL,'ok','',1000000000000,1000001000000,1000001000000,1000003000000,1000003000000,1000003500000,1000003500000,1000004000000,120000,50000,60000,1,'{"argv":["nice","true"]}');
CREATE TABLE metric_types (
  id INTEGER NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  unit TEXT NOT NULL,
  lower_is_better INTEGER,
  classifiers TEXT NOT NULL,
  source TEXT NOT NULL
) STRICT;
INSERT INTO metric_types VALUES(1,'execution_time','s',1,'{}','execution_time');
INSERT INTO metric_types VALUES(2,'interrupts','',NULL,'{"cpu":"3"}','interrupts');
INSERT INTO metric_types VALUES(3,'version','',NULL,'{}','workload');
INSERT INTO metric_types VALUES(4,'duration','s',NULL,'{}','');
CREATE TABLE metrics (
  attempt INTEGER NOT NULL REFERENCES attempts (id),
  ordinal INTEGER NOT NULL,
  type INTEGER NOT NULL REFERENCES metric_types (id),
  value ANY, uncertainty REAL,
  PRIMARY KEY (attempt, ordinal)
) STRICT, WITHOUT ROWID;
INSERT INTO metrics VALUES(2,0,1,0.0012299999999999999735,NULL);
INSERT INTO metrics VALUES(2,1,2,12,0.5);
INSERT INTO metrics VALUES(2,2,3,'1.2',NULL);
CREATE TABLE run_metrics (
  ordinal INTEGER NOT NULL PRIMARY KEY,
  type INTEGER NOT NULL REFERENCES metric_types (id),
  value ANY
, uncertainty REAL) STRICT;
INSERT INTO run_metrics VALUES(1,4,1.5,0.25);
CREATE TABLE artifacts (
  id INTEGER NOT NULL PRIMARY KEY,
  attempt INTEGER REFERENCES attempts (id),
  name TEXT NOT NULL,
  path TEXT NOT NULL,
  kind TEXT NOT NULL,
  description TEXT NOT NULL,
  source TEXT NOT NULL
) STRICT;
INSERT INTO artifacts VALUES(1,2,'stdout','jobs/1/stdout','log','','');
INSERT INTO artifacts VALUES(2,NULL,'csv','results.csv','export','','');
CREATE TABLE events (
  id INTEGER NOT NULL PRIMARY KEY,
  attempt INTEGER REFERENCES attempts (id),
  life INTEGER NOT NULL REFERENCES lives (id),
  time_ns INTEGER NOT NULL,
  level TEXT NOT NULL,
  source TEXT NOT NULL,
  message TEXT NOT NULL
) STRICT;
INSERT INTO events VALUES(1,2,1,9,'warning','s','m');
CREATE TABLE captures (
  id INTEGER NOT NULL PRIMARY KEY,
  attempt INTEGER REFERENCES attempts (id),
  life INTEGER NOT NULL REFERENCES lives (id),
  source TEXT NOT NULL,
  summary TEXT
, meter TEXT, clock TEXT) STRICT;
INSERT INTO captures VALUES(1,2,1,'poller','{"ticks":3}','{"driver":"hwmon","location":"hwmon0","name":"chip"}','{"count":0,"offset_ns":0,"origin_ns":0,"residual_ns":0.0,"skew":0.0,"uncertainty_ns":0.0}');
CREATE TABLE channels (
  capture INTEGER NOT NULL REFERENCES captures (id),
  ordinal INTEGER NOT NULL,
  name TEXT NOT NULL,
  unit TEXT NOT NULL,
  scale REAL NOT NULL, offset REAL NOT NULL DEFAULT 0, site TEXT NOT NULL DEFAULT '', kind TEXT, range_min REAL, range_max REAL, accuracy TEXT, wrap INTEGER, averaging_s REAL,
  PRIMARY KEY (capture, ordinal)
) STRICT, WITHOUT ROWID;
INSERT INTO channels VALUES(1,0,'temp','degC',0.0010000000000000000208,0.0,'die','temperature',-40.0,125.0,'{"gain":0.0,"offset":2.0,"source":"data sheet"}',NULL,0.25);
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
  data BLOB NOT NULL, ordinal INTEGER,
  FOREIGN KEY (capture, channel) REFERENCES channels (capture, ordinal)
) STRICT;
INSERT INTO blocks VALUES(1,1,0,10,31,3,39000,39833.333333333335757,40500,X'01e803dc0500001caf5873c58cd527',0);
CREATE TABLE bench_files (
  id INTEGER NOT NULL PRIMARY KEY,
  path TEXT NOT NULL
) STRICT;
INSERT INTO bench_files VALUES(1,'/lab/bench.yaml');
INSERT INTO bench_files VALUES(2,'/lab/bench.d/more.yaml');
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
INSERT INTO capture_events VALUES(1,1,'repeats',0,10,20,1,'same conversion');
CREATE TABLE groups (
  block INTEGER NOT NULL PRIMARY KEY REFERENCES blocks (id),
  data BLOB NOT NULL
) STRICT;
INSERT INTO "groups" VALUES(1,X'0100030a150000b0e104dc0b00000000c02cfd40000000008ca0294115507c41786b18f52a');
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
CREATE INDEX metric_types_by_name ON metric_types (name, classifiers);
CREATE INDEX artifacts_by_attempt ON artifacts (attempt);
CREATE INDEX events_by_attempt ON events (attempt);
CREATE INDEX captures_by_attempt ON captures (attempt);
CREATE VIEW job_states AS
  SELECT j.position AS job, s.id AS id, s.label AS label, s.workload AS workload,
    j.iteration AS iteration, j.verdict AS verdict, j.reason AS reason,
    (SELECT count(*) FROM attempts WHERE job = j.position) AS attempts
  FROM jobs j JOIN specs s ON s.position = j.spec;
CREATE INDEX capture_events_by_capture ON capture_events (capture, from_ns);
CREATE UNIQUE INDEX blocks_by_ordinal ON blocks (capture, channel, ordinal);
CREATE INDEX blocks_by_time ON blocks (capture, channel, last_ns);
CREATE VIEW block_summaries AS
  SELECT p.attempt AS attempt, p.source AS source, c.name AS channel, c.unit AS unit,
    b.first_ns AS first_ns, b.last_ns AS last_ns, b.count AS count,
    min(b.min_code * c.scale, b.max_code * c.scale) + c.offset AS min,
    b.mean_code * c.scale + c.offset AS mean,
    max(b.min_code * c.scale, b.max_code * c.scale) + c.offset AS max
  FROM blocks b
  JOIN channels c ON c.capture = b.capture AND c.ordinal = b.channel
  JOIN captures p ON p.id = b.capture;
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
COMMIT;
