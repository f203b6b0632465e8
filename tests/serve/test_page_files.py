"""The page's files: what is there, under which guards, and nothing beside them."""

import re
from collections.abc import Mapping
from importlib.resources import files

import aiohttp
import anyio
import pytest

from tests.support.stand_in_service import StandIn, service_view, serving

DASHBOARD = files("personastream.serve").joinpath("dashboard")


def ask(*paths: str, **headers: str) -> list[tuple[int, Mapping[str, str], str]]:
    async def all_of_them() -> list[tuple[int, Mapping[str, str], str]]:
        async with serving(StandIn(service_view()).app()) as url, aiohttp.ClientSession() as session:
            found: list[tuple[int, Mapping[str, str], str]] = []
            for path in paths:
                async with session.get(url.rstrip("/") + path, headers=headers) as response:
                    found.append((response.status, response.headers, await response.text()))
            return found

    return anyio.run(all_of_them)


def test_all_that_the_page_names_is_there() -> None:
    ((status, _, html),) = ask("/")
    assert status == 200
    named = re.findall(r'(?:src|href)="(assets/[^"]+)"', html)
    assert len(named) == 14
    answers = ask(*(f"/{name}" for name in named))
    assert [status for status, _, _ in answers] == [200] * len(named)
    assert "Permission is hereby granted" in answers[-1][2]
    modules = re.findall(r'(?:from|import) "\./([a-z]+\.js)"', "".join(text for _, _, text in answers))
    assert {f"assets/{name}" for name in modules} <= set(named)


def test_nothing_is_loaded_from_elsewhere() -> None:
    written = [each for each in DASHBOARD.iterdir() if each.is_file()]
    assert len(written) >= 10
    for each in written:
        text = each.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "://" not in text, each.name
        assert "innerHTML" not in text, each.name
        assert not re.search(r"<(script|style)(?![^>]*(src=|>\s*$))[^>]*>\S", text), each.name


def test_guards_stand_before_every_file() -> None:
    for _, headers, _ in ask("/", "/assets/main.js", "/assets/dashboard.css"):
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_file_that_is_known_is_not_sent_again() -> None:
    ((_, headers, _),) = ask("/assets/main.js")
    ((status, _, text),) = ask("/assets/main.js", **{"If-None-Match": headers["ETag"]})
    assert (status, text) == (304, "")
    ((status, _, _),) = ask("/assets/main.js", **{"If-None-Match": '"other"'})
    assert status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/assets/",
        "/assets/../page.py",
        "/assets/%2e%2e/page.py",
        "/assets/uplot/LICENSE",
        "/assets/index.html",
        "//etc/passwd",
    ],
)
def test_there_is_no_way_to_other_files(path: str) -> None:
    ((status, _, _),) = ask(path)
    assert status == 404


def test_without_its_package_metrics_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("personastream.serve.metrics.importlib.util.find_spec", lambda name: None)
    ((status, _, text),) = ask("/metrics")
    assert status == 501
    assert "pip install 'personastream[metrics]'" in text
