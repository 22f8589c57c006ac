-- The same job in DuckDB's SQL, in the quickest form we found; accounting.py puts in how the file is read. The database is a fresh file, so journal and balances are durable.
-- Where a choice was open it was made in favour of SQL: people and events become 64-bit hashes at once (ours: 128 and 64 bits), the journal
-- is not sorted, rejected rows are not counted by reason, and caps are looked at only where a day is over one.

-- What the methodologies of methodologies/420100 and the programme wuhan-demo say, in whole numbers: milligrams = quantity * num // den;
-- m, Wh, ms and metres per hour.
CREATE TEMP TABLE method AS SELECT * FROM (VALUES
  ('metro-ride', 0, 0, 784, 10, 500, 120000, 60000, 14400000, 3000, 120000, 12, 1000000000),
  ('bike-ride', 1, 0, 437000, 8450, 100, 60000, 60000, 43200000, 4000, 45000, 1000000, 60000),
  ('bus-ride', 2, 0, 105000, 1, 1, 2, 0, 14400000, 0, 1000000000, 1000000, 12),
  ('nev-ride', 3, 1, 210, 1, 500, 1000000, 60000, 86400000, 0, 150000, 1000000, 1000000),
  ('ev-charge', 4, 1, 4094, 10, 100, 150000, 60000, 259200000, 0, 1000000000, 4, 1000000000)
) AS t(name, activity_no, grp, num, den, quantity_min, quantity_max, duration_min, duration_max, speed_min, speed_max, cap_acts, cap_quantity);
CREATE TEMP TABLE origin AS SELECT * FROM (VALUES
  ('metro-gate', 0, 10), ('bike-operator', 1, 10), ('charger', 2, 10), ('bus-code', 3, 20), ('car-maker', 4, 30), ('alipay', 5, 40), ('map-app', 6, 60)
) AS t(name, source_no, priority);

CREATE TEMP TABLE settled AS
WITH plausible AS (  -- a quantity that is not a number arrives as null, or its row not at all
  SELECT hash(person) AS person, hash(source, event_id) AS event, source_no::UTINYINT AS source,
         (CASE evidence WHEN 'metered' THEN 0 WHEN 'inferred' THEN 100 ELSE 200 END + priority)::UTINYINT AS rank,
         activity_no::UTINYINT AS activity, grp::UTINYINT AS grp, start_ms, end_ms - start_ms AS duration, quantity
  FROM (SELECT * EXCLUDE (start, "end"), epoch_ms(start) AS start_ms, epoch_ms("end") AS end_ms
        FROM $source) r
  JOIN method m ON m.name = r.activity JOIN origin o ON o.name = r.source
  WHERE person IS NOT NULL AND event_id IS NOT NULL AND region = '420100'
    AND start_ms >= epoch_ms(DATE '2020-01-01') - 28800000 AND start_ms <= epoch_ms(now()) + 600000
    AND end_ms >= start_ms AND end_ms - start_ms BETWEEN duration_min AND duration_max AND quantity BETWEEN quantity_min AND quantity_max
    AND quantity * 3600000 BETWEEN speed_min * (end_ms - start_ms) AND speed_max * (end_ms - start_ms)
), record AS (  -- one event of a source is one record
  SELECT event, any_value(person) AS person, any_value(source) AS source, any_value(rank) AS rank, any_value(activity) AS activity,
         any_value(grp) AS grp, any_value(start_ms) AS start_ms, any_value(duration)::INT AS duration, any_value(quantity)::INT AS quantity
  FROM plausible GROUP BY event
), cluster AS (  -- reports of a person and group whose times overlap. All reports of one act overlap each other here (city.sql);
                 -- without that the keep-one rule would need a loop. The event breaks ties, or equal starts give other results each time.
  SELECT *, sum(opens) OVER (PARTITION BY person, grp ORDER BY start_ms, event ROWS UNBOUNDED PRECEDING) AS cluster
  FROM (SELECT *, (start_ms >= coalesce(max(start_ms + duration) OVER (PARTITION BY person, grp ORDER BY start_ms, event
                                                                       ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), -1))::INT AS opens
        FROM record)
)
SELECT * EXCLUDE (opens, cluster, rank), ((start_ms + 28800000) // 86400000)::INT AS day,
       row_number() OVER (PARTITION BY person, grp, cluster ORDER BY rank, start_ms, event) = 1 AS kept
FROM cluster;

-- The day's limits per person, activity and local day, in order of start; then the formula, rounded down.
CREATE TABLE journal AS
WITH over_cap AS (
  SELECT person, activity, day FROM settled JOIN method ON activity_no = activity WHERE kept
  GROUP BY person, activity, day, cap_acts, cap_quantity HAVING count(*) > cap_acts OR sum(quantity) > cap_quantity
), counted AS (
  SELECT s.*, quantity AS counted
  FROM settled s ANTI JOIN over_cap o ON s.kept AND s.person = o.person AND s.activity = o.activity AND s.day = o.day
  UNION ALL
  SELECT * EXCLUDE (nth, before, cap_acts, cap_quantity), CASE WHEN nth > cap_acts THEN 0 ELSE greatest(least(quantity, cap_quantity - before), 0) END
  FROM (SELECT s.*, cap_acts, cap_quantity, count(*) OVER of_day AS nth, sum(quantity) OVER of_day - quantity AS before
        FROM settled s SEMI JOIN over_cap o ON s.kept AND s.person = o.person AND s.activity = o.activity AND s.day = o.day
        JOIN method m ON m.activity_no = s.activity
        WINDOW of_day AS (PARTITION BY s.person, s.activity, s.day ORDER BY start_ms, event ROWS UNBOUNDED PRECEDING))
)
SELECT person, start_ms, duration, activity, source, event, quantity, day,
       CASE WHEN NOT kept THEN 'duplicate' WHEN counted = 0 THEN 'capped' ELSE 'accepted' END::ENUM ('accepted', 'duplicate', 'capped') AS outcome,
       CASE WHEN kept THEN counted * num // den ELSE 0 END AS milligrams
FROM counted JOIN method ON activity_no = activity;

-- Balances: milligrams, and points by the programme's rule, 10 a kilogram and day, rounded down, at most 500 a day.
CREATE TABLE balance AS
SELECT person, sum(milligrams)::BIGINT AS milligrams, sum(least(milligrams * 10 // 1000000, 500))::BIGINT AS points
FROM (SELECT person, day, sum(milligrams)::BIGINT AS milligrams FROM journal GROUP BY person, day) GROUP BY person;

CHECKPOINT;
