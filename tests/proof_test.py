"""Proofs, log files and segments are what our documents say: checked from outside, by verify_proof.py, openssl and pyarrow.

    proof_test.py --bin DIR
"""
import argparse
import base64
import json
import pathlib
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import verify_proof  # noqa: E402
from report import Report  # noqa: E402

HEADER = "event_id,source,person,activity,region,start,end,quantity,evidence,reversal\n"


def ride(event, source, person, day, quantity, reversal=""):
    day = f"2025-03-{day:02}"
    return f"{event},{source},{person},metro-ride,420100,{day}T08:00:00+08:00,{day}T08:30:00+08:00,{quantity},metered,{reversal}\n"


class World:
    """A small instance: rides, one of them taken back later, a key that changed between, a compaction."""

    def __init__(self, binary, folder):
        self.binary, self.folder, self.instance = binary, folder, folder / "instance"
        rides = "".join(ride(f"g-{p}-{d}", "metro-gate", f"p{p}", d, 8000 + 10 * p) for p in range(60) for d in (1, 2, 3))
        self.account("rides.csv", rides + ride("w-5-1", "alipay", "p5", 1, 8100))
        self.first_key = (self.instance / "log" / "key.pub").read_text().strip()
        self.run("log", "rotate-key")
        self.account("back.csv", ride("g-5-1", "metro-gate", "p5", 1, 8050, "yes"))
        self.new_key = (self.instance / "log" / "key.pub").read_text().strip()

    def run(self, *words):
        done = subprocess.run([self.binary, "--instance", self.instance, *words], capture_output=True, text=True, cwd=self.folder)
        if done.returncode != 0:
            raise RuntimeError(f"tanhui {' '.join(map(str, words))}: {done.stderr}")
        return done.stdout

    def account(self, name, rows):
        (self.folder / name).write_text(HEADER + rows)
        self.run("account", name)

    def prove(self, record):
        return json.loads(self.run("prove", record))


def holds(document, key):
    try:
        return verify_proof.verify(document, key)
    except (verify_proof.Wrong, KeyError, ValueError, TypeError, IndexError) as problem:
        return str(problem) or type(problem).__name__


def proofs_hold_elsewhere(world):
    for record, rows in (("metro-gate/g-7-2", 1), ("metro-gate/g-5-1", 3), ("alipay/w-5-1", 2)):
        document = world.prove(record)
        for key in (world.first_key, world.new_key):
            proven = holds(document, key)
            assert isinstance(proven, list), proven
            assert len(proven) == rows, f"{record}: {len(proven)} rows"
    assert sum(record["milligrams"] for record in holds(world.prove("metro-gate/g-5-1"), world.first_key)) == 0, "taken back"
    stranger = world.first_key.replace(world.first_key.split("+")[2][2:8], "AAAAAA")
    assert isinstance(holds(document, stranger), str)


def changed_proofs_do_not(world):
    good = json.dumps(world.prove("metro-gate/g-5-1"))
    rng = random.Random(1)
    for _ in range(400):
        at = rng.randrange(len(good))
        bad = good[:at] + chr(ord(good[at]) ^ 1 << rng.randrange(6)) + good[at + 1:]
        try:
            document = json.loads(bad)
        except ValueError:
            continue
        if document == json.loads(good):
            continue
        verdict = holds(document, world.first_key)
        # What only people read ("day", "programme" ...) is compared by our own program; here only what the bytes say is.
        if isinstance(verdict, list):
            texts = [json.dumps({**one, "record": None}) for one in document["records"]]
            theirs = [json.dumps({**one, "record": None}) for one in json.loads(good)["records"]]
            assert texts == theirs and document["checkpoint"].split("\n\n")[0] == json.loads(good)["checkpoint"].split("\n\n")[0], bad[at - 20:at + 20]


def nothing_else_is_in_it(world):
    """A member that means nothing, or one that is there twice, is refused by both verifiers."""
    good = json.dumps(world.prove("metro-gate/g-5-1"))
    assert json.loads(good)["keys"], "a change of keys is part of it"
    bad = {
        "document": good.replace('{"format"', '{"note": 1, "format"', 1),
        "record": good.replace('{"record": ', '{"note": 1, "record": ', 1),
        "what it says": good.replace('{"programme": ', '{"note": 1, "programme": ', 1),
        "keys": good.replace('"keys": [{', '"keys": [{"note": 1, ', 1),
        "twice": good.replace('{"format"', '{"keys": [], "format"', 1),
        "record twice": good.replace('{"record": ', '{"index": 0, "record": ', 1),
        "milligrams twice": good.replace('{"programme": ', '{"milligrams": 1, "programme": ', 1),
    }
    path = world.folder / "more.json"
    (world.folder / "first.pub").write_text(world.first_key + "\n")
    for what, text in {"good": good, **bad}.items():
        assert (text == good) == (what == "good"), what
        path.write_text(text)
        for command in ([sys.executable, verify_proof.__file__, path, world.first_key],
                        [world.binary, "verify", path, "--key", world.folder / "first.pub"]):
            done = subprocess.run(command, capture_output=True, text=True, cwd=world.folder)
            assert (done.returncode == 0) == (what == "good"), f"{what}: {command[0]} {done.returncode} {done.stdout} {done.stderr}"


