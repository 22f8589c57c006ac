"""Accounts every real data set that has a profile, twice: the report adds up, and the second time nothing is new.

The data lies in ../shared/data beside the source tree and is on the developers' machines only; elsewhere each data set is a skipped test.

    real_data_test.py --bin DIR
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from report import Report  # noqa: E402

HOME = pathlib.Path(__file__).resolve().parent.parent
DATA = HOME.parent / "shared" / "data"
SETS = {  # profile: folder or file below DATA
    "bike-valleybike": "bike-valleybike/trips_2018_2019.csv.gz",
    "bike-mobike-shanghai": "bike-mobike-shanghai",
    "transit-shenzhen-card": "transit-shenzhen-card",
    "transit-buenosaires-sube": "transit-buenosaires-sube",
    "ev-caltech-acn": "ev-caltech-acn",
    "ev-trondheim-home": "ev-trondheim-home",
    "ev-workplace": "ev-workplace",
    "power-sgsc-homes": "power-sgsc-homes",
    "power-meter-nem12": "power-meter-exports",
    "power-meter-retailer": "power-meter-exports",
    "steps-fitbit-daily": "steps-fitbit",
    "steps-fitbit-hourly": "steps-fitbit",
    "waste-kampala-homes": "waste-kampala-homes",
    "resale-fashion-users": "resale-fashion-users",
}


def account(tanhui, instance, profile, data):
    command = [tanhui, "--home", HOME, "--instance", instance, "account", "--profile", profile, "--report", "json", data]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"exit code {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def check(tanhui, profile, data, folder):
    first = account(tanhui, folder, profile, data)
    counts = {name: outcome["records"] for name, outcome in first["outcomes"].items()}
    assert first["records"] > 0, "no record was read"
    assert sum(counts.values()) == first["records"], f"outcomes {counts} are not {first['records']} records"
    for name, outcome in first["outcomes"].items():
        assert sum(outcome["reasons"].values()) == outcome["records"], f"the reasons of {name} do not add up"
    assert sum(cell["milligrams"] for cell in first["activities"]) == first["milligrams"], "milligrams by activity do not add up"
    again = account(tanhui, folder, profile, data)
    assert again["records"] == first["records"], "the second time other records were read"
    assert again["milligrams"] == 0 and again["points"] == 0 and again["adjusted"]["records"] == 0, "the second time something was credited"
    assert again["run"] is None and (again["repeats"] == first["run"]), "the second time was not recognised"
    later = {name: outcome["records"] for name, outcome in again["outcomes"].items()}
    # What was refused on reading is refused again; everything else is kept in the journal and comes back as a duplicate.
    assert later["accepted"] == later["capped"] == later["held"] == 0, f"the second time not all is known: {later}"
    assert later["rejected"] <= counts["rejected"] and later["no-consent"] == counts["no-consent"], f"other records were refused: {later}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, type=pathlib.Path)
    tanhui = parser.parse_args().bin.resolve() / "tanhui"
    report = Report("real-data")
    for profile, place in SETS.items():
        if not (DATA / place).exists():
            report.add(f"{profile}: ../shared/data/{place} is not on this machine", skipped=True)
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                check(tanhui, profile, DATA / place, folder)
                report.add(profile)
            except AssertionError as problem:
                report.add(profile, str(problem))
    report.close()


if __name__ == "__main__":
    main()
