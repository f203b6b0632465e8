"""What scripts and adapters of others rely on, pinned: a change here is a change for them, and needs a note in the
changelog.
"""

import inspect
from dataclasses import fields, is_dataclass
from types import ModuleType
from typing import Any

import pytest

from personastream import errors, ports, records, settings, testing
from personastream.errors import AttemptError, ExitCode, PersonaStreamError, RowError, RunError
from personastream.limits import Limits

NAMES = {
    records: {"Shard", "Position", "Row", "DeadRow", "DeadLetter", "Prices", "Batch", "Request", "Completion"},
    settings: {"setting"},
    ports: {
        "Ask", "Offload", "Source", "Transform", "StatefulTransform", "Recipe", "Provider", "Limit", "Chunk",
        "ShardState", "Sink", "Checkpoints", "Tokens", "NO_TOKENS", "Embedder", "Embedding", "Inferring", "Growing",
        "Stock", "Meeting", "Judgement", "Screen", "Watch",
    },
    errors: {
        "ExitCode", "PersonaStreamError", "RunError", "ConfigError", "BadInput", "TooManyDead", "CannotCreate",
        "RunExists", "RunBusy", "ManifestMismatch", "CorruptOutput", "StorageFailed", "DiskFull", "ProviderDown",
        "ProviderRejected", "QuotaSpent", "SpendLimitReached", "DiskStillFull", "RequestsRefused", "AttemptError",
        "ExtractionSuspected", "LicenceRefused", "NoRoom", "NoConfinement", "SourceDown", "SourceRefused",
        "ScreenedOut",
        "Throttled", "Unreachable", "Unavailable", "StaleConnection", "NotFound", "Refused", "Unauthorized", "RowError",
        "Unscreened",
    },
    testing: {
        "ListSource", "ScriptedProvider", "Echo", "MemorySink", "NoCheckpoints", "MemoryCheckpoints", "inline",
        "no_fault", "no_refusal",
    },
}  # fmt: skip

FIELDS: dict[type[Any], tuple[str, ...]] = {
    records.Shard: ("index", "stem", "path", "size_bytes", "fingerprint", "licence"),
    records.Position: ("shard", "row"),
    records.Row: ("shard", "number", "text", "reply", "id", "origin", "licence"),
    records.DeadRow: ("number", "reason", "detail", "text", "response", "origin", "licence"),
    records.Batch: (
        "shard", "start", "stop", "numbers", "texts", "dropped", "dead", "replies", "origins", "lines",
        "last", "bytes_read", "licences"),
    records.Request: ("system", "user", "parameters", "provider", "history"),
    records.DeadLetter: ("row", "asked"),
    records.Completion: (
        "text", "finish_reason", "model", "input_tokens", "output_tokens", "body", "cached_tokens", "headers",
    ),
    records.Prices: ("input", "cached_input", "output"),
    ports.Judgement: ("reasons", "redacted"),
    ports.Chunk: ("shard", "kind", "lines", "outcomes", "usage"),
    ports.ShardState: ("settled", "counts", "usage", "rows", "revived"),
    Limits: (
        "attempts_max", "backoff_s", "backoff_s_max", "hedge_after_s", "hedge_share_max", "outage_s_max", "pause_s_max",
        "spend_max", "drain_s_max", "dead_share_max",
    ),
}  # fmt: skip

METHODS: dict[type[Any], dict[str, tuple[str, ...]]] = {
    ports.Source: {"shards": (), "read": ("shard", "start")},
    ports.Transform: {"__call__": ("batch",)},
    ports.StatefulTransform: {"expect": ("rows",), "learnt": (), "learn": ("records",)},
    ports.Recipe: {"__call__": ("row", "ask")},
    ports.Screen: {"__call__": ("texts", "ask")},
    ports.Provider: {"complete": ("request",), "aclose": ()},
    ports.Limit: {
        "change": ("ceilings", "now_s"),
        "wait_s": ("request", "now_s"),
        "take": ("request",),
        "settle": ("reserved", "used"),
    },
    ports.Sink: {
        "attach": ("run_id", "shards"),
        "recover": (),
        "commit": ("chunk",),
        "finish": ("shard", "rows"),
        "revive": ("shard", "rows"),
        "letters": ("shard",),
    },
    ports.Checkpoints: {
        "load": ("not_after", "transforms"),
        "save": ("at", "transforms"),
    },
    ports.Watch: {"committed": ("chunk",), "problem": ()},
    records.Batch: {"keep": ("mask", "reason"), "only": ("mask",)},
}

