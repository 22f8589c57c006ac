"""A PostgreSQL server of our own for the time of one bench/run: a new cluster below build/bench, reached by a socket only."""
import glob
import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile
import threading

import harness


def programs():
    """The folder with the newest server's programs (Debian keeps them off the path)."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda path: int(path.split("/")[-3]))
    found = found or [path for path in [shutil.which("initdb")] if path]
    if not found:
        raise harness.Skip("PostgreSQL is not installed (Debian: postgresql)")
    return pathlib.Path(found[-1]).parent


def settings_for(memory_mib, threads):
    """For bulk work on a machine that does nothing else; durability is left as it is: fsync and full_page_writes are on."""
    return {
        "listen_addresses": "", "max_connections": 20, "shared_buffers": f"{min(memory_mib // 4, 4096)}MB", "work_mem": f"{min(memory_mib // 16, 1024)}MB",
        "maintenance_work_mem": f"{min(memory_mib // 16, 1024)}MB", "effective_cache_size": f"{memory_mib // 2}MB",
        "max_parallel_workers_per_gather": threads, "max_parallel_workers": threads, "jit": "off", "random_page_cost": 1.1,
        "wal_level": "minimal", "max_wal_senders": 0, "max_wal_size": "16GB", "checkpoint_timeout": "30min", "wal_compression": "on",
        "autovacuum": "off",  # the jobs analyse what they made themselves
        "timezone": "UTC",
    }


class Server:
    def __init__(self, folder, threads):
        self.bin = programs()
        self.version = subprocess.run([self.bin / "postgres", "--version"], capture_output=True, text=True, check=True).stdout.split()[2]
        self.user = "postgres" if os.geteuid() == 0 else None  # the server refuses to run as root
        self.socket = pathlib.Path(tempfile.mkdtemp(prefix="tanhui-bench-"))  # short: the path of a socket has at most 107 characters
        self._own(self.socket)
        self.data = (folder if self._reaches(folder) else self.socket) / "postgres"
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir()
        self._own(self.data)
        memory_mib = int(harness.first_of("/proc/meminfo", "MemTotal").split()[0]) // 1024
        self._start(settings_for(memory_mib, threads))

    def _own(self, path):
        if self.user:
            try:
                owner = pwd.getpwnam(self.user)
            except KeyError:
                raise harness.Skip(f"there is no user {self.user}, and PostgreSQL does not run as root") from None
            os.chown(path, owner.pw_uid, owner.pw_gid)

    def _run(self, *command):
        words = [str(word) for word in command]
        return subprocess.run(["runuser", "-u", self.user, "--", *words] if self.user else words, cwd="/", capture_output=True, text=True)

    def _reaches(self, folder):
        """A clone in root's home is closed to the server's user; then the data lies in the temporary folder."""
        return self._run("test", "-x", folder).returncode == 0

    def _as_server(self, *words):
        done = self._run(*words)
        if done.returncode != 0:
            raise harness.Skip(f"the private PostgreSQL server: {words[0]}: {done.stderr.strip() or done.stdout.strip()}")

    def _start(self, settings):
        self._as_server(self.bin / "initdb", "-D", self.data, "-U", "bench", "-A", "trust", "--no-locale", "-E", "UTF8", "-N")
        text = "".join(f"{name} = '{value}'\n" for name, value in settings.items()) + f"unix_socket_directories = '{self.socket}'\n"
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(text)
        self._as_server(self.bin / "pg_ctl", "-D", self.data, "-w", "-t", "120", "-l", self.data / "log", "start")
        self.pid = int((self.data / "postmaster.pid").read_text().splitlines()[0])

    def stop(self):
        self._as_server(self.bin / "pg_ctl", "-D", self.data, "-w", "-m", "immediate", "stop")
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.rmtree(self.socket, ignore_errors=True)

    def command(self, program, database, *arguments):
        return [self.bin / program, "-h", self.socket, "-U", "bench", *arguments, database]

    def new_database(self, name):
        for statement in (f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name}", "CHECKPOINT"):
            self.query("postgres", statement)

    def query(self, database, sql):
        """Rows of one statement, as text."""
        done = subprocess.run([str(word) for word in self.command("psql", database, "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql)],
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise harness.Failure(f"PostgreSQL: {done.stderr.strip()}")
        return [line.split("|") for line in done.stdout.splitlines()]

    def measured(self, database, script, stdin=None):
        """Runs a script with psql; the peak memory is that of the server's processes, looked at four times a second."""
        path = self.socket / "script.sql"
        path.write_text(script)
        with Memory(self.pid) as memory:
            result, output = harness.measured(self.command("psql", database, "-X", "-q", "-f", path), stdin)
        return result | {"peak_bytes": memory.peak_bytes, "cpu_seconds": None}, output


class Memory(threading.Thread):
    """The most that a server's processes held together: private pages of each, shared ones once."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.peak_bytes, self.ended = pid, 0, threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join()

    def run(self):
        while True:
            self.peak_bytes = max(self.peak_bytes, self.now())
            if self.ended.wait(0.25):
                return

    def now(self):
        private, shared = 0, 0
        children = pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        for pid in [str(self.pid), *children]:
            try:
                sizes = {line.split(":")[0]: int(line.split()[1]) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
                         if line.startswith(("RssAnon", "RssShmem"))}
            except OSError:  # it ended meanwhile
                continue
            private += sizes.get("RssAnon", 0)
            shared = max(shared, sizes.get("RssShmem", 0))
        return (private + shared) * 1024
