-- The ledger is kept, not counted: a line a customer, source and study that triggers bring up to date in the transaction of
-- what they tell, so that it adds up at every moment and costs the same with a million rows.

ALTER TABLE instance ADD COLUMN held_deliveries INTEGER NOT NULL DEFAULT 0;
UPDATE instance SET held_deliveries =
  (SELECT count(*) FROM delivery WHERE delivery.instance = instance.id AND delivery.state IN ('held', 'rejected'));

-- The one fate of an instance.
ALTER TABLE instance ADD COLUMN fate TEXT GENERATED ALWAYS AS (CASE
  WHEN state = 'discarded' THEN 'discarded'
  WHEN state = 'held' OR held_deliveries > 0 THEN 'held'
  WHEN settled_at_ms IS NOT NULL THEN 'delivered'
  ELSE 'way' END) VIRTUAL;

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
CREATE INDEX ledger_newest ON ledger (newest);
CREATE INDEX ledger_of_customer ON ledger (customer, newest);

INSERT INTO ledger
  SELECT customer, source_name, coalesce(study_instance_uid, ''), count(*), sum(fate = 'delivered'), sum(fate = 'held'),
    sum(fate = 'discarded'), sum(fate = 'way'), max(id)
  FROM instance GROUP BY 1, 2, 3;

CREATE TRIGGER ledger_received AFTER INSERT ON instance BEGIN
  INSERT INTO ledger VALUES (new.customer, new.source_name, coalesce(new.study_instance_uid, ''), 1,
    new.fate = 'delivered', new.fate = 'held', new.fate = 'discarded', new.fate = 'way', new.id)
  ON CONFLICT (customer, source_name, study_instance_uid) DO UPDATE SET received = received + 1,
    delivered = delivered + excluded.delivered, held = held + excluded.held, discarded = discarded + excluded.discarded,
    way = way + excluded.way, newest = max(newest, excluded.newest);
END;
CREATE TRIGGER ledger_moved AFTER UPDATE OF state, settled_at_ms, held_deliveries ON instance WHEN old.fate <> new.fate BEGIN
  UPDATE ledger SET delivered = delivered + (new.fate = 'delivered') - (old.fate = 'delivered'),
    held = held + (new.fate = 'held') - (old.fate = 'held'),
    discarded = discarded + (new.fate = 'discarded') - (old.fate = 'discarded'),
    way = way + (new.fate = 'way') - (old.fate = 'way')
  WHERE customer = new.customer AND source_name = new.source_name AND study_instance_uid = coalesce(new.study_instance_uid, '');
END;
CREATE TRIGGER delivery_began_held AFTER INSERT ON delivery WHEN new.state IN ('held', 'rejected') BEGIN
  UPDATE instance SET held_deliveries = held_deliveries + 1 WHERE id = new.instance;
END;
CREATE TRIGGER delivery_held_or_not AFTER UPDATE OF state ON delivery
WHEN (old.state IN ('held', 'rejected')) <> (new.state IN ('held', 'rejected')) BEGIN
  UPDATE instance SET held_deliveries = held_deliveries + (new.state IN ('held', 'rejected')) - (old.state IN ('held', 'rejected'))
  WHERE id = new.instance;
END;

-- What a start looks through, and what lists show: bounded by what is not settled.
DROP INDEX instance_held;
DROP INDEX instance_ledger;
CREATE INDEX instance_unsettled ON instance (state, id) WHERE settled_at_ms IS NULL;
CREATE INDEX instance_discarded ON instance (id) WHERE state = 'discarded';
CREATE INDEX delivery_age ON delivery (destination, created_at_ms) WHERE state IN ('queued', 'deferred');
