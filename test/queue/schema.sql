CREATE INDEX audit_instance ON audit (instance) WHERE instance <> '';

CREATE INDEX commitment_owed ON commitment (asked_at_ms) WHERE outcome IS NULL;

CREATE INDEX delivery_age ON delivery (destination, created_at_ms) WHERE state IN ('queued', 'deferred');

CREATE INDEX delivery_busy ON delivery (state, destination) WHERE state IN ('claimed', 'inflight', 'held', 'rejected');

CREATE INDEX delivery_due ON delivery (destination, urgent DESC, due_at_ms, id) WHERE state IN ('queued', 'deferred');

CREATE INDEX delivery_series ON delivery (destination, series_key, id) WHERE state IN ('queued', 'deferred');

CREATE INDEX delivery_study ON delivery (destination, study_key, id) WHERE state IN ('queued', 'deferred');

CREATE UNIQUE INDEX instance_content ON instance (customer, sop_instance_uid, digest);

CREATE INDEX instance_discarded ON instance (id) WHERE state = 'discarded';

CREATE INDEX instance_erase_prepared ON instance (settled_at_ms) WHERE settled_at_ms IS NOT NULL AND prepared_location IS NOT NULL;

CREATE INDEX instance_erase_received ON instance (settled_at_ms) WHERE settled_at_ms IS NOT NULL AND location IS NOT NULL;

CREATE INDEX instance_history ON instance (settled_at_ms) WHERE settled_at_ms IS NOT NULL AND location IS NULL AND prepared_location IS NULL;

CREATE INDEX instance_to_process ON instance (urgent DESC, id) WHERE state = 'received';

CREATE INDEX instance_unsettled ON instance (state, id) WHERE settled_at_ms IS NULL;

CREATE INDEX ledger_newest ON ledger (newest);

CREATE INDEX ledger_of_customer ON ledger (customer, newest);

CREATE INDEX study_patient_seen ON study_patient (seen_at_ms);

CREATE TABLE audit (
  sequence INTEGER PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  event TEXT NOT NULL,
  instance TEXT NOT NULL,
  detail TEXT NOT NULL,
  hash TEXT NOT NULL
) STRICT;

CREATE TABLE commitment (
  peer TEXT NOT NULL,
  transaction_uid TEXT NOT NULL,
  request TEXT NOT NULL,
  asked_at_ms INTEGER NOT NULL,
  outcome TEXT,
  PRIMARY KEY (peer, transaction_uid)
) STRICT, WITHOUT ROWID;

CREATE TABLE delivery (
  id INTEGER PRIMARY KEY,
  instance TEXT NOT NULL REFERENCES instance (id),
  destination TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('queued', 'claimed', 'inflight', 'delivered', 'deferred', 'rejected', 'held')),
  attempts INTEGER NOT NULL DEFAULT 0,
  created_at_ms INTEGER NOT NULL,
  due_at_ms INTEGER NOT NULL,
  urgent INTEGER NOT NULL,
  study_key TEXT NOT NULL,
  series_key TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  reason TEXT,
  reason_detail TEXT,
  receipt TEXT, prepared INTEGER NOT NULL DEFAULT 1,
  UNIQUE (instance, destination)
) STRICT;

CREATE TABLE delivery_count (destination TEXT, state TEXT, number INTEGER NOT NULL, PRIMARY KEY (destination, state)) STRICT, WITHOUT ROWID;

CREATE TABLE history (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  -- Instances whose rows went; the counters of states go on counting them.
  pruned INTEGER NOT NULL,
  -- Number and hash of the last audit entry that is in the archive; 0 at first.
  archived INTEGER NOT NULL,
  archived_hash TEXT NOT NULL
) STRICT;

CREATE TABLE instance (
  id TEXT PRIMARY KEY,
  customer TEXT NOT NULL,
  source_kind TEXT NOT NULL,
  source_name TEXT NOT NULL,
  sop_class_uid TEXT NOT NULL,
  sop_instance_uid TEXT NOT NULL,
  study_instance_uid TEXT,
  transfer_syntax_uid TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  digest TEXT NOT NULL,
  received_at_ms INTEGER NOT NULL,
  urgent INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('received', 'prepared', 'held', 'discarded')),
  reason TEXT,
  reason_detail TEXT,
  location TEXT,
  prepared_location TEXT,
  manifest TEXT,
  study_key TEXT,
  series_key TEXT,
  prepared_bytes INTEGER,
  -- When nothing was owed any more; NULL while something is.
  settled_at_ms INTEGER
, profile TEXT, held_deliveries INTEGER NOT NULL DEFAULT 0, fate TEXT GENERATED ALWAYS AS (CASE
  WHEN state = 'discarded' THEN 'discarded'
  WHEN state = 'held' OR held_deliveries > 0 THEN 'held'
  WHEN settled_at_ms IS NOT NULL THEN 'delivered'
  ELSE 'way' END) VIRTUAL) STRICT, WITHOUT ROWID;

