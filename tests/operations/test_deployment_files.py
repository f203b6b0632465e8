"""Dockerfile, Compose file and what they mount: whole, pinned, on loopback. Docker itself is not asked."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from personastream.serve.settings import NAME, load_settings

CONFIGS = Path(__file__).parent.parent.parent / "configs"
ROOT = CONFIGS.parent
DOCKERFILE = CONFIGS / "docker" / "Dockerfile"
COMPOSE = CONFIGS / "docker" / "compose.yaml"
PYPROJECT = (ROOT / "pyproject.toml").read_text("utf-8")


def instructions() -> Iterator[tuple[str, str]]:
    """Of the Dockerfile: each instruction with its arguments, on one line."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text("utf-8"), flags=re.MULTILINE)
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip():
            name, _, rest = line.strip().partition(" ")
            yield name, rest


def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(COMPOSE.read_text("utf-8"))
    return document


def test_the_dockerfile_needs_nothing_that_is_not_there() -> None:
    found = list(instructions())
    assert {name for name, _ in found} <= {
        *("FROM", "ENV", "COPY", "RUN", "USER", "WORKDIR", "VOLUME"),
        *("STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"),
    }
    for name, rest in found:
        if name == "COPY":
            assert all((ROOT / source).exists() for source in shlex.split(rest)[:-1])
        if name == "FROM":
            assert re.fullmatch(r"python:3\.\d+-slim", rest)


def test_the_image_does_not_run_as_root_and_has_the_extras() -> None:
    found = dict(instructions())
    assert found["USER"] == "personastream"
    (extras,) = re.findall(r"/src\[([a-z,]+)\]", DOCKERFILE.read_text("utf-8"))
    assert all(re.search(rf"^{extra} = \[", PYPROJECT, re.MULTILINE) for extra in extras.split(","))
    assert {"metrics", "telemetry"} <= set(extras.split(","))
    assert found["CMD"] == '["serve", "--root", "/var/lib/personastream"]'


def test_only_what_the_image_needs_is_sent_to_the_builder() -> None:
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    kept = {line[1:] for line in lines if line.startswith("!")}
    copied = {source for name, rest in instructions() if name == "COPY" for source in shlex.split(rest)[:-1]}
    assert "*" in lines
    assert kept == copied


def test_the_compose_file_is_one() -> None:
    PyCompose.from_yaml(COMPOSE.read_text("utf-8")).validate()
    with pytest.raises(ValueError, match="netwrk_mode"):
        PyCompose.from_yaml(COMPOSE.read_text("utf-8").replace("network_mode", "netwrk_mode"))


def test_what_is_mounted_is_there_and_all_volumes_are_named() -> None:
    document = compose()
    for service in document["services"].values():
        for mount in service["volumes"]:
            source = mount.split(":")[0]
            if source.startswith("."):
                assert (COMPOSE.parent / source).is_dir()
            else:
                assert source in document["volumes"]


def test_nothing_listens_beyond_this_machine() -> None:
    services = compose()["services"]
    assert all(service["network_mode"] == "host" for service in services.values())
    assert "--web.listen-address=127.0.0.1:9090" in services["prometheus"]["command"]
    assert services["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
    assert not any("ports" in service for service in services.values())
    assert load_settings(Path("/nowhere") / NAME).api.listen.startswith("127.0.0.1:")


def test_images_are_pinned_to_a_release() -> None:
    images = [service["image"] for service in compose()["services"].values() if "build" not in service]
    assert images
    assert all(re.search(r":v?\d+\.\d+\.\d+$", image) for image in images)


def test_grafana_finds_prometheus_and_the_dashboard() -> None:
    folder = COMPOSE.parent / "grafana"
    (source,) = yaml.safe_load((folder / "datasources" / "prometheus.yaml").read_text())["datasources"]
    (provider,) = yaml.safe_load((folder / "dashboards" / "personastream.yaml").read_text())["providers"]
    mounted = dict(mount.split(":")[:2] for mount in compose()["services"]["grafana"]["volumes"])
    assert source["url"] == "http://127.0.0.1:9090"
    assert provider["options"]["path"] == mounted["../grafana"]
    home = compose()["services"]["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (CONFIGS / "grafana" / Path(home).name).is_file()


def test_the_example_of_settings_is_one(tmp_path: Path) -> None:
    """As it stands it changes nothing; with all that is commented out in force, every key is one."""
    example = CONFIGS / NAME
    assert load_settings(example) == load_settings(tmp_path / "none")
    text = re.sub(r"^# (?=\w+ = |\[\[)", "", example.read_text("utf-8"), flags=re.MULTILINE)
    (tmp_path / NAME).write_text(text)
    settings = load_settings(tmp_path / NAME)
    assert [hook.url for hook in settings.several["webhook"]] == ["https://example.org/hooks/personastream"]
    assert settings.endpoints[0].requests_per_minute == 600
    assert settings.single == {**load_settings(tmp_path / "none").single, "api": settings.api}
    assert settings.api.hosts == ["personas.example:443"]
