-- The de-identification profile that the called AE title picked; NULL: the site's own.
ALTER TABLE instance ADD COLUMN profile TEXT;
