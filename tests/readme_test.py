"""What README.md shows is true: its `console` blocks are run, in order, in one fresh folder, and must print what stands there.

A block marked ```csv trips.csv (any language, then a file name) creates that file first. Blocks marked otherwise, such as ```sh, are not run.
The lines inside follow tests/scenario/README.md, and so do the placeholders.

    readme_test.py --bin DIR [README.md]
"""
import argparse
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import scenario_runner  # noqa: E402
from report import Report  # noqa: E402

FENCE = re.compile(r"^```(\w+)(?: +(\S+))?\s*$")


def blocks(lines):
    """(language, file name or None, line number of the fence, lines inside) of every fenced block."""
    opened = None
    for number, line in enumerate(lines, 1):
        if opened is None and (match := FENCE.match(line)):
            opened = (match.group(1), match.group(2), number, [])
        elif opened is not None and line.startswith("```"):
            yield opened
            opened = None
        elif opened is not None:
            opened[3].append(line)
    if opened is not None:
        raise ValueError(f"line {opened[2]}: the block is never closed")


def readme_steps(lines):
    steps = []
    for language, name, number, inside in blocks(lines):
        if language == "console":
            found = scenario_runner.parse(inside)
            for step in found:
                step.line += number
            steps += found
        elif name is not None:
            steps.append(scenario_runner.Step(">", name, number, inside))
    return steps


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True)
    parser.add_argument("readme", nargs="?", type=pathlib.Path, default=scenario_runner.SOURCE / "README.md")
    options = parser.parse_args()
    report = Report("readme")
    steps = readme_steps(options.readme.read_text(encoding="utf-8").splitlines())
    failures = {failure.step.line: failure for failure in scenario_runner.run_steps(steps, str(pathlib.Path(options.bin).resolve()))}
    for step in steps:
        if step.kind == "$":
            problem = scenario_runner.describe(options.readme.name, [failures[step.line]]) if step.line in failures else ""
            report.add(f"$ {step.text}", problem)
    report.close()


if __name__ == "__main__":
    main()
