"""The HTTP server beside the least that Boost.Beast can do: requests a second and latency, one server thread and the load on the other core."""
import json
import os
import subprocess

import harness

SHAPES = ((64, 1), (1, 16), (64, 16))  # connections, requests under way on each


def bench(settings, result):
    """HTTP alone: trivial requests a second and latencies, against a bare Boost.Beast server."""
    result.title = "GET of five bytes, one server thread, load from the same machine"
    seconds = 0.3 if settings.rows <= 20_000 else 4
    programs = settings.build / "bench"
    sides = {"tanhui": ["tanhui"], "tanhui, each request logged": ["tanhui", "log"], "Beast": ["beast"]}
    for connections, pipeline in SHAPES:
        rounds = harness.interleaved({name: (lambda words=words: once(programs, words, connections, pipeline, seconds)) for name, words in sides.items()}, settings.repeats)
        for side in sides:
            result.equal(f"answer, {connections} connections, {pipeline} under way: {side}", "hello", {side: rounds[side][0]["body"]})
            if any(one["not_200"] or one["failed"] for one in rounds[side]):
                result.differences.append(f"{side}: not every answer was 200: {rounds[side]}")
        shape = f"{connections} connections, {pipeline} under way on each"
        rates = {name: harness.median(rounds[name], "rate") for name in sides}
        result.line(f"requests a second, {shape}", "", rates["tanhui"], {name: rate for name, rate in rates.items() if name != "tanhui"}, more_is_better=True)
        cores = {name: harness.median(rounds[name], "core_us") for name in sides}
        result.line(f"server core-microseconds a request, {shape}", "us", cores["tanhui"], {name: value for name, value in cores.items() if name != "tanhui"})
        result.line(f"p99, {shape}", "us", harness.median(rounds["tanhui"], "p99_us"), {name: harness.median(rounds[name], "p99_us") for name in sides if name != "tanhui"})
    result.notes.append("Beast reads one request and answers it with one write before it reads the next: pipelining gains it nothing.")


def once(programs, words, connections, pipeline, seconds):
    server = subprocess.Popen([programs / "http_servers", *words], stdout=subprocess.PIPE, text=True)
    try:
        port = server.stdout.readline().strip()
        before = processor_seconds(server.pid)
        done = subprocess.run([programs / "http_load", port, "/hello", str(connections), str(pipeline), str(seconds)], capture_output=True, text=True)
        measured = json.loads(done.stdout)
        measured["core_us"] = 1e6 * (processor_seconds(server.pid) - before) / max(1, measured["all"])
        return measured
    finally:
        server.kill()
        server.wait()


def processor_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
        text = stat.read()
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
