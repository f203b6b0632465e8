"""Screen `guard_model`: unsafe content, as a model sees it: Llama Guard, ShieldGemma, or any other behind a chat."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from personastream.core.verdicts import verdict
from personastream.errors import RowError
from personastream.ports import Ask, Judgement
from personastream.records import Request
from personastream.screens.judge_prompts import JudgePrompt, load_prompt
from personastream.screens.screen_settings import Asking
from personastream.settings import setting

SHOWN = 80


@dataclass
class GuardModel(Asking):
    """Asks a chat model by the name of its provider about all texts of a row or of its records, in one request."""

    provider: str = setting("Name of the provider to ask; best a reserved one.", default="guard", identity=False)
    prompt: str = setting(
        "How to ask: `llama_guard` and `shieldgemma` for these models, `any_model` for others, or a .toml file.",
        default="llama_guard",
        path=True,
        identity=False,
    )
    _prompt: JudgePrompt = field(init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._prompt = load_prompt(self.prompt)

    @property
    def providers_asked(self) -> tuple[str, ...]:
        """By name."""
        return (self.provider,)

    @property
    def fingerprint(self) -> str:
        """The prompt's content hash, for the manifest."""
        return self._prompt.fingerprint

    async def __call__(self, texts: Sequence[str], ask: Ask) -> Sequence[Judgement]:
        reasons = await asked("\n\n".join(texts), self._prompt, self.provider, self.asks_max, ask)
        return [Judgement(reasons), *[Judgement()] * (len(texts) - 1)]


async def asked(text: str, prompt: JudgePrompt, provider: str, asks_max: int, ask: Ask) -> tuple[str, ...]:
    """What a model says of a text. Raises `RowError` if that is no judgement, however often it is asked."""
    answer = ""
    for time in range(asks_max):
        request: Request = prompt.request(text, provider, time)
        answer = (await ask(request)).text
        found = verdict(answer, prompt.format, prompt.categories)
        if found is not None:
            return found
    raise RowError(f"asked {asks_max} times, {provider} answers {answer[:SHOWN]!r}", reason="no_judgement")
