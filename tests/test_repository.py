"""The repository's own rules: which way imports point, what files may say, what is locked, what compose starts."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from tests.kafka import install
from worker.config import PREFIX, Settings, load

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT: Final = Path(__file__).parents[1]
PACKAGE: Final = ROOT / "worker"

EVERYTHING: Final = frozenset(
    {
        "checks",
        "compose",
        "config",
        "edges",
        "flow",
        "formats",
        "group_stop",
        "librdkafka",
        "mart",
        "model",
        "preview",
        "rooms",
        "run",
        "seams",
        "showing",
        "telemetry",
    }
)

# What each part of `worker` may import, beside itself; a name stands for all that is in it. A part that is not
# listed may import nothing, so that a new one has to be given its place here.
ALLOWED: Final[Mapping[str, frozenset[str]]] = {
    "model": frozenset(),
    "librdkafka": frozenset(),
    "config": frozenset({"librdkafka"}),
    "extension": frozenset(),
    "rooms": frozenset({"extension", "model"}),
    "flow": frozenset({"model"}),
    "telemetry": frozenset({"config", "model"}),
    "mart": frozenset({"config", "model"}),
    "edges": frozenset(
        {
            "config",
            "mart",
            "model",
            "telemetry",
            # the values that an edge takes and gives: jobs and answers, and the tables it fills for the rooms
            "flow.flood",
            "flow.jobs",
            "flow.requests",
            "flow.verdict",
            "rooms.decode",
            "rooms.directory",
            "rooms.framing",
            "rooms.identity",
            "rooms.places",
            "rooms.writer_schema",
        }
    ),
    "control": frozenset({"config", "mart"}),
    "console": frozenset({"config"}),
    "topics": frozenset({"config", "edges.cluster"}),
    "formats": frozenset({"config", "rooms"}),
    "seams": frozenset({"flow.jobs", "model", "rooms.directory", "rooms.suite"}),
    "replay": EVERYTHING | {"console", "topics"},
    "dlq": frozenset({"config", "console", "edges", "formats", "mart", "model", "rooms", "telemetry", "topics"}),
    "audit": frozenset(
        {"config", "console", "dlq.headers", "edges", "flow.joining", "formats", "mart", "model", "rooms", "topics"}
    ),
    "trace": frozenset(
        {"audit", "config", "console", "dlq.headers", "edges", "formats", "mart", "model", "rooms", "topics"}
    ),
    "preview": frozenset({"model", "rooms"}),
    "schema_commands": frozenset({"config", "console", "edges.registry", "edges.schemas", "rooms"}),
    "producer": frozenset({"config", "edges.registry", "edges.schemas", "model", "rooms"}),
    "from_files": frozenset({"config", "model", "preview", "producer", "rooms"}),
    "showing": EVERYTHING,
    "group_stop": EVERYTHING,
    "run": EVERYTHING,
    "compose": EVERYTHING,
    "checks": EVERYTHING,
    "sandbox": frozenset(),
    "demo": EVERYTHING | {"sandbox"},
    "processes": frozenset({"config", "telemetry"}),
    "__main__": frozenset({"cli"}),
    "cli": EVERYTHING
    | {
        "extension",
        "sandbox",
        "demo",
        "console",
        "control",
        "processes",
        "replay",
        "schema_commands",
        "from_files",
        "dlq",
        "audit",
        "trace",
    },
}

PURE: Final = ("rooms", "flow")
IMPURE_MODULES: Final = frozenset(
    [
        "asyncio",
        "confluent_kafka",
        "httpx",
        "logging",
        "os",
        "prometheus_client",
        "random",
        "secrets",
        "socket",
        "structlog",
        "subprocess",
        "threading",
        "time",
    ]
)
IMPURE_CALLS: Final = frozenset(
    {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "uuid.uuid1", "uuid.uuid4"}
)

# Written so that none of them is found in this file itself.
FORBIDDEN: Final = {
    "a path of one machine": r"(?<![\w.])/(root|work|Users)/|(?<![\w.])/home/\w|/opt/wheel[s]",
    "a package registry's host": (
        r"p[y]pi\.(org|io)|python[h]osted\.|n[p]mjs\.|repo1?\.[m]aven\.|[m]aven\.apache\.|search\.[m]aven\.|[d]eb\.debian\.|"
        r"proxy\.[g]olang\.|crates\.(io)"
    ),
    "a package index's address": r"(index-url|find-links|trusted-host)[ =]+\S*[/:]",
    "a document outside the repository": r"shared/(\w|-)+\.md",
}


def modules() -> Iterator[tuple[str, Path]]:
    """The modules of `worker` by their names below it; the package itself is ''."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        yield ".".join(part for part in parts if part != "__init__"), path


