PRAGMA application_id = 1265399394;
PRAGMA user_version = 2;
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
INSERT INTO leases VALUES(1,'r1','/runs/x','a test','anna','labhost','m','b','pid:[4026531836]',19982,3691604,1795662233778597064,36929891928264);
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
INSERT INTO reservations VALUES(4,'anna','labhost','mine',1795662233794896768,1795665833794896768,'b',40529908227958);
CREATE TABLE health (
  resource INTEGER NOT NULL PRIMARY KEY REFERENCES resources (id),
  condition TEXT NOT NULL,
  reason TEXT NOT NULL,
  evidence TEXT NOT NULL,
  user TEXT NOT NULL,
  host TEXT NOT NULL,
  since_wall_ns INTEGER NOT NULL
) STRICT;
INSERT INTO health VALUES(4,'quarantined','sick','none','anna','labhost',1795662233800020333);
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
INSERT INTO events VALUES(1,1795662233781873443,'b',36929895204653,'anna','labhost',19982,1,'r1','acquire','a test');
INSERT INTO events VALUES(2,1795662233782398928,'b',36929895730328,'anna','labhost',19982,3,'r1','acquire','a test');
INSERT INTO events VALUES(3,1795662233795765554,'b',36929909096744,'anna','labhost',19982,4,'','reserve','until 2026-11-26T04:03:53.794Z: mine');
INSERT INTO events VALUES(4,1795662233800102756,'b',36929913433936,'anna','labhost',19982,4,'','quarantine','sick (none)');
INSERT INTO events VALUES(5,1795662233802222289,'b',36929915553479,'anna','labhost',19982,1,'r1','outage','bench check --switch');
CREATE TABLE outages (
  resource INTEGER NOT NULL PRIMARY KEY REFERENCES resources (id),
  lease INTEGER NOT NULL,
  user TEXT NOT NULL,
  host TEXT NOT NULL,
  process_id INTEGER NOT NULL,
  reason TEXT NOT NULL,
  since_wall_ns INTEGER NOT NULL
) STRICT;
INSERT INTO outages VALUES(1,1,'anna','labhost',19982,'bench check --switch',1795662233802133156);
INSERT INTO outages VALUES(2,1,'anna','labhost',19982,'bench check --switch',1795662233802133156);
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('leases',1);
CREATE INDEX holdings_by_lease ON holdings (lease);
CREATE INDEX events_by_resource ON events (resource);
COMMIT;
