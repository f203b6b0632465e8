"""The patterns of `core.quality`, by rule: how replies begin that are no persona, and what stands in none. Pure.

Beginnings are matched against lower-case text without quotation marks before it.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

_REFUSAL = r"""
    (?:i(?:['’]m|\ am)\ (?:very\ |so\ |really\ |truly\ )?(?:sorry|unable|not\ able|afraid\ (?:i|that)))
    | i\ (?:cannot|can['’]t|can\ not|won['’]t|will\ not|must\ decline)\b
    | it\ is\ (?:not\ possible|impossible)\ (?:for\ me\ )?to\b
    | (?:sorry|unfortunately|apologies|my\ apologies)\s?[,.!:]
    | as\ an?\ (?:ai|artificial\ intelligence|(?:large\ )?language\ model|chatbot)\b
    | (?:很?抱歉|对不起|不好意思)[，,。！ ]?(?:我|但|，|,)
    | 作为(?:一个|一名)?(?:ai|人工智能|语言模型)
    | 我(?:无法|不能)(?:提供|协助|完成|回答|生成)
    | (?:lo\ siento|je\ suis\ désolée?|désolée?|(?:es\ )?tut\ mir\ leid|mi\ dispiace|sinto\ muito|desculpe)\b
    | (?:извините|к\ сожалению|申し訳|すみません|죄송)
"""
_PREAMBLE = r"""
    (?:sure(?:\ thing)?|certainly|of\ course|absolutely|okay|ok|alright|great|no\ problem|got\ it)
      (?:\s?[,!.:]|\s?[—–]|\ -\ )
    | (?:here|below)(?:['’]s|\ is|\ are)\ (?:a|an|the|some|one|two|three|\d|your|my)\b
    | (?:based\ on|according\ to)\ (?:the|this)\ (?:text|article|passage|page|description|information)\b
    | (?:the\ following|this)\ is\ a\ (?:possible\ )?(?:persona|description)\b
    | (?:possible\ |potential\ |fictional\ )?(?:persona|description|output|answer|response|result|relation)
      (?:\ \d+)?\ ?(?:\([^)\n]{1,60}\)\ ?)?[:：]
    | (?:当然|好的)[，,。！!：:]
    | (?:以下|下面)是
    | (?:人设|人物描述|描述|回答|角色)[：:]
    | (?:claro|por\ supuesto|bien\ sûr|voici|natürlich|gerne|certo|конечно|вот)\s?[,!.:]
    | (?:hier|voilà)\ (?:ist|sind|une?)\ (?:ein|eine|die|der|possible|description)\b
"""
_INSTRUCTION = r"""
    (?:please\ )?(?:write|generate|describe|create|provide|explain|imagine|respond|answer|summari[sz]e|translate
      |list|pretend|consider|reply|give\ me|tell\ me)\ (?:a|an|the|me|us|that|this|your|only|in|as|to|with|some)\b
    | (?:make\ sure|be\ sure|remember|do\ not\ forget)\ (?:to|that|you|not)\b
    | (?:please|kindly)\ (?:write|note|make|do|keep|use|provide|ensure)\b
    | you\ (?:are\ (?:now\ )?(?:an?\ (?:ai|assistant|helpful|expert|language)|chatgpt)|must|should|will\ be\ given)\b
    | (?:ignore|disregard|forget)\ (?:all|any|the|your|everything|previous)\b
    | act\ as\ (?:a|an|if)\b
    | (?:system|user|assistant)\ ?[:：]
    | 请(?:写|描述|生成|回答|提供|扮演|忽略|用|你)
    | (?:忽略|无视)(?:之前|以上|前面|所有)
    | 你(?:是一个(?:ai|助手|人工智能)|现在是|必须)
"""
_LIST = r"""
    [•‣◦▪●·*+–—-]\ +\S
    | \(?\d{1,2}[.):、]\ ?(?!\d)\S
    | \(?[a-h]\)\ \S
    | person\ \d+\b
    | \#{1,6}\ \S
    | \|
    | (?:[①②③④⑤⑥⑦⑧⑨⑩]|第[一二三四五六七八九十]+[、，：:])
"""
_NO_PERSONA = r"""
    [{\[]\s*["'{\[]
    | (?:n/?a|none|null|nil|unknown|undefined|nan|test|todo|tbd|empty|not\ applicable|no\ (?:persona|description|text)
        (?:\ available|\ found|\ given)?|lorem\ ipsum\b.*|无|未知|没有)[.。!]?\s*$
    | (?:math|logic|spatial)\ problem:|user\ prompt:|title:|question:
"""
_FIRST_PERSON = (
    r"(?:i|i['’]m|i['’]ve|my|we|our)\ |我(?:是|们|在|的|喜欢|想)|(?:ich\ bin|je\ suis|yo\ soy|soy|eu\ sou|sono)\ "
)

_BEGINNINGS = {
    "refusal": _REFUSAL,
    "preamble": _PREAMBLE,
    "instructions": _INSTRUCTION,
    "list_residue": _LIST,
    "not_a_persona": _NO_PERSONA,
    "first_person": _FIRST_PERSON,
}
BEGINNINGS: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {rule: re.compile(pattern, re.VERBOSE) for rule, pattern in _BEGINNINGS.items()}
)
"""By rule, how a text begins that breaks it."""

ANYWHERE: Mapping[bytes, tuple[str, re.Pattern[str]]] = MappingProxyType(
    {
        b"language model": ("refusal", re.compile(r"\b(?:as|i am|i['’]m|being) an? (?:\w+ ){0,2}language model\b")),
        b"cannot ": ("refusal", re.compile(r"\bi cannot (?:assist|help|fulfil|provide|comply|create|generate)")),
        b"can't ": ("refusal", re.compile(r"\bi can't (?:assist|help|fulfil|provide|comply|create|generate)")),
        b"instruction": (
            "instructions",
            re.compile(
                r"\b(?:ignore|disregard|forget|override)\s(?:\w+\s){0,4}(?:instruction|prompt)"
                r"|\bfollow (?:the|these) instructions (?:above|below)"
            ),
        ),
        b"prompt": (
            "instructions",
            re.compile(r"\b(?:system|above|previous) prompt\b|\bignore\s(?:\w+\s){0,4}prompt|\bprompt:"),
        ),
        "忽略".encode(): ("instructions", re.compile("忽略(?:之前|以上|前面|所有)")),
        b"this persona": ("preamble", re.compile(r"\bthis persona (?:is|would|could|might|has|was)\b")),
        b"let me know": ("preamble", re.compile(r"\blet me know if\b")),
        b"hope this": ("preamble", re.compile(r"\bhope this (?:helps|persona|description|meets)\b")),
        b"```": ("markup", re.compile("```")),
        b"**": ("markup", re.compile(r"\*\*")),
        b"@": ("contact_data", re.compile(r"[\w.+-]+@[\w-]+\.[a-z]{2,}")),
        b"www.": ("contact_data", re.compile(r"\bwww\.[\w-]+\.\w")),
        b"://": ("contact_data", re.compile(r"\b(?:https?|ftp)://\S")),
        b"\n": ("list_residue", re.compile(r"\n\s*(?:[-*•]\s+\S|\d{1,2}[.)]\s+\S)")),
    }
)
"""What breaks a rule wherever it stands: a sign that must be there, then the rule and the whole pattern."""

PHONE = re.compile(r"(?<![\w.])\+?\(?\d(?:[ ().\u00a0/-]{0,2}\d){8,14}(?![\w])")
"""A telephone number, or any other of that many digits."""

MOJIBAKE = re.compile(
    r"""
    [ÃÂ][\u0080-\u00bf‚ƒ„…†‡ˆ‰Š‹Œ‘’“”•˜™š›œžŸ€Ž]
    | â(?:€[\u0080-\u00bf™œžš¦¢˜"“”]|\u0080[\u0080-\u00bf])
    | ðŸ | ï»¿ | ï¿½
    | (?:[ÐÑ][\u0080-\u00bf‚ƒ„…†‡ˆ‰Š‹Œ‘’“”•˜™š›œžŸ€]){2}
    | [äåæçèé][\u0080-\u009f\u00a1-\u00bf‚ƒ„…†‡ˆ‰Š‹Œ•˜™š›œžŸ€]{2}
    """,
    re.VERBOSE,
)
"""UTF-8 that was read as Latin-1 or Windows-1252."""

REPEATED = re.compile(r"([^\s\d.])\1{5}")
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffd\ufffe\uffff\ud800-\udfff]")
"""Controls but tab and line ends, marks that turn the direction of text, and what stands where decoding failed."""
