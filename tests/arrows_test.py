"""Rooms include only from the rooms they say they do, and say no more than the design allows.

Checked for every room, that is every folder of src:
  - its CMakeLists.txt declares ARROWS (for app: the tanhui_ libraries it links), each of them allowed below;
  - every #include "..." of its files names <room>/<name>.h, where room is itself or one of its ARROWS (nothing is inherited);
  - the header exists;
and over all rooms, the declared arrows form no cycle.

    arrows_test.py [SOURCE_DIR]
"""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from report import Report  # noqa: E402

# The layout of the design: what each room may use. A new room or arrow is a decision: it gets a line here and a record in docs/decisions.
BASE = ["core", "db"]
ACCOUNTING = BASE + ["ledger", "journal", "identity", "methodology"]
DESIGN = {
    "core": [],
    "db": ["core"],
    "ledger": BASE,
    "journal": BASE,
    "identity": BASE + ["journal"],
    "backup": BASE + ["ledger", "journal", "identity"],
    "methodology": ["core"],
    "activity": ACCOUNTING,
    "incentive": BASE + ["ledger", "journal", "identity"],
    "project": BASE + ["ledger", "journal", "identity", "methodology"],
    "registry": BASE + ["ledger", "journal", "identity"],
    "market": BASE + ["ledger", "journal", "registry", "identity"],
    "neutrality": BASE + ["registry", "methodology"],
    "insight": ACCOUNTING + ["activity", "incentive", "project", "registry", "market", "neutrality"],
}
ALL = [*DESIGN]
DESIGN |= {"http": ["core"], "service": ALL + ["http"], "cli": ALL + ["http", "service"], "app": ALL + ["http", "service", "cli"]}

INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
KEYWORDS = {"ARROWS", "LIBS"}


def without_comments(cmake):
    return re.sub(r"#.*", "", cmake)


def declared_arrows(room, cmake):
    """The ARROWS of tanhui_module(room ...); for a program such as app the tanhui_ libraries it links. None when neither is there."""
    text = without_comments(cmake)
    if module := re.search(rf"tanhui_module\(\s*{room}\b([^)]*)\)", text):
        arrows, inside = [], False
        for word in module.group(1).split():
            inside = word == "ARROWS" if word in KEYWORDS else inside
            if inside and word not in KEYWORDS:
                arrows.append(word)
        return arrows
    if "add_executable" in text:
        return re.findall(r"\btanhui_(\w+)", text.partition("target_link_libraries")[2])
    return None


def room_problems(src, room, arrows):
    if arrows is None:
        return [f"src/{room}/CMakeLists.txt declares neither tanhui_module({room} ...) nor a program"]
    problems = []
    if room not in DESIGN:
        problems.append(f"room {room} is not in the design's layout (tests/arrows_test.py)")
    for extra in [arrow for arrow in arrows if arrow not in DESIGN.get(room, arrows)]:
        problems.append(f"src/{room}/CMakeLists.txt declares an arrow to {extra}, which the design does not")
    allowed = {room, *arrows}
    for file in sorted(p for p in (src / room).rglob("*") if p.suffix in (".h", ".cc")):
        text = file.read_text(encoding="utf-8")
        for match in INCLUDE.finditer(text):
            header = match.group(1)
            where = f"{file.relative_to(src.parent)}:{text.count(chr(10), 0, match.start(1)) + 1}"
            parts = header.split("/")
            if len(parts) != 2 or not header.endswith(".h"):
                problems.append(f'{where}: #include "{header}" is not of the form "<room>/<name>.h"')
            elif parts[0] not in allowed:
                problems.append(f'{where}: #include "{header}", but {room} declares no arrow to {parts[0]}')
            elif not (src / header).exists():
                problems.append(f'{where}: #include "{header}", but there is no such file')
    return problems


def find_cycle(arrows):
    """One cycle as a list of rooms, first equal to last; empty when there is none."""
    done, path = set(), []

    def visit(room):
        if room in path:
            return path[path.index(room):] + [room]
        if room in done:
            return []
        path.append(room)
        for next_room in arrows.get(room) or []:
            if cycle := visit(next_room):
                return cycle
        done.add(path.pop())
        return []

    return next((cycle for room in sorted(arrows) if (cycle := visit(room))), [])


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent).resolve()
    src = root / "src"
    rooms = sorted(folder.name for folder in src.iterdir() if folder.is_dir())
    report = Report("arrows")
    arrows = {}
    for room in rooms:
        cmake = src / room / "CMakeLists.txt"
        arrows[room] = declared_arrows(room, cmake.read_text(encoding="utf-8")) if cmake.exists() else None
        report.add(room, "\n".join(room_problems(src, room, arrows[room])))
    cycle = find_cycle(arrows)
    report.add("no cycle", "arrows in a circle: " + " -> ".join(cycle) if cycle else "")
    report.close()


if __name__ == "__main__":
    main()
