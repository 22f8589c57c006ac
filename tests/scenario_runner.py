"""Runs the stories of tests/scenario: input, command, expected output. tests/scenario/README.md tells how a story is written.
Each runs on SQLite and, when TANHUI_TEST_POSTGRES names a server (tests/with_postgres starts one), once more with its accounts there.

    scenario_runner.py --bin DIR [--update] [--keep] [--jobs N] [FILE.txt ...]

--bin     folder of the tanhui program, put first on the PATH
--update  writes what the commands really print into the stories whose expectations failed (read the difference before you commit it)
--keep    leaves each story's folder behind and says where
"""
import argparse
import concurrent.futures
import dataclasses
import difflib
import itertools
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from report import Report  # noqa: E402

SOURCE = pathlib.Path(__file__).resolve().parent.parent
COMMAND_SECONDS_MAX = 120
SCHEMAS = itertools.count(1)
PLACEHOLDERS = {
    "<number>": r"[-+]?\d[\d,_ ]*(?:\.\d+)?",
    "<rate>": r"\d[\d,]*(?:\.\d+)? ?[kMG]?(?: ?[A-Za-z]+)?/s",
    "<time>": r"\d[\d:.,]* ?(?:ns|us|µs|ms|s|min|h)?(?: \d+ ?(?:s|min))?",
    "<size>": r"\d[\d,]*(?:\.\d+)? ?(?:B|[kKMGT]i?B)",
    "<hash>": r"[0-9a-f]{8,}",
    "<text>": r"\S.*?",
}
EXIT = re.compile(r"\[exit (\d+)\]")


@dataclasses.dataclass
class Step:
    """A command or an input file, with the lines that belong to it."""
    kind: str  # "$" or ">"
    text: str
    line: int  # where it stands in the story, from 1
    body: list = dataclasses.field(default_factory=list)
    exit_code: int = 0
    body_end: int = 0  # index behind its body, for --update


@dataclasses.dataclass
class Failure:
    step: Step
    problem: str
    real: list  # what the body should have been


def unescape(line):
    return line[1:] if line.startswith("\\") else line


def escape(line):
    return "\\" + line if line.startswith(("$ ", "> ", "# ", "[exit ", "\\")) else line


def drop_blank_end(lines):
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def parse(lines):
    """The steps of a story. A line that begins with '$ ', '> ' or '# ' ends what was before it."""
    steps, current = [], None
    for number, line in enumerate(lines, 1):
        if line.startswith(("$ ", "> ")):
            current = Step(line[0], line[2:].strip(), number, body_end=number)
            steps.append(current)
        elif line.startswith("# "):
            current = None
        elif current is not None and current.kind == "$" and (match := EXIT.fullmatch(line.strip())):
            current.exit_code = int(match.group(1))
        elif current is not None:
            current.body.append(unescape(line))
            if line.strip():
                current.body_end = number
        elif line.strip():
            raise ValueError(f"line {number}: '{line}' belongs to nothing; comments begin with '# ', commands with '$ ', files with '> '")
    for step in steps:
        drop_blank_end(step.body)
    return steps


def line_pattern(expected):
    """A pattern for one line. Beside placeholders the number of blanks is free, because figures of another width move the columns."""
    if not any(name in expected for name in PLACEHOLDERS):
        return re.escape(expected.rstrip())
    parts = re.split("(" + "|".join(map(re.escape, PLACEHOLDERS)) + ")", expected.rstrip())
    return "".join(PLACEHOLDERS.get(part) or re.sub(r"(\\ )+", r" +", re.escape(part)) for part in parts)


def matches(expected, real):
    """Whole output against expected lines; '...' alone on a line stands for any number of lines, none too."""
    if not expected:
        return not real
    if expected[0].strip() == "...":
        return any(matches(expected[1:], real[skip:]) for skip in range(len(real) + 1))
    return bool(real) and re.fullmatch(line_pattern(expected[0]), real[0].rstrip()) is not None and matches(expected[1:], real[1:])


def new_schema():
    """The address of a new, empty schema on the test server; None when there is no server."""
    server = os.environ.get("TANHUI_TEST_POSTGRES")
    if not server:
        return None
    name = f"scenario_{os.getpid()}_{next(SCHEMAS)}"
    subprocess.run(["psql", "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", f"--command=CREATE SCHEMA {name}", server], check=True)
    return f"{server}{'&' if '?' in server else '?'}options=-csearch_path%3D{name}"