def published_files_are_the_log(world):
    """Every tile and bundle of the C2SP layout, from the entries up, and the checkpoint's root and signature."""
    log = world.instance / "log"
    note = (log / "checkpoint").read_text()
    origin, size, root = verify_proof.checkpoint(note)
    assert verify_proof.signed_by(note, world.new_key), "the checkpoint is signed by the new key"
    bundle = (log / f"tile/entries/000.p/{size}").read_bytes()
    entries, at = [], 0
    while at < len(bundle):
        length = int.from_bytes(bundle[at:at + 2], "big")
        entries.append(bundle[at + 2:at + 2 + length])
        at += 2 + length
    assert len(entries) == size, f"{len(entries)} entries of {size}"
    hashes = [verify_proof.leaf_hash(entry) for entry in entries]
    assert b"".join(hashes) == (log / f"tile/0/000.p/{size}").read_bytes(), "the level-0 tile"
    assert verify_proof.tree_root(hashes) == root, "the root"
    assert [json.loads(entry)["type"] for entry in entries[:3]] == ["tanhui/key", "tanhui/run", "tanhui/segment"]
    return [json.loads(entry) for entry in entries]


def segments_hash_to_their_entries(world):
    """Rows as pyarrow reads them from Parquet, hashed by our description of a record's bytes, give the root in the log."""
    import pyarrow.parquet as parquet
    entries = published_files_are_the_log(world)
    files = {path: parquet.read_table(path).to_pylist() for path in sorted((world.instance / "journal").rglob("*.parquet"))}
    checked = 0
    for entry in entries:
        if entry["type"] != "tanhui/segment":
            continue
        rows = []
        for path, table in files.items():
            if f"day={entry['day']}" not in str(path):
                continue
            compacted = path.name.startswith("runs-")
            if not compacted and path.name != f"run-{entry['run']:06}.parquet":
                continue
            rows += [row for row in table if not compacted or row["run"] == entry["run"]]
        hashes = [verify_proof.leaf_hash(verify_proof.record_bytes(as_record(row))) for row in rows]
        assert verify_proof.tree_root(hashes).hex() == entry["root"], f"{entry['day']} run {entry['run']}"
        assert len(rows) == entry["records"] and sum(row["milligrams"] for row in rows) == entry["milligrams"]
        checked += 1
    assert checked == 4, f"{checked} segments"


def as_record(row):
    key = lambda value: None if value is None else f"{value:016x}"  # noqa: E731
    start = row["start"]
    return {**row, "person": row["person"].hex(), "start_ms": round(start.timestamp() * 1000), "event": key(row["event"]),
            "object": key(row["object"]), "winner": key(row["winner"]),
            "quantities": [row["quantity"], row["quantity_2"], row["quantity_3"], row["quantity_4"]]}


def proofs_outlive_a_compaction(world):
    before = world.prove("metro-gate/g-5-1")
    world.run("seal", "--compact")
    assert len(list((world.instance / "journal").rglob("*.parquet"))) == 3, "one file a day"
    assert isinstance(holds(before, world.first_key), list)
    assert len(holds(world.prove("metro-gate/g-5-1"), world.first_key)) == 3
    segments_hash_to_their_entries(world)
    assert json.loads(world.run("verify", "--all", "--json"))["holds"]


def the_script_says_so(world):
    path = world.folder / "proof.json"
    path.write_text(json.dumps(world.prove("metro-gate/g-7-2")))
    script = pathlib.Path(verify_proof.__file__)
    done = subprocess.run([sys.executable, script, path, world.first_key], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("holds: 1 records"), done
    document = json.loads(path.read_text())
    data = bytearray(base64.b64decode(document["records"][0]["bytes"]))
    data[-2] ^= 1
    document["records"][0]["bytes"] = base64.b64encode(bytes(data)).decode()
    path.write_text(json.dumps(document))
    done = subprocess.run([sys.executable, script, path, world.first_key], capture_output=True, text=True)
    assert done.returncode == 1 and "not in its segment" in done.stderr, done


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True, type=pathlib.Path)
    report = Report("proof")
    with tempfile.TemporaryDirectory() as folder:
        world = World(parser.parse_args().bin / "tanhui", pathlib.Path(folder))
        for test in (proofs_hold_elsewhere, changed_proofs_do_not, nothing_else_is_in_it, published_files_are_the_log, segments_hash_to_their_entries,
                     the_script_says_so, proofs_outlive_a_compaction):
            try:
                test(world)
                report.add(test.__name__)
            except (AssertionError, RuntimeError, verify_proof.Wrong) as problem:
                report.add(test.__name__, repr(problem))
    report.close()


main()
