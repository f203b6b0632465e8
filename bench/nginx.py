"""nginx as an instant chat-completions server: every request gets the same complete reply of about 1 KB.

    python -m bench.nginx [--port 18400]

It takes some 50,000 requests a second on one core, so it is never what a client's benchmark measures.
"""

import argparse
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import orjson

CONTENT = (
    "Math problem: a beekeeper moves 18 hives to a field of clover. Each hive fills a super of 12 kg in 9 days when "
    "the weather holds, and in 14 days when it rains. It rains on 5 of the first 20 days. How many full supers can "
    "she take home after those 20 days if a hive always finishes one super before it starts on the next, and how "
    "many kilograms of honey are left in the unfinished ones? Give both figures."
)
REPLY = {
    "id": "chatcmpl-000000000000000000000000000",
    "object": "chat.completion",
    "created": 1767225600,
    "model": "bench-model-2026-01-01",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": CONTENT, "refusal": None, "annotations": []},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {
        "prompt_tokens": 231,
        "completion_tokens": 104,
        "total_tokens": 335,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    },
    "service_tier": "default",
    "system_fingerprint": "fp_0000000000",
}
SETTINGS = """
daemon off;
master_process off;
worker_rlimit_nofile 65536;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    tcp_nodelay on;
    client_body_buffer_size 64k;
    client_max_body_size 4m;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} reuseport backlog=4096;
        location /v1/chat/completions {{ default_type application/json; return 200 '{reply}'; }}
        location /v1/models {{ default_type application/json; return 200 '{models}'; }}
    }}
}}
"""


@contextmanager
def instant_server(core: int, port: int = 0) -> Iterator[str]:
    """Run nginx, pinned to a core, and yield its base URL. Port 0 takes a free one."""
    nginx = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    if nginx is None:
        raise SystemExit("nginx is missing. Install it: apt-get install nginx-light (no service has to run).")
    port = port or free_port()
    with tempfile.TemporaryDirectory(prefix="bench-nginx-") as folder:
        reply = orjson.dumps(REPLY).decode()
        models = orjson.dumps({"object": "list", "data": [{"id": "bench", "object": "model"}]}).decode()
        settings = Path(folder, "nginx.conf")
        settings.write_text(SETTINGS.format(folder=folder, port=port, reply=reply, models=models))
        with subprocess.Popen([nginx, "-c", str(settings)], stderr=subprocess.DEVNULL) as server:
            os.sched_setaffinity(server.pid, {core})
            try:
                wait_until_listening(port)
                yield f"http://127.0.0.1:{port}/v1"
            finally:
                server.terminate()


def free_port() -> int:
    """A port of the loopback address that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def wait_until_listening(port: int) -> None:
    """Return once connections are accepted."""
    deadline_s = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.02)


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=18400)
    with instant_server(core=1, port=parser.parse_args().port) as base_url, suppress(KeyboardInterrupt):
        print(base_url, flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
