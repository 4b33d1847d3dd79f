-- Destinations may have profiles and formats of their own: 0 where nothing could be prepared for this one although it could
-- for others. Such a delivery is held from the start, and releasing it has the instance processed anew.
ALTER TABLE delivery ADD COLUMN prepared INTEGER NOT NULL DEFAULT 1;
