-- The input of most benches: flat, quick to make, with every kind of row the job must tell apart. $rows, $people, $file are filled in.
-- Each person does 14 acts. One in fifty does all of them on one day by metro, so that the cap of 12 rides holds; everybody else does at
-- most two a day, hours apart. An act lasts 8 to 50 minutes and is reported by one, two or three sources whose clocks differ by at most a
-- minute: reports of one act all overlap each other and nothing else, so "best of the cluster" in SQL equals the keep-one rule.
-- One report in a hundred is delivered twice; one in 250 is broken in one of four ways.
COPY (
  WITH act AS (
    SELECT p, k, (hash(p, k) >> 1)::BIGINT AS h, p % 50 = 0 AS busy FROM range($people) people(p), range(14) acts(k)
  ), timed AS (
    SELECT p, k, h,
      CASE WHEN busy OR h % 100 < 55 THEN 'metro-ride' WHEN h % 100 < 71 THEN 'nev-ride' WHEN h % 100 < 81 THEN 'bike-ride'
           WHEN h % 100 < 90 THEN 'ev-charge' ELSE 'bus-ride' END AS activity,
      CASE WHEN busy THEN (p // 50) % 28 ELSE (k // 2) * 4 + p % 4 END AS day,
      CASE WHEN busy THEN 18000 + k * 4200 + (h >> 8) % 900
           WHEN k % 2 = 0 THEN 18000 + (h >> 8) % 21600 ELSE 46800 + (h >> 8) % 28800 END AS second,
      480 + (h >> 24) % 2520 AS seconds,
      CASE WHEN (h >> 40) % 10 < 6 THEN 1 WHEN (h >> 40) % 10 < 9 THEN 2 ELSE 3 END AS reports
    FROM act
  ), report AS (
    SELECT *, (p * 14 + k) * 4 + r AS n, (hash(p, k, r) >> 1)::BIGINT AS g,
      CASE activity WHEN 'metro-ride' THEN ['metro-gate', 'alipay', 'map-app'] WHEN 'nev-ride' THEN ['car-maker', 'map-app', 'alipay']
                    WHEN 'bike-ride' THEN ['bike-operator', 'alipay', 'map-app'] WHEN 'ev-charge' THEN ['charger', 'car-maker', 'alipay']
                    ELSE ['bus-code', 'alipay', 'map-app'] END[r + 1] AS source
    FROM timed, range(3) views(r) WHERE r < reports
  ), seen AS (
    SELECT n, g, p, day, activity, source,
      epoch_ms(1740758400000 + 1000 * (day * 86400 + second + CASE WHEN r = 0 THEN 0 ELSE g % 121 - 60 END)) AS began,
      epoch_ms(1740758400000 + 1000 * (day * 86400 + second + seconds + CASE WHEN r = 0 THEN 0 ELSE (g >> 8) % 121 - 60 END)) AS ended,
      CASE activity WHEN 'metro-ride' THEN seconds * 33 // 4 WHEN 'nev-ride' THEN seconds * 9 WHEN 'bike-ride' THEN seconds * 3
                    WHEN 'ev-charge' THEN seconds * 11 ELSE 1 END
        + CASE WHEN r = 0 OR activity = 'bus-ride' THEN 0 ELSE (g >> 16) % 50 END AS quantity,
      CASE WHEN source = 'map-app' THEN 'inferred' ELSE 'metered' END AS evidence,
      (g >> 32) % 1000 AS luck, 1 + ((g >> 48) % 100 = 0)::INT AS deliveries
    FROM report
  )
  SELECT printf('%010x', n * 7919731 % 1099511627776) AS event_id, source,
    CASE WHEN luck = 0 THEN NULL ELSE printf('u%010x', p * 5915587277 % 1099511627776) END AS person, activity, 420100 AS region,
    strftime((CASE WHEN luck = 1 THEN epoch_ms(315964800000) WHEN luck = 2 THEN ended ELSE began END) + INTERVAL 8 HOUR, '%Y-%m-%dT%H:%M:%S+08:00') AS start,
    strftime((CASE WHEN luck = 1 THEN epoch_ms(315965400000) WHEN luck = 2 THEN began ELSE ended END) + INTERVAL 8 HOUR, '%Y-%m-%dT%H:%M:%S+08:00') AS "end",
    CASE WHEN luck = 3 THEN 'n/a' ELSE quantity::VARCHAR END AS quantity, evidence
  FROM seen, range(2) copies(c) WHERE c < deliveries
  ORDER BY day, hash(n, c) LIMIT $rows
) TO '$file' (HEADER, DELIMITER ',');
