PRAGMA application_id = 1265399394;
PRAGMA user_version = 1;
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
INSERT INTO leases VALUES(1,'r1','/runs/x','a test','anna','labhost','m','b','pid:[4026531836]',740,1979600,1795645102720049876,19798833381066);
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
INSERT INTO reservations VALUES(4,'anna','labhost','mine',1795645102721773818,1795648702721773818,'b',23398835104998);
CREATE TABLE health (
  resource INTEGER NOT NULL PRIMARY KEY REFERENCES resources (id),
  condition TEXT NOT NULL,
  reason TEXT NOT NULL,
  evidence TEXT NOT NULL,
  user TEXT NOT NULL,
  host TEXT NOT NULL,
  since_wall_ns INTEGER NOT NULL
) STRICT;
INSERT INTO health VALUES(4,'quarantined','sick','none','anna','labhost',1795645102722909994);
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
INSERT INTO events VALUES(1,1795645102720363834,'b',19798833694994,'anna','labhost',740,1,'r1','acquire','a test');
INSERT INTO events VALUES(2,1795645102720559817,'b',19798833890997,'anna','labhost',740,3,'r1','acquire','a test');
INSERT INTO events VALUES(3,1795645102722174837,'b',19798835505997,'anna','labhost',740,4,'','reserve','until 2026-11-25T23:18:22.721Z: mine');
INSERT INTO events VALUES(4,1795645102722974310,'b',19798836305490,'anna','labhost',740,4,'','quarantine','sick (none)');
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('leases',1);
CREATE INDEX holdings_by_lease ON holdings (lease);
CREATE INDEX events_by_resource ON events (resource);
COMMIT;