NAMES: Final = frozenset(name for name, _ in modules())


def imported(path: Path) -> Iterator[str]:
    """The full names that a module imports, wherever in it; `from a import b` gives `a.b`."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: imports name the whole way, relative ones do not"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_parts(path: Path) -> Iterator[str]:
    """The modules of `worker` that a module imports, by their names below it."""
    for name in imported(path):
        if name.startswith("worker."):
            below = name.removeprefix("worker.")
            yield below if below in NAMES else below.rpartition(".")[0]


def allowed(importer: str, target: str) -> bool:
    part = importer.partition(".")[0]
    if target in {"", part} or target.startswith(f"{part}."):
        return True
    return any(target == name or target.startswith(f"{name}.") for name in ALLOWED.get(part, ()))


def tracked() -> list[Path]:
    """The files of the repository, those not yet added among them."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout.decode().split("\0")
    return [path for name in names if name and (path := ROOT / name).is_file()]


def test_imports_point_one_way() -> None:
    wrong = [
        f"{name or 'worker'} imports {target}"
        for name, path in modules()
        for target in imported_parts(path)
        if name != "" and not allowed(name, target)
    ]
    assert wrong == []


def test_the_package_itself_imports_nothing() -> None:
    assert [name for name in imported(PACKAGE / "__init__.py") if name.startswith("worker")] == []


def test_every_part_has_its_place_in_the_table() -> None:
    parts = {name.partition(".")[0] for name in NAMES if name}
    assert parts - ALLOWED.keys() - {"__main__"} == set()


@pytest.mark.parametrize("room", PURE)
def test_the_pure_parts_import_no_io_no_clock_and_no_chance(room: str) -> None:
    wrong = [
        f"{name} imports {target}"
        for name, path in modules()
        if name.partition(".")[0] == room
        for target in imported(path)
        if target.partition(".")[0] in IMPURE_MODULES
    ]
    assert wrong == []


@pytest.mark.parametrize("room", PURE)
def test_the_pure_parts_ask_for_no_time_and_no_random_id(room: str) -> None:
    wrong = [
        f"{name}: {ast.unparse(node)}"
        for name, path in modules()
        if name.partition(".")[0] == room
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Attribute) and ".".join(ast.unparse(node).split(".")[-2:]) in IMPURE_CALLS
    ]
    assert wrong == []


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_names(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what])
    found = [
        f"{path.relative_to(ROOT)}:{number}: {match[0]}"
        for path in tracked()
        for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1)
        if (match := pattern.search(line))
    ]
    assert found == []


def locked(name: str) -> list[str]:
    """The requirements of a lock file, each with its continuation lines, without comments."""
    text = (ROOT / "requirements" / name).read_text("utf-8")
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return [entry for entry in lines.replace("\\\n", " ").splitlines() if entry.strip()]


def normal(requirement: str) -> str:
    """The name in a requirement, in the form that lock files use."""
    found = re.match(r"[\w.-]+", requirement)
    assert found is not None
    return re.sub(r"[-_.]+", "-", found[0]).lower()


@pytest.mark.parametrize("name", ["run.txt", "dev.txt"])
def test_every_locked_requirement_has_a_version_and_hashes_and_no_address(name: str) -> None:
    form = re.compile(r"[a-z0-9-]+==\S+( ; [^@:]+?)?( +--hash=sha256:[0-9a-f]{64})+ *")
    assert [entry for entry in locked(name) if not form.fullmatch(entry)] == []
    assert "://" not in (ROOT / "requirements" / name).read_text("utf-8")


