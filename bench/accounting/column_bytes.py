"""Bytes of every column over Parquet files, as their footers tell, largest first: one JSON object."""
import collections
import json
import sys

import pyarrow.parquet

total = collections.Counter()
for path in sys.argv[1:]:
    metadata = pyarrow.parquet.read_metadata(path)
    for group in range(metadata.num_row_groups):
        for number in range(metadata.num_columns):
            column = metadata.row_group(group).column(number)
            total[column.path_in_schema] += column.total_compressed_size
print(json.dumps(dict(total.most_common())))
