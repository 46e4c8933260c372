PRAGMA application_id = 1265399394;
PRAGMA user_version = 4;
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE resources (
  id INTEGER NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  bench TEXT NOT NULL,
  identity TEXT NOT NULL,
  physical INTEGER REFERENCES resources (id),
  UNIQUE (kind, name, bench, identity)
) STRICT;
INSERT INTO resources VALUES(1,'board','rock','/b','',2);
INSERT INTO resources VALUES(2,'board','','','usb:1',NULL);
INSERT INTO resources VALUES(3,'meter','ppk2-a','/lab/bench.yaml','',NULL);
INSERT INTO resources VALUES(4,'board','pi','/lab/bench.yaml','',NULL);
CREATE TABLE leases (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  run TEXT NOT NULL,
  directory TEXT NOT NULL,
  purpose TEXT NOT NULL,
  user TEXT NOT NULL,
  host TEXT NOT NULL,
  machine_id TEXT NOT NULL,
  boot_id TEXT NOT NULL,
  process_namespace TEXT NOT NULL,
  process_id INTEGER NOT NULL,
  start_ticks INTEGER NOT NULL,
  taken_wall_ns INTEGER NOT NULL,
  taken_boottime_ns INTEGER NOT NULL
) STRICT;
INSERT INTO leases VALUES(1,'r1','/runs/x','a test','anna','labhost','m','b','pid:[4026531836]',12829,711667,1795721246855404217,7117050476056);
CREATE TABLE holdings (
  resource INTEGER NOT NULL PRIMARY KEY REFERENCES resources (id),
  lease INTEGER NOT NULL REFERENCES leases (id) ON DELETE CASCADE,
  recovering INTEGER NOT NULL,
  restores TEXT,
  external_release TEXT,
  external_granted INTEGER NOT NULL
) STRICT;
INSERT INTO holdings VALUES(1,1,0,NULL,NULL,0);
INSERT INTO holdings VALUES(2,1,0,NULL,NULL,0);
INSERT INTO holdings VALUES(3,1,0,NULL,'["true"]',1);
CREATE TABLE reservations (
  resource INTEGER NOT NULL PRIMARY KEY REFERENCES resources (id),
  user TEXT NOT NULL,
  host TEXT NOT NULL,
  reason TEXT NOT NULL,
  made_wall_ns INTEGER NOT NULL,
  expires_wall_ns INTEGER NOT NULL,
  boot_id TEXT NOT NULL,
  expires_boottime_ns INTEGER NOT NULL
) STRICT;
INSERT INTO reservations VALUES(4,'anna','labhost','mine',1795721246862636423,1795724846862636423,'b',10717057708226);
CREATE TABLE health (
  resource INTEGER NOT NULL PRIMARY KEY REFERENCES resources (id),
  condition TEXT NOT NULL,
  reason TEXT NOT NULL,
  evidence TEXT NOT NULL,
  user TEXT NOT NULL,
  host TEXT NOT NULL,
  since_wall_ns INTEGER NOT NULL
) STRICT;
INSERT INTO health VALUES(4,'quarantined','sick','none','anna','labhost',1795721246868146276);
CREATE TABLE original_values (
  resource INTEGER NOT NULL REFERENCES resources (id),
  setting TEXT NOT NULL,
  value TEXT NOT NULL,
  run TEXT NOT NULL,
  board_boot_id TEXT NOT NULL,
  saved_wall_ns INTEGER NOT NULL,
  PRIMARY KEY (resource, setting)
) STRICT, WITHOUT ROWID;
CREATE TABLE events (
  id INTEGER NOT NULL PRIMARY KEY,
  wall_ns INTEGER NOT NULL,
  boot_id TEXT NOT NULL,
  boottime_ns INTEGER NOT NULL,
  user TEXT NOT NULL,
  host TEXT NOT NULL,
  process_id INTEGER NOT NULL,
  resource INTEGER NOT NULL REFERENCES resources (id),
  run TEXT NOT NULL,
  action TEXT NOT NULL,
  detail TEXT NOT NULL
) STRICT;
INSERT INTO events VALUES(1,1795721246857697920,'b',7117052769749,'anna','labhost',12829,1,'r1','acquire','a test');
INSERT INTO events VALUES(2,1795721246859392317,'b',7117054464171,'anna','labhost',12829,3,'r1','acquire','a test');
INSERT INTO events VALUES(3,1795721246865189254,'b',7117060261057,'anna','labhost',12829,4,'','reserve','until 2026-11-26T20:27:26.862Z: mine');
INSERT INTO events VALUES(4,1795721246868389465,'b',7117063461305,'anna','labhost',12829,4,'','quarantine','sick (none)');
INSERT INTO events VALUES(5,1795721246870402510,'b',7117065474329,'anna','labhost',12829,1,'r1','outage','bench check --switch');
INSERT INTO events VALUES(6,1795721246878443611,'b',7117073515427,'anna','labhost',12829,1,'r1','deploy','kexec: {"kernel":"aa"}');
CREATE TABLE outages (
  resource INTEGER NOT NULL PRIMARY KEY REFERENCES resources (id),
  lease INTEGER NOT NULL,
  user TEXT NOT NULL,
  host TEXT NOT NULL,
  process_id INTEGER NOT NULL,
  reason TEXT NOT NULL,
  since_wall_ns INTEGER NOT NULL
) STRICT;
INSERT INTO outages VALUES(1,1,'anna','labhost',12829,'bench check --switch',1795721246870125544);
INSERT INTO outages VALUES(2,1,'anna','labhost',12829,'bench check --switch',1795721246870125544);
CREATE TABLE board_jobs (
  id INTEGER NOT NULL PRIMARY KEY,
  resource INTEGER NOT NULL REFERENCES resources (id),
  run TEXT NOT NULL,
  job INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  verdict TEXT NOT NULL,
  reason TEXT NOT NULL,
  could_run INTEGER NOT NULL,
  seconds REAL NOT NULL,
  ended_wall_ns INTEGER NOT NULL
) STRICT;
INSERT INTO board_jobs VALUES(1,2,'r1',0,1,'failed: target','hung',1,1.5,1795721246871043519);
INSERT INTO board_jobs VALUES(2,2,'r1',0,2,'ok','',1,0.5,1795721246871046142);
CREATE TABLE recoveries (
  id INTEGER NOT NULL PRIMARY KEY,
  resource INTEGER NOT NULL REFERENCES resources (id),
  run TEXT NOT NULL,
  finding TEXT NOT NULL,
  steps TEXT NOT NULL,
  outcome TEXT NOT NULL,
  seconds REAL NOT NULL,
  ended_wall_ns INTEGER NOT NULL
) STRICT;
INSERT INTO recoveries VALUES(1,2,'r1','hung','[{"problem":"silent","rung":"reconnect","seconds":10.0},{"problem":null,"rung":"reset","seconds":2.0}]','reset',12.0,1795721246871053581);
CREATE TABLE board_totals (
  resource INTEGER NOT NULL PRIMARY KEY REFERENCES resources (id),
  since_wall_ns INTEGER NOT NULL,
  trusted_after INTEGER NOT NULL,
  jobs INTEGER NOT NULL,
  flaky_jobs INTEGER NOT NULL
) STRICT;
INSERT INTO board_totals VALUES(2,1795721246871043519,0,1,1);
CREATE TABLE attempt_totals (
  resource INTEGER NOT NULL REFERENCES resources (id),
  verdict TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  PRIMARY KEY (resource, verdict)
) STRICT, WITHOUT ROWID;
INSERT INTO attempt_totals VALUES(2,'failed: target',1);
INSERT INTO attempt_totals VALUES(2,'ok',1);
CREATE TABLE recovery_totals (
  resource INTEGER NOT NULL REFERENCES resources (id),
  outcome TEXT NOT NULL,
  recoveries INTEGER NOT NULL,
  seconds REAL NOT NULL,
  shortest REAL NOT NULL,
  longest REAL NOT NULL,
  PRIMARY KEY (resource, outcome)
) STRICT, WITHOUT ROWID;
INSERT INTO recovery_totals VALUES(2,'reset',1,12.0,12.0,12.0);
CREATE TABLE health_checks (
  id INTEGER NOT NULL PRIMARY KEY,
  resource INTEGER NOT NULL REFERENCES resources (id),
  run TEXT NOT NULL,
  workload TEXT NOT NULL,
  cause TEXT NOT NULL,
  problem TEXT,
  seconds REAL NOT NULL,
  ended_wall_ns INTEGER NOT NULL
) STRICT;
INSERT INTO health_checks VALUES(1,2,'r1','probe','after reset',NULL,0.5,1795721246871057987);
CREATE TABLE check_totals (
  resource INTEGER NOT NULL PRIMARY KEY REFERENCES resources (id),
  passed INTEGER NOT NULL,
  failed INTEGER NOT NULL
) STRICT;
INSERT INTO check_totals VALUES(2,1,0);
CREATE TABLE deployments (
  resource INTEGER NOT NULL PRIMARY KEY REFERENCES resources (id),
  way TEXT NOT NULL,
  image TEXT NOT NULL,
  build_id TEXT NOT NULL,
  board_boot_id TEXT NOT NULL,
  run TEXT NOT NULL,
  deployed_wall_ns INTEGER NOT NULL
) STRICT;
INSERT INTO deployments VALUES(1,'kexec','{"kernel":"aa"}','bb','cc','r1',1795721246878261381);
INSERT INTO deployments VALUES(2,'kexec','{"kernel":"aa"}','bb','cc','r1',1795721246878261381);
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('leases',1);
CREATE INDEX holdings_by_lease ON holdings (lease);
CREATE INDEX events_by_resource ON events (resource);
CREATE INDEX board_jobs_by_resource ON board_jobs (resource);
CREATE INDEX recoveries_by_resource ON recoveries (resource);
CREATE INDEX health_checks_by_resource ON health_checks (resource);
COMMIT;