def test_what_the_project_asks_for_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    build = project["build-system"]["requires"]
    extras = project["project"]["optional-dependencies"]
    run = {normal(each) for each in [*build, *project["project"]["dependencies"], *extras["sandbox"]]}
    dev = run.union(normal(each) for extra in extras.values() for each in extra)
    assert run - {normal(entry) for entry in locked("run.txt")} == set()
    assert dev - {normal(entry) for entry in locked("dev.txt")} == set()


def test_what_builds_the_package_is_the_same_in_both_places() -> None:
    lines = (ROOT / "requirements" / "build.in").read_text("utf-8").splitlines()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    asked = {line for line in lines if not line.startswith("#")}
    assert asked == set(project["build-system"]["requires"])


def test_both_locks_hold_the_same_versions() -> None:
    run, dev = (dict(entry.split()[0].split("==") for entry in locked(name)) for name in ("run.txt", "dev.txt"))
    assert run.items() - dev.items() == set()


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The compose file, with the defaults of its variables put in."""
    text = (ROOT / "docker-compose.yml").read_text("utf-8")
    found = yaml.safe_load(re.sub(r"(?<!\$)\$\{\w+:-([^}]*)\}", r"\1", text))
    assert isinstance(found, dict)
    return found


def test_compose_starts_what_the_readme_says(compose: dict[str, Any]) -> None:
    assert compose["services"].keys() == {"kafka", "topics", "postgres", "sandbox", "worker"}


def test_compose_waits_only_for_what_can_be_waited_for(compose: dict[str, Any]) -> None:
    services = compose["services"]
    waits = [wait for service in services.values() for wait in service.get("depends_on", {}).items()]
    for name, condition in waits:
        once = services[name].get("restart") == "no"
        expected = "service_completed_successfully" if once else "service_healthy"
        assert condition == {"condition": expected}
        assert once or "healthcheck" in services[name]


def test_compose_names_no_moving_image(compose: dict[str, Any]) -> None:
    images = [service["image"] for service in compose["services"].values()]
    assert [image for image in images if ":" not in image or image.endswith(":latest")] == []


def test_compose_runs_the_kafka_that_the_tests_run(compose: dict[str, Any]) -> None:
    images = {compose["services"][name]["image"] for name in ("kafka", "topics")}
    assert images == {f"apache/kafka:{install.version()}"}


def test_compose_opens_ports_on_this_machine_only(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_compose_gives_the_worker_settings_that_it_knows(
    compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = compose["services"]["worker"]["environment"]
    for name, value in environment.items():
        section, _, field = name.removeprefix(PREFIX).lower().partition("__")
        model: Any = Settings.model_fields[section].annotation
        assert field.removesuffix("_file") in model.model_fields, name
        monkeypatch.setenv(name, str(value))
    settings = load(None)
    assert settings.kafka.topics == ["payload-events"]
    assert settings.http.host == "0.0.0.0"  # noqa: S104 - in its container the worker answers its host


def test_compose_makes_the_topics_that_the_worker_uses(compose: dict[str, Any]) -> None:
    script = compose["services"]["topics"]["command"][0]
    topics = yaml.safe_load(compose["services"]["worker"]["environment"][f"{PREFIX}KAFKA__TOPICS"])
    assert f"for topic in {' '.join([*topics, *(f'dlq.{topic}' for topic in topics)])};" in script


def test_the_image_runs_as_nobody_in_particular() -> None:
    lines = (ROOT / "Dockerfile").read_text("utf-8").splitlines()
    assert "USER 10001:10001" in lines
    assert "STOPSIGNAL SIGTERM" in lines
    assert 'ENTRYPOINT ["payload-worker"]' in lines
    assert any("--require-hashes -r requirements/run.txt" in line for line in lines)


def test_what_the_image_is_built_from_reaches_the_build() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line[:1] == "!"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {"pyproject.toml", "requirements/run.txt", project["project"]["readme"], wheel["hooks"]["custom"]["path"]}
    needed |= {*project["project"]["license-files"], *wheel["packages"], *wheel.get("force-include", ())}
    assert needed - kept == set()
