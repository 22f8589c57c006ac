-- 0007_correction.sql: which versions of methodologies were put right for days that were accounted already.
-- Why: a record that a corrected version leaves at the same amount gets no row of its own, yet whatever is decided about it later (a late
-- report, a reversal, a cap that shifts) must be decided by that version too, in whatever order things come.
CREATE TABLE correction (
  run         BIGINT NOT NULL REFERENCES run (id),  -- the recalculation
  programme   TEXT   NOT NULL,
  methodology TEXT   NOT NULL,                           -- its id
  version     BIGINT NOT NULL CHECK (version > 0),      -- records of lower versions count by this one where it is in force
  first_day   TEXT   NOT NULL CHECK (length(first_day) = 10),
  last_day    TEXT   NOT NULL CHECK (length(last_day) = 10 AND last_day >= first_day),
  PRIMARY KEY (programme, methodology, version, run)
) STRICT;
