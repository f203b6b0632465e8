"""A run directory in which everything that may come from outside is hostile to the page that shows it."""

from pathlib import Path
from typing import Any

from personastream.records import DeadRow
from tests.support.ended_run import Row, record, write_run

TEXTS = (
    "<script>window.pwned = 1</script>",
    "</style></title><script>window.pwned = 2</script><style>",
    "<img src=http://127.0.0.1:9/x onerror='window.pwned = 3'>",
    '" onmouseover="window.pwned = 4" x="',
    "<svg onload='window.pwned = 5'><a href='javascript:window.pwned = 6'>x</a></svg>",
    "<!-- <![CDATA[ ]]> --> &lt;script&gt; &#60;script&#62;",
    "{{7*7}} ${7*7} %s %(x)s {0} \\u003cscript\\u003e",
    "\u202e\u2066turned round\u2067 \u200fand back",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x9b31m",
    "nul \0 and \ufffe and \ufdd0 and \U000e0041",
    "Z" + "\u0301\u0302\u0303" * 400,
    "W" * 1_000_000,
    "one\r\ntwo\rthree\u2028four",
    "",
)


def hostile_run(directory: Path) -> Path:
    """Write it."""
    rows: list[Row] = []
    for number, text in enumerate(TEXTS * 3):
        meta: dict[str, Any] = {"model": text[:200], "finish_reason": text[:200], "template": text[:200]}
        rows.append(record(text, text, **meta))
        rows.append(
            {
                "persona": text,
                "meta": {**record("")["meta"], "hop": number % 3, "root": text[:99], "relation": text[:99]},
            }
        )
        rows.append(DeadRow(0, text[:60] or "nothing", text[:999], text))
        rows.append(text[:60] or "nothing")
    rows += [
        {
            "persona": "x",
            "meta": {"usage": {"input_tokens": 1e308}, "hop": 2**63 - 1, "created": "9999-12-31T23:59:59Z"},
        }
    ]
    return write_run(directory, {"<b onclick=x>shard & \u202e": rows})