PROPERTIES = {
    ports.Screen: {"name", "on", "policy"},
    ports.Watch: {"alert"},
    ports.Provider: {"in_flight_max", "requests_per_minute", "tokens_per_minute"},
    ports.Limit: {"bounds"},
    ports.Sink: {"path", "commit_rows_max", "commit_bytes_max", "commit_interval_s"},
}

EXIT_CODES = {
    "DONE": 0, "BUG": 1, "USAGE": 64, "BAD_DATA": 65, "UNAVAILABLE": 69, "CANNOT_CREATE": 73, "IO_ERROR": 74,
    "WORK_LEFT": 75, "NO_PERMISSION": 77, "CONFIG": 78,
}  # fmt: skip

EXIT_CODE_OF = {
    errors.ConfigError: 78,
    errors.LicenceRefused: 78,
    errors.ManifestMismatch: 78,
    errors.BadInput: 65,
    errors.TooManyDead: 65,
    errors.CannotCreate: 73,
    errors.RunExists: 73,
    errors.RunBusy: 73,
    errors.CorruptOutput: 74,
    errors.StorageFailed: 74,
    errors.NoRoom: 74,
    errors.ProviderDown: 69,
    errors.ProviderRejected: 77,
    errors.QuotaSpent: 75,
    errors.SpendLimitReached: 75,
    errors.ExtractionSuspected: 75,
    errors.DiskStillFull: 75,
    errors.RequestsRefused: 78,
    errors.NoConfinement: 78,
    errors.SourceDown: 69,
    errors.SourceRefused: 77,
}


def own_names(module: ModuleType) -> set[str]:
    """Public names that a module defines itself, classes and functions and documented aliases."""
    defined = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    }
    return defined | ({"Ask"} if module is ports else set())


@pytest.mark.parametrize("module", NAMES, ids=lambda module: module.__name__)
def test_modules_offer_these_names(module: ModuleType) -> None:
    type_variables = {"T"}
    assert own_names(module) - type_variables == NAMES[module]


@pytest.mark.parametrize("kind", FIELDS, ids=lambda kind: kind.__name__)
def test_records_have_these_fields_in_this_order(kind: type[Any]) -> None:
    found = tuple(field.name for field in fields(kind)) if is_dataclass(kind) else kind._fields
    assert found == FIELDS[kind]


@pytest.mark.parametrize("port", METHODS, ids=lambda port: port.__name__)
def test_methods_take_these_arguments(port: type[Any]) -> None:
    for name, arguments in METHODS[port].items():
        assert tuple(inspect.signature(getattr(port, name)).parameters) == ("self", *arguments)


@pytest.mark.parametrize("port", PROPERTIES, ids=lambda port: port.__name__)
def test_ports_have_these_properties(port: type[Any]) -> None:
    assert {name for name, value in vars(port).items() if isinstance(value, property)} == PROPERTIES[port]


def test_a_setting_takes_these_arguments() -> None:
    found = tuple(inspect.signature(settings.setting).parameters)
    assert found == ("doc", "default", "default_factory", "minimum", "maximum", "choices", "identity", "path")


def test_exit_codes_are_a_contract() -> None:
    assert {code.name: code.value for code in ExitCode} == EXIT_CODES


def test_every_error_that_stops_a_run_has_its_exit_code() -> None:
    stopping = {error for error in vars(errors).values() if isinstance(error, type) and issubclass(error, RunError)}
    assert {error: error.exit_code for error in stopping - {RunError}} == EXIT_CODE_OF
    assert RunError.exit_code == ExitCode.BUG


def test_errors_are_split_by_what_happens_next() -> None:
    branches = (RunError, AttemptError, RowError, errors.ScreenedOut, errors.DiskFull)
    for error in vars(errors).values():
        if isinstance(error, type) and issubclass(error, PersonaStreamError) and error is not PersonaStreamError:
            assert sum(issubclass(error, branch) for branch in branches) == 1


@pytest.mark.parametrize("module", NAMES, ids=lambda module: module.__name__)
def test_whatever_is_public_is_documented(module: ModuleType) -> None:
    assert module.__doc__
    for name in NAMES[module] - {"Ask"}:
        assert inspect.getdoc(getattr(module, name)), name


def test_every_limit_says_what_it_is_for() -> None:
    for field in fields(Limits):
        assert field.metadata["doc"]
        assert field.metadata["minimum"] <= field.default <= field.metadata["maximum"]
        assert not field.metadata["identity"]
