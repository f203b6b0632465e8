"""The alerts, on a clock of Prometheus' own: each comes when it should, and none while all is well."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson
import pytest

pytestmark = pytest.mark.slow

CONFIGS = Path(__file__).parents[2] / "configs" / "prometheus"
RUN = 'run="math"'
WELL = {
    'up{job="personastream"}': "1+0x120",
    "personastream_ready": "1+0x120",
    "personastream_draining": "0+0x120",
    f'personastream_run_state{{{RUN}, state="running"}}': "1+0x120",
    f'personastream_rows_committed_total{{{RUN}, stage="", status="delivered"}}': "0+600x120",
    f'personastream_rows_dead_total{{{RUN}, stage="", reason="contract"}}': "0+6x120",
    'personastream_requests_total{endpoint="a", label="host", code_class="answered"}': "0+600x120",
    'personastream_requests_total{endpoint="a", label="host", code_class="throttled"}': "0+6x120",
    'personastream_endpoint_up{endpoint="a", label="host"}': "1+0x120",
    f'personastream_request_duration_seconds_bucket{{{RUN}, le="100.0"}}': "0+600x120",
    f'personastream_request_duration_seconds_bucket{{{RUN}, le="200.0"}}': "0+600x120",
    f'personastream_request_duration_seconds_bucket{{{RUN}, le="+Inf"}}': "0+600x120",
    "personastream_disk_free_bytes": "100e9+0x120",
    f"personastream_cost_total{{{RUN}}}": "0+0.1x120",
    f"personastream_cost_limit{{{RUN}}}": "100+0x120",
    "personastream_service_cost_total": "0+0.1x120",
    "personastream_service_cost_limit": "0+0x120",
    "personastream_memory_bytes": "1e9+0x120",
    "personastream_memory_limit_bytes": "20e9+0x120",
    "personastream_descriptors": "300+0x120",
    "personastream_descriptors_limit": "65536+0x120",
    "personastream_event_loop_lag_seconds": "0.01+0x120",
}
"""Two hours of a service in which all is well: a value for each minute."""

ILL: Mapping[str, Mapping[str, str]] = {
    "PersonastreamDown": {'up{job="personastream"}': "0+0x120"},
    "PersonastreamNotReady": {"personastream_ready": "0+0x120"},
    "PersonastreamRunFailed": {f'personastream_run_state{{{RUN}, state="failed"}}': "1+0x120"},
    "PersonastreamRunWaits": {f'personastream_run_state{{{RUN}, state="waiting"}}': "1+0x120"},
    "PersonastreamNoProgress": {
        f'personastream_rows_committed_total{{{RUN}, stage="", status="delivered"}}': "600+0x120",
        f'personastream_rows_dead_total{{{RUN}, stage="", reason="contract"}}': "6+0x120",
    },
    "PersonastreamManyDead": {f'personastream_rows_dead_total{{{RUN}, stage="", reason="contract"}}': "0+100x120"},
    "PersonastreamThrottled": {
        'personastream_requests_total{endpoint="a", label="host", code_class="throttled"}': "0+100x120"
    },
    "PersonastreamEndpointDown": {'personastream_endpoint_up{endpoint="a", label="host"}': "0+0x120"},
    "PersonastreamSlowRequests": {f'personastream_request_duration_seconds_bucket{{{RUN}, le="100.0"}}': "0+500x120"},
    "PersonastreamDiskSoonFull": {"personastream_disk_free_bytes": "100e9-0.6e9x120"},
    "PersonastreamSpend80": {f"personastream_cost_limit{{{RUN}}}": "14+0x120"},
    "PersonastreamMemory": {"personastream_memory_bytes": "19.5e9+0x120"},
    "PersonastreamDescriptors": {"personastream_descriptors": "65000+0x120"},
    "PersonastreamLoopLate": {"personastream_event_loop_lag_seconds": "3+0x120"},
}


def found(folder: Path, *cases: Mapping[str, str]) -> str:
    """Which alerts are there after two hours of each case, in promtool's words, which expects none."""
    silent = [{"eval_time": "2h", "alertname": name, "exp_alerts": []} for name in ILL]
    tests = [
        {
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in case.items()],
            "alert_rule_test": silent,
        }
        for case in cases
    ]
    path = folder / "rules.yml"  # JSON is YAML
    path.write_bytes(
        orjson.dumps({"rule_files": [str(CONFIGS / "alerts.yml")], "evaluation_interval": "1m", "tests": tests})
    )
    return promtool("test", "rules", str(path))


def promtool(*arguments: str) -> str:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=60, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def alerts() -> Sequence[str]:
    lines = (CONFIGS / "alerts.yml").read_text("utf-8").splitlines()
    return [line.split(": ")[1] for line in lines if line.strip().startswith("- alert:")]


def test_the_files_are_valid() -> None:
    assert promtool("check", "config", str(CONFIGS / "prometheus.yml")) == ""


def test_every_alert_is_tried() -> None:
    assert sorted(alerts()) == sorted(ILL)


def test_while_all_is_well_there_is_none(tmp_path: Path) -> None:
    assert found(tmp_path, WELL) == ""


def test_each_comes_when_it_should(tmp_path: Path) -> None:
    text = found(tmp_path, *({**WELL, **changed} for changed in ILL.values()))
    assert [alert for alert in ILL if f'alertname="{alert}"' not in text] == []
    assert text.count("alertname=") == len(ILL)
