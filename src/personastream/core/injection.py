"""Attempts to turn data into orders: instructions to a model, control tokens, templates, markup, escapes. Pure.

Whatever is found here is harmless to the program, which never reads data as any of these; it may not be to a model,
or to those who show or train on a text.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from personastream.core.marks import Found, apart
from personastream.core.markup import CONTROL_TOKENS, TAGS
from personastream.core.suspects import linear, suspects

_GAP = r"(?:\W+\w+){0,5}?\W+"
_INSTRUCTIONS = re.compile(
    rf"""
    \b(?:ignore|disregard|forget|override|bypass|discard|neglect)\b{_GAP}
        (?:instructions?|prompts?|rules|guidelines|directions|directives|constraints|programming)\b
    | \b(?:ignore|disregard|forget)\s(?:everything|anything|all(?:\sof\s(?:this|that|it))?)
        \s(?:above|before|said|you|that\scame)\b
    | \b(?:reveal|print|repeat|show|output|leak|display|disclose)\b{_GAP}(?:system|hidden|initial)\sprompt\b
    | \b(?:reveal|print|repeat|show|output|leak|disclose)\s(?:me\s)?your\s(?:\w+\s)?(?:instructions|prompt|rules)\b
    | \byou\sare\s(?:now|no\slonger)\s(?:an?|the|in|bound|dan|chatgpt)\b | \bfrom\snow\son,?\syou\b
    | \b(?:new|updated|real|actual)\s(?:system\s)?(?:instructions?|task)\s?: | \bsystem\s(?:override|prompt|message)\s?:
    | \b(?:developer|dan|god|jailbreak)\smode\b | \bdo\sanything\snow\b | \bjailbreak(?:ed|ing)?\b
    | \b(?:respond|reply|answer)\s(?:only\s|just\s|instead\s|exactly\s)?with
        \s(?:only\s|exactly\s|just\s|nothing\sbut\s|the\sword)
    | \b(?:instead|afterwards?|first),?\s(?:say|write|print|output|reply|respond)\b
    | \b(?:ignorier|vergiss|missacht|vergesst)\w*{_GAP}(?:anweisung|regel|vorgabe|prompt|instruktion)\w*
    | \b(?:ignore[zr]?|oublie[zr]?)\b{_GAP}(?:instructions?|consignes?|règles)\b
    | \b(?:ignora|olvida|descarta|omite)\w*{_GAP}(?:instrucciones|reglas|indicaciones)\b
    | \b(?:ignor[ae]|esque[cç]a|desconsidere)\w*{_GAP}(?:instruções|regras|istruzioni|regole)\b
    | \b(?:dimentica|scorda)\w*{_GAP}(?:istruzioni|regole)\b
    | \b(?:про)?(?:игнорируй|забудь)\w*{_GAP}(?:инструкци|правил|указани)\w*
    | (?:忽略|无视|忘记|忘掉|不要理会|忽視|無視).{{0,10}}(?:指令|指示|提示|规则|要求)
    | (?:指示|命令|プロンプト|ルール).{{0,8}}(?:無視|忘れ)
    | (?:지시|명령|규칙|프롬프트).{{0,8}}(?:무시|잊)
    | निर्देश.{{0,20}}(?:अनदेखा|भूल|नज़रअंदाज)
    | (?:تجاهل|انس).{{0,30}}(?:التعليمات|الأوامر|القواعد)
    """,
    re.IGNORECASE | re.VERBOSE,
)
_TEMPLATES = re.compile(
    r"\{\{.{0,300}?\}\}|\{%.{0,300}?%\}|\{#.{0,300}?#\}|\$\{.{1,200}?\}|<%.{0,300}?%>|#\{.{1,200}?\}|%\(\w{1,40}\)[sdr]"
    r"|\{\w{0,40}(?:\.|\[)[\w.\[\]'\"]{0,200}\}|__(?:class|globals|subclasses|builtins|import|init|mro|base)__",
    re.DOTALL,
)
_ACTIVE = re.compile(
    r"\b(?:javascript|vbscript|data:text/html)\s?:|\bon(?:load|error|click|mouse\w{2,8}|focus)\s?=", re.IGNORECASE
)
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]{0,40}[ -/]{0,8}[@-~]|\x1b[\]PX^_][^\x07\x1b]{0,400}(?:\x07|\x1b\\)?"
    r"|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|\r(?!\n)"
)
_INVISIBLE = re.compile("[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c\U000e0000-\U000e007f]")
_PATHS = re.compile(
    r"(?:\.\.[/\\]){1,40}[\w./\\-]{0,80}|(?:%2e%2e|\.\.)(?:%2f|%5c)[\w.%-]{0,80}|(?<![\w/])/(?:etc|proc|root|var/log|dev)/[\w./-]{1,80}"
    r"|\bfile:///?[\w./-]{0,80}|\b[A-Z]:\\(?:windows|users)\\",
    re.IGNORECASE,
)

PATTERNS: Mapping[str, Sequence["re.Pattern[str]"]] = {
    "control_token": (CONTROL_TOKENS,),
    "escape": (_ESCAPES,),
    "invisible": (_INVISIBLE,),
    "template": (_TEMPLATES,),
    "html": (TAGS, _ACTIVE),
    "path": (_PATHS,),
    "instructions": (_INSTRUCTIONS,),
}
KINDS = tuple(PATTERNS)


def find(texts: Sequence[str], kinds: Collection[str] = KINDS) -> dict[int, list[Found]]:
    """What is found in each text that has something, by its place in `texts`."""
    found = {}
    for place in suspects(texts, _signs()):
        if here := apart(list(_all(texts[place], kinds))):
            found[place] = here
    return found


def _all(text: str, kinds: Collection[str]) -> Iterator[Found]:
    for kind, patterns in PATTERNS.items():
        if kind in kinds:
            for pattern in patterns:
                yield from (Found(kind, *match.span()) for match in pattern.finditer(text))


@cache
def _signs() -> Any:
    """What every attempt has at least."""
    return linear(
        (
            r"<[|/!%A-Za-z｜]|\[/?[A-Z]{4}|[{#$%]\{|\{[%#\w]*[.\[]|\{[%#]|%\(|__[a-z]",
            r"\r[^\n]",
            r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x{80}-\x{9f}\x{200e}\x{200f}\x{61c}\x{202a}-\x{202e}\x{2066}-\x{2069}\x{e0000}-\x{e007f}]",
            r"\.\.[/\\%]|%2[eE]%2[eE]|/(?i:etc|proc|root|var|dev)/|(?i:file:)|:\\|(?i:script|html)\s?:|\b(?i:on[a-z]{4,12})\s?=",
            r"(?i:instruct|prompt|instru[cç]|istruzion|anweisung|instrukt|vorgabe|consigne|indicacion)",
            r"(?i:инструкц|правил|указани)",
            r"(?i:ignor|disregard|forget|jailbreak| mode\b|anything now|from now|are (?:now|no longer))",
            r"(?i:(?:answer|reply|respond)\s|instead|afterward|first|programming|règles|regel|regras|reglas|regole)",
            r"(?i:(?:task|system|human|assistant|override)[ a-z]*:)",
            r"忽|无视|忘|不要理会|無視|지시|명령|규칙|프롬프트|निर्देश|تجاهل|انس",
        )
    )
