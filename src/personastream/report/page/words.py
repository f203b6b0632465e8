"""Numbers, times and names as people read them."""

import math
from datetime import datetime

_SPACE = "\u00a0"
"""Between a number and its unit no line ends."""

_THOUSANDS = ("", *(f"{_SPACE}{unit}" for unit in "kMGT"))
_BYTES = ("bytes", "kB", "MB", "GB", "TB", "PB")
_LANGUAGES = {
    **{"en": "English", "zh": "Chinese", "de": "German", "fr": "French", "es": "Spanish", "it": "Italian"},
    **{"pt": "Portuguese", "nl": "Dutch", "ru": "Russian", "uk": "Ukrainian", "pl": "Polish", "cs": "Czech"},
    **{"sv": "Swedish", "da": "Danish", "no": "Norwegian", "nb": "Norwegian", "fi": "Finnish", "hu": "Hungarian"},
    **{"ja": "Japanese", "ko": "Korean", "ar": "Arabic", "he": "Hebrew", "hi": "Hindi", "tr": "Turkish"},
    **{"vi": "Vietnamese", "id": "Indonesian", "th": "Thai", "el": "Greek", "ro": "Romanian", "ca": "Catalan"},
    **{"fa": "Persian", "bg": "Bulgarian", "la": "Latin", "et": "Estonian", "eo": "Esperanto", "ms": "Malay"},
}


def number(value: float) -> str:
    """A whole number in full."""
    return f"{round(value):,}"


def short(value: float) -> str:
    """A number to three digits, such as 1.23 M."""
    if abs(value) < 1000:
        return f"{value:.3g}" if abs(value) >= 0.001 or not value else f"{value:.1g}"
    power = min(int(math.log10(abs(value)) // 3), len(_THOUSANDS) - 1)
    if round(abs(value) / 1000**power, 2) >= 1000 and power < len(_THOUSANDS) - 1:
        power += 1
    return f"{value / 1000**power:.3g}{_THOUSANDS[power]}"


def percent(share: float) -> str:
    """A share with one decimal, never rounded to nothing or to all."""
    if 0 < share < 0.001:
        return f"<{_SPACE}0.1{_SPACE}%"
    if 0.999 < share < 1:
        return f">{_SPACE}99.9{_SPACE}%"
    return f"{100 * share:.{0 if share in (0, 1) else 1}f}{_SPACE}%"


def money(amount: float) -> str:
    """An amount in whatever currency the prices were."""
    return f"{amount:,.2f}" if amount >= 1 or not amount else f"{amount:.3g}"


def size(count: float) -> str:
    """Bytes in the largest unit that leaves a number above 1."""
    power = min(int(math.log10(count) // 3), len(_BYTES) - 1) if count >= 1 else 0
    return f"{count / 1000**power:.3g}{_SPACE}{_BYTES[power]}"


def duration(seconds: float) -> str:
    """Two units of time at most."""
    whole = round(seconds)
    for unit, in_s, smaller, smaller_s in (("d", 86_400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= in_s:
            rest = whole % in_s // smaller_s
            first = f"{whole // in_s}{_SPACE}{unit}"
            return f"{first} {rest}{_SPACE}{smaller}" if rest else first
    return f"{whole}{_SPACE}s"


def moment(iso: str) -> str:
    """A moment to the minute, in UTC."""
    return f"{datetime.fromisoformat(iso):%Y-%m-%d %H:%M} UTC"


def reason(name: str | None, others: int = 0) -> str:
    """A short label in words; the rest of them all, if it has no name."""
    return name.replace("_", " ") if name is not None else f"{others:,} more"


def language(code: str) -> str:
    """A language by its ISO 639-1 code, if it is a common one."""
    return _LANGUAGES.get(code, code)
