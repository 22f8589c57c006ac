"""Tests of the tests: a story, a README and the counts must fail when they should."""
import contextlib
import io
import json
import pathlib
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "scripts")]
import count_tests  # noqa: E402
import readme_test  # noqa: E402
import scenario_runner as runner  # noqa: E402
from report import Report  # noqa: E402

STORIES = [  # why, story, how many commands fail
    ("exact output passes", "$ printf 'a\\nb\\n'\na\nb", 0),
    ("another line fails", "$ printf 'a\\nb\\n'\na\nc", 1),
    ("a missing line fails", "$ printf 'a\\nb\\n'\na", 1),
    ("a line too many fails", "$ printf 'a\\n'\na\nb", 1),
    ("output where none is expected fails", "$ echo a", 1),
    ("no output where some is expected fails", "$ true\na", 1),
    ("a command that fails, fails", "$ false", 1),
    ("the expected exit code passes", "$ exit 3\n[exit 3]", 0),
    ("another exit code fails", "$ exit 4\n[exit 3]", 1),
    ("success fails where an error is expected", "$ true\n[exit 3]", 1),
    ("standard error is marked and comes last", "$ echo out; echo err >&2; echo more\nout\nmore\n! err", 0),
    ("standard error without its mark fails", "$ echo err >&2\nerr", 1),
    ("files are created with their lines", "> d/a.csv\nx\n\ny\n\n$ cat d/a.csv\nx\n\ny", 0),
    ("a folder is fresh", "$ ls -A", 0),
    ("a number", "$ echo 'rows 1,234 end'\nrows <number> end", 0),
    ("a word is no number", "$ echo 'rows many'\nrows <number>", 1),
    ("a rate", "$ echo '1.25 M records/s'\n<rate>", 0),
    ("a time", "$ echo 'in 3.2 s.'\nin <time>.", 0),
    ("blanks are free beside a placeholder", "$ echo 'rows      7'\nrows <number>", 0),
    ("and only there", "$ echo 'rows      7'\nrows 7", 1),
    ("dots stand for lines", "$ seq 9\n1\n...\n9", 0),
    ("dots stand for no line too", "$ seq 2\n1\n...\n2", 0),
    ("what follows the dots must come", "$ seq 9\n1\n...\n10", 1),
    ("a pattern in the expected text is only text", "$ echo abc\na.c", 1),
    ("escaped lines", "$ echo '$ 5'\n\\$ 5", 0),
    ("comments end an output", "$ echo a\na\n# and so on\n$ echo b\nb", 0),
    ("the caller's settings do not reach a story", "$ echo $GTEST_OUTPUT $TANHUI_RESULTS\n", 0),
]


def failures_of(story):
    return len(runner.run_steps(runner.parse(story.splitlines()), "/nonexistent"))


def update_rewrites_only_what_failed():
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "s.txt"
        path.write_text("# title\n$ echo a\nwrong\n\n$ echo 5; exit 3\n<number>\n[exit 3]\n\n$ echo '# x'\n", encoding="utf-8")
        runner.update(path, runner.run_story(path, "sqlite", "/nonexistent", False)[0])
        return path.read_text(encoding="utf-8") == "# title\n$ echo a\na\n\n$ echo 5; exit 3\n<number>\n[exit 3]\n\n$ echo '# x'\n\\# x\n"


def readme_blocks_are_run():
    text = "# T\n```csv a.csv\nx\n```\n```sh\nfalse\n```\n```console\n$ cat a.csv\nx\n$ cat a.csv\ny\n```\n"
    failed = runner.run_steps(readme_test.readme_steps(text.splitlines()), "/nonexistent")
    return [failure.step.line for failure in failed] == [11]


def counts_see_crashes_and_leaks():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "ctest.xml").write_text(
            '<testsuite><testcase name="good" status="run"/><testcase name="leaky" status="fail"/><testcase name="crashed" status="fail"/>'
            '<testcase name="missing" status="notrun"/>'
            '<testcase name="server" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/></testcase></testsuite>', encoding="utf-8")
        suite = {"testsuites": [{"name": "S", "testsuite": [
            {"name": "a", "status": "RUN", "result": "COMPLETED"}, {"name": "b", "status": "RUN", "result": "SKIPPED"},
            {"name": "c", "status": "NOTRUN", "result": "SUPPRESSED"}]}]}
        (folder / "good_test.json").write_text(json.dumps(suite), encoding="utf-8")
        (folder / "leaky_test.json").write_text(json.dumps(suite), encoding="utf-8")
        (folder / "crashed_test.json").write_text('{"testsuites": [', encoding="utf-8")
        passed, failed, skipped = count_tests.count(folder, ["lint=failed"])
        return (passed, failed, skipped) == (2, ["leaky: as a whole", "crashed", "missing", "lint"], 3)


def main():
    report = Report("runner")
    for why, story, expected in STORIES:
        found = failures_of(story)
        report.add(why, "" if found == expected else f"{found} commands failed, expected {expected}")
    for test in (update_rewrites_only_what_failed, readme_blocks_are_run, counts_see_crashes_and_leaks):
        with contextlib.redirect_stdout(io.StringIO()):
            good = test()
        report.add(test.__name__.replace("_", " "), "" if good else "it does not")
    report.close()


if __name__ == "__main__":
    main()