CREATE TABLE instance_count (state TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE ledger (
  customer TEXT NOT NULL,
  source_name TEXT NOT NULL,
  -- The sender's Study Instance UID; empty where it could not be read.
  study_instance_uid TEXT NOT NULL,
  received INTEGER NOT NULL DEFAULT 0,
  delivered INTEGER NOT NULL DEFAULT 0,
  held INTEGER NOT NULL DEFAULT 0,
  discarded INTEGER NOT NULL DEFAULT 0,
  way INTEGER NOT NULL DEFAULT 0,
  -- Id of the newest instance.
  newest TEXT NOT NULL,
  PRIMARY KEY (customer, source_name, study_instance_uid),
  CHECK (received = delivered + held + discarded + way)
) STRICT, WITHOUT ROWID;

CREATE TABLE ledger_earlier (
  customer TEXT NOT NULL,
  source_name TEXT NOT NULL,
  studies INTEGER NOT NULL,
  received INTEGER NOT NULL,
  delivered INTEGER NOT NULL,
  discarded INTEGER NOT NULL,
  PRIMARY KEY (customer, source_name),
  CHECK (received = delivered + discarded)
) STRICT, WITHOUT ROWID;

CREATE TABLE study_patient (
  customer TEXT NOT NULL,
  study_key TEXT NOT NULL,
  patient_key TEXT NOT NULL, seen_at_ms INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (customer, study_key)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER archive_never_shrinks BEFORE UPDATE OF archived ON history WHEN new.archived < old.archived BEGIN
  SELECT RAISE(ABORT, 'the audit is append-only');
END;

CREATE TRIGGER audit_never_changes BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;

CREATE TRIGGER audit_never_shrinks BEFORE DELETE ON audit WHEN old.sequence > (SELECT archived FROM history) BEGIN
  SELECT RAISE(ABORT, 'the audit is append-only');
END;

CREATE TRIGGER delivery_began_held AFTER INSERT ON delivery WHEN new.state IN ('held', 'rejected') BEGIN
  UPDATE instance SET held_deliveries = held_deliveries + 1 WHERE id = new.instance;
END;

CREATE TRIGGER delivery_counted AFTER INSERT ON delivery BEGIN
  INSERT INTO delivery_count VALUES (new.destination, new.state, 1) ON CONFLICT (destination, state) DO UPDATE SET number = number + 1;
END;

CREATE TRIGGER delivery_held_or_not AFTER UPDATE OF state ON delivery
WHEN (old.state IN ('held', 'rejected')) <> (new.state IN ('held', 'rejected')) BEGIN
  UPDATE instance SET held_deliveries = held_deliveries + (new.state IN ('held', 'rejected')) - (old.state IN ('held', 'rejected'))
  WHERE id = new.instance;
END;

CREATE TRIGGER delivery_moved AFTER UPDATE OF state ON delivery WHEN old.state <> new.state BEGIN
  UPDATE delivery_count SET number = number - 1 WHERE destination = old.destination AND state = old.state;
  INSERT INTO delivery_count VALUES (new.destination, new.state, 1) ON CONFLICT (destination, state) DO UPDATE SET number = number + 1;
END;

CREATE TRIGGER history_stays BEFORE DELETE ON history BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;

CREATE TRIGGER instance_counted AFTER INSERT ON instance BEGIN
  INSERT INTO instance_count VALUES (new.state, 1) ON CONFLICT (state) DO UPDATE SET number = number + 1;
END;

CREATE TRIGGER instance_moved AFTER UPDATE OF state ON instance WHEN old.state <> new.state BEGIN
  UPDATE instance_count SET number = number - 1 WHERE state = old.state;
  INSERT INTO instance_count VALUES (new.state, 1) ON CONFLICT (state) DO UPDATE SET number = number + 1;
END;

CREATE TRIGGER ledger_moved AFTER UPDATE OF state, settled_at_ms, held_deliveries ON instance WHEN old.fate <> new.fate BEGIN
  UPDATE ledger SET delivered = delivered + (new.fate = 'delivered') - (old.fate = 'delivered'),
    held = held + (new.fate = 'held') - (old.fate = 'held'),
    discarded = discarded + (new.fate = 'discarded') - (old.fate = 'discarded'),
    way = way + (new.fate = 'way') - (old.fate = 'way')
  WHERE customer = new.customer AND source_name = new.source_name AND study_instance_uid = coalesce(new.study_instance_uid, '');
END;

CREATE TRIGGER ledger_received AFTER INSERT ON instance BEGIN
  INSERT INTO ledger VALUES (new.customer, new.source_name, coalesce(new.study_instance_uid, ''), 1,
    new.fate = 'delivered', new.fate = 'held', new.fate = 'discarded', new.fate = 'way', new.id)
  ON CONFLICT (customer, source_name, study_instance_uid) DO UPDATE SET received = received + 1,
    delivered = delivered + excluded.delivered, held = held + excluded.held, discarded = discarded + excluded.discarded,
    way = way + excluded.way, newest = max(newest, excluded.newest);
END;
