"""Prints how many lines of SOURCE ran, from what gcc's counters left in BUILD: a table per room, the total and the ten least covered files.

count_lines.py BUILD SOURCE

gcov writes one JSON document per object file. A line counts once, however many objects hold it (headers, templates), and it ran when it
ran in one of them. Left out: tests, fuzz targets and what only they include.
"""
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys

TEST_FILE = re.compile(r"(_test|_fuzz)\.cc$|(test_\w+|\w+_fixture|\w+_test_support|small_journal|signed_log)\.h$")
LEAST_COVERED = 10
OBJECTS_TOGETHER = 16  # for one gcov


def gcov_documents(objects):
    """gcov prints one line of JSON for each object."""
    done = subprocess.run(["gcov", "--json-format", "--stdout", *map(str, objects)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"gcov failed: {done.stderr.strip()}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def lines_of(documents, build, source):
    """{file: {line: ran}} of the files below `source` that are no tests."""
    lines = collections.defaultdict(dict)
    for document in documents:
        folder = pathlib.Path(document.get("current_working_directory", build))
        for file in document["files"]:
            path = pathlib.Path(os.path.normpath(folder / file["file"]))
            if not path.is_relative_to(source) or TEST_FILE.search(path.name):
                continue
            of_file = lines[str(path.relative_to(source))]
            for line in file["lines"]:
                number = line["line_number"]
                of_file[number] = of_file.get(number, False) or line["count"] > 0
    return lines


def collect(build, source):
    objects = sorted(build.rglob("*.gcno"))  # of every object: one that never ran has no counts, but lines
    if not any(build.rglob("*.gcda")):
        raise SystemExit(f"no counts below {build}: run scripts/coverage without --no-run")
    groups = [objects[at:at + OBJECTS_TOGETHER] for at in range(0, len(objects), OBJECTS_TOGETHER)]
    merged = collections.defaultdict(dict)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for documents in pool.map(gcov_documents, groups):
            for file, lines in lines_of(documents, build, source).items():
                for number, ran in lines.items():
                    merged[file][number] = merged[file].get(number, False) or ran
    return merged


def row(name, ran, lines):
    return f"  {name:<34} {ran:>7,} of {lines:>7,}  {100 * ran / lines:5.1f} %"


def main():
    build, source = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    files = {file: (sum(lines.values()), len(lines)) for file, lines in collect(build, source).items() if lines}
    rooms = collections.defaultdict(lambda: (0, 0))
    for file, (ran, lines) in files.items():
        room = file.split("/")[0]
        rooms[room] = rooms[room][0] + ran, rooms[room][1] + lines
    print("\nlines of src that ran")
    for room, (ran, lines) in sorted(rooms.items()):
        print(row(room, ran, lines))
    print(row("all", *(sum(column) for column in zip(*rooms.values()))))
    print("\nleast covered")
    for file, (ran, lines) in sorted(files.items(), key=lambda item: item[1][0] / item[1][1])[:LEAST_COVERED]:
        print(row(file, ran, lines))


if __name__ == "__main__":
    main()
