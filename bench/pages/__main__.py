"""`make bench-pages ARGS="make"`, then `ARGS="measure"`: pages over many calls, on PostgreSQL.

    make     fill a new database; --tenants, --calls and --entries say how much
    measure  ask for every page --rounds times; writes var/bench/pages.md

The data stays in --data until somebody deletes it: 1,000,000 calls take some 18 GB.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pbxai.crypto import new_key_entry
from tests.support.cluster import Servers
from tests.support.ports import free_port

if TYPE_CHECKING:
    from bench.pages.measure import Measured

ROOT: Final = Path(__file__).resolve().parents[2]
RESULT: Final = ROOT / "var" / "bench" / "pages.md"
MEMORY: Final = (
    "shared_buffers=1GB",
    "effective_cache_size=4GB",
    "maintenance_work_mem=1GB",
    "max_wal_size=8GB",
)
STARTS_WITHIN_S: Final = 60


def main() -> int:
    options = _options()
    options.data.mkdir(parents=True, exist_ok=True)
    servers = Servers()
    try:
        with tempfile.TemporaryDirectory(prefix="pbxai-bench-pages-") as scratch:
            port = free_port()
            _set_up(servers, options.data, Path(scratch), port)
            if options.what == "make":
                return _make(options)
            return _measure(options, port)
    finally:
        servers.stop()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench.pages", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=("make", "measure"))
    parser.add_argument("--data", type=Path, default=Path("/var/tmp/pbxai-bench-pages"))  # noqa: S108
    parser.add_argument("--tenants", type=int, default=1000)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--entries", type=int, default=20, help="of each call's transcript")
    parser.add_argument("--rounds", type=int, default=40, help="of all pages")
    return parser.parse_args()


def _set_up(servers: Servers, data: Path, scratch: Path, port: int) -> None:
    """Be production for Django here and for the processes that are started."""
    os.environ |= {
        "DATABASE_URL": servers.postgresql(data, *MEMORY),
        "REDIS_URL": servers.redis(),
        "PBXAI_SECRET_KEY": "k" * 50,
        "PBXAI_KEYRING": new_key_entry("bench"),
        "PBXAI_DATA": str(scratch),
        "PBXAI_STATIC_ROOT": str(scratch / "static"),
        "PBXAI_HTTP_PORT": str(port),
        "PBXAI_EXTERNAL_URL": f"http://127.0.0.1:{port}",
        "DJANGO_SETTINGS_MODULE": "pbxai.settings",
    }
    for command in (["migrate", "-v0"], ["collectstatic", "--noinput", "-v0"]):
        subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, check=True)
    import django

    django.setup()


def _make(options: argparse.Namespace) -> int:
    from bench.pages.make_data import Size, make

    try:
        make(Size(options.tenants, options.calls, options.entries))
    except RuntimeError as error:
        sys.stderr.write(f"{error} Delete {options.data} to begin anew.\n")
        return 1
    return 0


def _measure(options: argparse.Namespace, port: int) -> int:
    from bench.pages import measure

    found = measure.pages()
    with _daphne(port) as web:
        measure.time_all(found, web, options.rounds)
    measure.explain_all(found)
    text = _report(found, measure.left_out())
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(text + _plans(found))
    sys.stdout.write(text + f"\nPlans of slow queries: {RESULT}\n")
    return 0 if all(page.holds for page in found) else 1


@contextmanager
def _daphne(port: int) -> Iterator[str]:
    """The web process, as it is started in production."""
    command = [sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(port)]
    web = subprocess.Popen(
        [*command, "pbxai.asgi:application"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address, web)
        yield address
    finally:
        web.terminate()
        web.wait()


def _wait_for(address: str, web: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline and web.poll() is None:
        try:
            urllib.request.urlopen(f"{address}/accounts/login/", timeout=10)  # noqa: S310
        except urllib.error.URLError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("The web process does not come up.")


def _report(found: list[Measured], left_out: list[str]) -> str:
    from bench.pages.measure import GOAL_MS, MOST_QUERIES
    from tenants.models import Call, Tenant, TranscriptEntry

    lines = [
        f"{Tenant.objects.count():,} tenants, {Call.all_tenants.count():,} calls,"
        f" {TranscriptEntry.all_tenants.count():,} transcript entries;"
        f" {len(found[0].times_ms)} rounds. Goal: p95 {GOAL_MS:.0f} ms, {MOST_QUERIES} queries.",
        "",
        "CPU: of the web process and of its server process of PostgreSQL, median.",
        "",
        "| page | p50, ms | p95, ms | CPU web, ms | CPU database, ms | queries | |",
        "|---|---:|---:|---:|---:|---:|---|",
    ]
    for page in sorted(found, key=lambda page: -page.p95):
        remark = "" if page.holds else f"**too much, or {page.status}**"
        lines.append(
            f"| {page.name} | {page.p50:.0f} | {page.p95:.0f} | {page.web_ms:.0f}"
            f" | {page.database_ms:.0f} | {page.queries} | {remark} |"
        )
    lines += ["", f"Not asked for: {', '.join(left_out) or 'none'}.", ""]
    return "\n".join(lines)


def _plans(found: list[Measured]) -> str:
    parts = [f"\n## {page.name}\n\n```\n{plan}\n```\n" for page in found for plan in page.plans]
    return "".join(parts)


if __name__ == "__main__":
    sys.exit(main())