def environment(folder, bin_folder, databases):
    """Nothing of the caller's settings reaches a story, except the path."""
    kept = {name: os.environ[name] for name in ("PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS") if name in os.environ}
    return kept | {"PATH": f"{bin_folder}:{kept.get('PATH', os.defpath)}", "HOME": str(folder), "SOURCE": str(SOURCE), "LC_ALL": "C.UTF-8",
                   "TZ": "UTC", "COLUMNS": "120", "NO_COLOR": "1", "TANHUI_INSTANCE": str(folder / ".instance"),
                   "TANHUI_HOME": str(SOURCE)} | databases


def run_command(step, folder, bin_folder, databases):
    """None, or how the command differed from what the story expects."""
    try:
        done = subprocess.run(["sh", "-c", step.text], cwd=folder, env=environment(folder, bin_folder, databases), stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=COMMAND_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        return Failure(step, f"took longer than {COMMAND_SECONDS_MAX} s", step.body)
    out = done.stdout.decode("utf-8", "replace").replace(str(folder), "<folder>").splitlines()
    err = done.stderr.decode("utf-8", "replace").replace(str(folder), "<folder>").splitlines()
    real = drop_blank_end([line.rstrip() for line in out]) + ["! " + line.rstrip() for line in drop_blank_end(err)]
    if done.returncode != step.exit_code:
        shown = "\n".join(real[-20:])
        return Failure(step, f"exit code {done.returncode}, expected {step.exit_code}; it printed\n{shown}", real)
    if not matches(step.body, real):
        difference = difflib.unified_diff(step.body, real, "expected", "printed", lineterm="", n=2)
        return Failure(step, "\n".join(difference), real)
    return None


def run_steps(steps, bin_folder, keep=False, databases=None):
    """Runs the steps in a fresh folder and instance. All commands run even when one differs: the later ones often tell why."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tanhui-scenario-")).resolve()
    failures = []
    try:
        for step in steps:
            if step.kind == ">":
                target = folder / step.text
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text("".join(line + "\n" for line in step.body), encoding="utf-8")
            elif failure := run_command(step, folder, bin_folder, databases or {}):
                failures.append(failure)
    finally:
        if keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return failures


def describe(path, failures):
    return "\n".join(f"{path}:{failure.step.line}: $ {failure.step.text}\n{failure.problem}" for failure in failures)


def update(path, failures):
    """Puts what was really printed in place of the expectations that failed; exit codes are left to the author."""
    lines = path.read_text(encoding="utf-8").splitlines()
    for failure in sorted(failures, key=lambda failure: -failure.step.line):
        begin, end = failure.step.line, failure.step.body_end
        exits = [line for line in lines[begin:end] if EXIT.fullmatch(line.strip())]
        lines[begin:end] = [escape(line) for line in failure.real] + exits
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def stores_of(lines):
    """What a story runs on: both, unless a line says '# only on sqlite' or '# needs postgresql' (whose address it finds in $POSTGRES)."""
    if "# needs postgresql" in lines:
        return ["sqlite"] if os.environ.get("TANHUI_TEST_POSTGRES") else []
    both = "# only on sqlite" not in lines and os.environ.get("TANHUI_TEST_POSTGRES")
    return ["sqlite", "postgresql"] if both else ["sqlite"]


def run_story(path, store, bin_folder, keep):
    lines = path.read_text(encoding="utf-8").splitlines()
    try:
        steps = parse(lines)
    except ValueError as problem:
        return [], f"{path}: {problem}"
    if not any(step.kind == "$" for step in steps):
        return [], f"{path}: the story runs no command"
    databases = {}
    if store == "postgresql":
        databases = {"TANHUI_DATABASE": new_schema()}
    elif "# needs postgresql" in lines:
        databases = {"POSTGRES": new_schema()}
    failures = run_steps(steps, bin_folder, keep, databases)
    return failures, describe(path.name, failures)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    options = parser.parse_args()
    stories = options.files or sorted((SOURCE / "tests" / "scenario").glob("*.txt"))
    bin_folder = str(pathlib.Path(options.bin).resolve())
    report = Report("scenario")
    runs = [(path, store) for path in stories for store in stores_of(path.read_text(encoding="utf-8").splitlines())]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for (path, store), (failures, problem) in zip(runs, pool.map(lambda run: run_story(*run, bin_folder, options.keep), runs)):
            report.add(path.stem if store == "sqlite" else f"{path.stem} on {store}", problem)
            if options.update and failures and store == "sqlite":
                update(path, failures)
                print(f"    updated {path}")
    report.close()


if __name__ == "__main__":
    main()
