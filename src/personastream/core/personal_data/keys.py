"""Keys and tokens of well-known services, by the forms that they publish. Pure."""

import re
from collections.abc import Iterator

FORMS = (
    ("AKIA", r"(?<![A-Za-z0-9_])AKIA[0-9A-Z]{16}(?![A-Za-z0-9_])"),  # Amazon Web Services
    ("ASIA", r"(?<![A-Za-z0-9_])ASIA[0-9A-Z]{16}(?![A-Za-z0-9_])"),
    *(
        (f"gh{kind}_", rf"(?<![A-Za-z0-9_])gh{kind}_[A-Za-z0-9]{{36,255}}(?![A-Za-z0-9_])") for kind in "oprsu"
    ),  # GitHub
    ("github_pat_", r"(?<![A-Za-z0-9_])github_pat_[A-Za-z0-9_]{22,255}(?![A-Za-z0-9_])"),
    ("glpat-", r"(?<![A-Za-z0-9_])glpat-[A-Za-z0-9_-]{20,300}"),  # GitLab
    ("xox", r"(?<![A-Za-z0-9_])xox[abeoprs]-[A-Za-z0-9-]{10,250}"),  # Slack
    ("k_live_", r"(?<![A-Za-z0-9_])[rs]k_live_[A-Za-z0-9]{16,250}(?![A-Za-z0-9_])"),  # Stripe
    ("k_test_", r"(?<![A-Za-z0-9_])[rs]k_test_[A-Za-z0-9]{16,250}(?![A-Za-z0-9_])"),
    ("sk-", r"(?<![A-Za-z0-9_])sk-[A-Za-z0-9_-]{20,250}"),  # OpenAI, Anthropic, OpenRouter, DeepSeek
    ("AIza", r"(?<![A-Za-z0-9_])AIza[A-Za-z0-9_-]{35}"),  # Google
    ("hf_", r"(?<![A-Za-z0-9_])hf_[A-Za-z0-9]{30,40}(?![A-Za-z0-9_])"),  # Hugging Face
    ("npm_", r"(?<![A-Za-z0-9_])npm_[A-Za-z0-9]{36}(?![A-Za-z0-9_])"),
    ("pypi-AgE", r"(?<![A-Za-z0-9_])pypi-AgE[A-Za-z0-9_-]{50,500}"),
    ("SG.", r"(?<![A-Za-z0-9_])SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,64}"),  # SendGrid
    ("dop_v1_", r"(?<![A-Za-z0-9_])dop_v1_[a-f0-9]{64}(?![A-Za-z0-9_])"),  # DigitalOcean
    *(
        (f"shp{kind}_", rf"(?<![A-Za-z0-9_])shp{kind}_[a-fA-F0-9]{{32}}(?![A-Za-z0-9_])")
        for kind in ("at", "ca", "pa", "ss")
    ),  # Shopify
    ("dapi", r"(?<![A-Za-z0-9_])dapi[a-f0-9]{32}(?![A-Za-z0-9_])"),  # Databricks
    (
        "eyJ",
        r"(?<![A-Za-z0-9_])eyJ[A-Za-z0-9_-]{8,2000}\.eyJ[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{8,1000}",
    ),  # JSON web tokens
    (":AA", r"(?<![A-Za-z0-9_])[0-9]{8,10}:AA[A-Za-z0-9_-]{32,34}(?![A-Za-z0-9_])"),  # Telegram
    ("-----BEGIN ", r"-----BEGIN (?:[A-Z]{2,10} )?PRIVATE KEY-----(?:[^-]{0,8000}-----END [A-Z ]{0,30}KEY-----)?"),
)
"""What stands in a key of a service, and the whole of it."""

SIGNS = tuple(sign for sign, _ in FORMS)

_KEYS = [(sign, re.compile(form)) for sign, form in FORMS]
_WORDS = re.compile(r"sk-[a-z]+(?:-[a-z]+)*\Z")
"""Words with hyphens between them are no key."""


def api_keys(text: str) -> Iterator[tuple[int, int]]:
    """Where keys stand."""
    for sign, form in _KEYS:
        if sign in text:
            yield from (match.span() for match in form.finditer(text) if not _WORDS.match(match[0]))
