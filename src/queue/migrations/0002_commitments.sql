-- Storage commitment (PS3.4 Annex J): what peers asked and have not been told yet. The request is the sender's own UIDs.
CREATE TABLE commitment (
  peer TEXT NOT NULL,
  transaction_uid TEXT NOT NULL,
  request TEXT NOT NULL,
  asked_at_ms INTEGER NOT NULL,
  outcome TEXT,
  PRIMARY KEY (peer, transaction_uid)
) STRICT, WITHOUT ROWID;
CREATE INDEX commitment_owed ON commitment (asked_at_ms) WHERE outcome IS NULL;
