-- The rows of the CSV as NDJSON: quantities are numbers, but for those that are not.
COPY (
  SELECT * REPLACE (CASE WHEN quantity = 'n/a' THEN '"n/a"' ELSE quantity END::JSON AS quantity)
  FROM read_csv('$csv', header = true, auto_detect = false, delim = ',', quote = '"', columns = {'event_id': 'VARCHAR', 'source': 'VARCHAR', 'person': 'VARCHAR', 'activity': 'VARCHAR', 'region': 'VARCHAR',
                                                              'start': 'VARCHAR', 'end': 'VARCHAR', 'quantity': 'VARCHAR', 'evidence': 'VARCHAR'})
) TO '$file' (FORMAT json);
