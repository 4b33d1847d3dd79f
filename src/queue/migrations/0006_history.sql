-- What is settled does not stay for ever: after a while its rows go, the ledger keeps their numbers, and the audit moves to
-- files (audit/archive.ts). One row says how much went and where the chain in the table begins.
CREATE TABLE history (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  -- Instances whose rows went; the counters of states go on counting them.
  pruned INTEGER NOT NULL,
  -- Number and hash of the last audit entry that is in the archive; 0 at first.
  archived INTEGER NOT NULL,
  archived_hash TEXT NOT NULL
) STRICT;
INSERT INTO history VALUES (1, 0, 0, '0000000000000000000000000000000000000000000000000000000000000000');

-- The rows that may go: settled, bytes erased.
CREATE INDEX instance_history ON instance (settled_at_ms) WHERE settled_at_ms IS NOT NULL AND location IS NULL AND prepared_location IS NULL;

-- Studies that are too old for a line of their own, added up. A table of its own, because no name that a study might
-- have may be taken for it.
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

-- When a study was seen last. Those of before are as if seen now.
ALTER TABLE study_patient ADD COLUMN seen_at_ms INTEGER NOT NULL DEFAULT 0;
UPDATE study_patient SET seen_at_ms = CAST(unixepoch('subsec') * 1000 AS INTEGER);
CREATE INDEX study_patient_seen ON study_patient (seen_at_ms);

-- Still append-only: only what the archive has may leave the table, and what it has is never less.
DROP TRIGGER audit_never_shrinks;
CREATE TRIGGER audit_never_shrinks BEFORE DELETE ON audit WHEN old.sequence > (SELECT archived FROM history) BEGIN
  SELECT RAISE(ABORT, 'the audit is append-only');
END;
CREATE TRIGGER archive_never_shrinks BEFORE UPDATE OF archived ON history WHEN new.archived < old.archived BEGIN
  SELECT RAISE(ABORT, 'the audit is append-only');
END;
CREATE TRIGGER history_stays BEFORE DELETE ON history BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
