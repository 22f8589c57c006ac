-- The same job in PostgreSQL's SQL, run by psql with the input on its standard input; accounting.py puts in how COPY reads it.
-- As on DuckDB's side every open choice was made in favour of SQL: 64-bit hashes for people and events, a journal that is not sorted or
-- hashed and has no index, reasons of refusal not kept, caps looked at only where a day is over one. Steps between are unlogged; journal and
-- balances are ordinary, durable tables. In one transaction with their creation PostgreSQL need not write them to its log twice.
\set ON_ERROR_STOP on
\set QUIET on

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
ANALYZE method;
ANALYZE origin;

CREATE UNLOGGED TABLE delivered (event_id text, source text, person text, activity text, region text, start timestamptz, "end" timestamptz,
                                 quantity text, evidence text);
$load
ANALYZE delivered;

CREATE UNLOGGED TABLE record AS  -- plausible rows; one event of a source is one record
SELECT hashtextextended(event_id, source_no) AS event, min(hashtextextended(person, 0)) AS person, min(start_ms) AS start_ms,
       min(end_ms - start_ms)::int AS duration, min(amount)::int AS quantity, min(source_no)::smallint AS source,
       min(CASE evidence WHEN 'metered' THEN 0 WHEN 'inferred' THEN 100 ELSE 200 END + priority)::smallint AS rank,
       min(activity_no)::smallint AS activity, min(grp)::smallint AS grp
FROM (SELECT *, (date_part('epoch', start) * 1000)::bigint AS start_ms, (date_part('epoch', "end") * 1000)::bigint AS end_ms,
             CASE WHEN quantity ~ '^[0-9]{1,15}$$' THEN quantity::bigint END AS amount FROM delivered) r
JOIN method m ON m.name = r.activity JOIN origin o ON o.name = r.source
WHERE person IS NOT NULL AND event_id IS NOT NULL AND region = '420100'
  AND start >= '2020-01-01T00:00:00+08:00' AND start <= now() + interval '10 minutes'
  AND end_ms >= start_ms AND end_ms - start_ms BETWEEN duration_min AND duration_max AND amount BETWEEN quantity_min AND quantity_max
  AND amount * 3600000 BETWEEN speed_min::bigint * (end_ms - start_ms) AND speed_max::bigint * (end_ms - start_ms)
GROUP BY 1;
ANALYZE record;

CREATE UNLOGGED TABLE settled AS
WITH opening AS (  -- the event breaks ties, or equal starts give other results each time
  SELECT *, (start_ms >= coalesce(max(start_ms + duration) OVER (PARTITION BY person, grp ORDER BY start_ms, event
                                                                 ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), -1))::int AS opens
  FROM record
), cluster AS (
  SELECT *, sum(opens) OVER (PARTITION BY person, grp ORDER BY start_ms, event ROWS UNBOUNDED PRECEDING) AS cluster FROM opening
)
SELECT event, person, start_ms, duration, quantity, ((start_ms + 28800000) / 86400000)::int AS day, source, activity,
       row_number() OVER (PARTITION BY person, grp, cluster ORDER BY rank, start_ms, event) = 1 AS kept
FROM cluster;
ANALYZE settled;

BEGIN;
CREATE TABLE journal AS
WITH over_cap AS (
  SELECT person, activity, day FROM settled JOIN method ON activity_no = activity WHERE kept
  GROUP BY person, activity, day, cap_acts, cap_quantity HAVING count(*) > cap_acts OR sum(quantity) > cap_quantity
), counted AS (
  SELECT s.*, quantity AS counted FROM settled s
  WHERE NOT (kept AND EXISTS (SELECT FROM over_cap o WHERE s.person = o.person AND s.activity = o.activity AND s.day = o.day))
  UNION ALL
  SELECT event, person, start_ms, duration, quantity, day, source, activity, kept,
         (CASE WHEN nth > cap_acts THEN 0 ELSE greatest(least(quantity, cap_quantity - before), 0) END)::int
  FROM (SELECT s.*, cap_acts, cap_quantity, count(*) OVER of_day AS nth, sum(quantity) OVER of_day - quantity AS before
        FROM settled s JOIN over_cap o ON s.kept AND s.person = o.person AND s.activity = o.activity AND s.day = o.day
        JOIN method m ON m.activity_no = s.activity
        WINDOW of_day AS (PARTITION BY s.person, s.activity, s.day ORDER BY start_ms, event ROWS UNBOUNDED PRECEDING)) t
)
SELECT person, event, start_ms, CASE WHEN kept THEN counted::bigint * num / den ELSE 0 END AS milligrams, duration, quantity, day, activity, source,
       (CASE WHEN NOT kept THEN 1 WHEN counted = 0 THEN 2 ELSE 0 END)::smallint AS outcome  -- accepted, duplicate, capped
FROM counted JOIN method ON activity_no = activity;

CREATE TABLE balance AS  -- points by the programme's rule: 10 a kilogram and day, rounded down, at most 500 a day
SELECT person, sum(milligrams)::bigint AS milligrams, sum(least(milligrams * 10 / 1000000, 500))::bigint AS points
FROM (SELECT person, day, sum(milligrams)::bigint AS milligrams FROM journal GROUP BY person, day) of_day GROUP BY person;
COMMIT;
