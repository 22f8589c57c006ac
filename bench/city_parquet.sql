-- The rows of the CSV as Parquet, as a partner's warehouse exports them: times are instants, a quantity that is no number is null.
COPY (
  SELECT * FROM read_csv('$csv', header = true, auto_detect = false, delim = ',', quote = '"', nullstr = ['', 'n/a'],
                         columns = {'event_id': 'VARCHAR', 'source': 'VARCHAR', 'person': 'VARCHAR', 'activity': 'VARCHAR', 'region': 'VARCHAR',
                                    'start': 'TIMESTAMPTZ', 'end': 'TIMESTAMPTZ', 'quantity': 'BIGINT', 'evidence': 'VARCHAR'})
) TO '$file' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880);
