"""The exact messages of every shipped template and mode, as files to be read: `python -m tests.support.prompts`."""

from pathlib import Path
from typing import Any

import anyio
import orjson

from personastream.build import adapter_class
from personastream.launch.estimate import first_request
from personastream.ports import Inferring, Meeting, Recipe
from personastream.recipes.conversation import Conversation
from personastream.recipes.persona_to_persona import PersonaToPersona
from personastream.recipes.text_to_persona import TextToPersona
from personastream.records import Completion, Request, Row
from tests.support.use_cases import CASES, USE_CASES

FOLDER = Path(__file__).parent.parent / "recipes" / "prompts"

PERSONA = "A night nurse on a dialysis ward who paints ships"
STRANGER = "A harbour pilot who distrusts <satellites>"
INFERRED = "Somebody of whom the text alone tells"
TEXT = "Tides turn twice a day.\nAsk the harbour office for <the table>."

OF_TEXTS = ("text_to_persona", "text_to_persona_json")
OF_PROBLEMS = ("math_solution", "math_program", "math_judge", "math_eval")
OF_PERSONAS = ("persona_to_persona", "persona_to_persona_json")


def recipe_of(settings: dict[str, Any]) -> Recipe:
    """A recipe as a configuration would build it, with all that it has to know before the first row."""
    kind = settings.pop("type", "generate")
    recipe: Recipe = adapter_class("recipe", kind, "test")(**settings)
    if isinstance(recipe, Inferring):
        recipe.learn(dict.fromkeys(recipe.unknown, INFERRED))
    if isinstance(recipe, Meeting) and recipe.strangers:
        recipe.meet([PERSONA, STRANGER])
    return recipe


def recipes() -> dict[str, Recipe]:
    """A recipe for each template and mode; a name without a mode is zero-shot."""
    found: dict[str, Recipe] = {
        name if mode == "zero_shot" else f"{name}-{mode}": recipe_of(USE_CASES[name].settings(mode))
        for name, mode in CASES
    }
    for name in OF_TEXTS:
        for granularity in ("coarse", "fine"):
            for personas in (1, 3):
                recipe = TextToPersona(template=name, granularity=granularity, personas=personas)
                found[f"{name}-{granularity}-{personas}"] = recipe
    for name in OF_PERSONAS:
        found |= {f"{name}-{fan_out}": PersonaToPersona(template=name, fan_out=fan_out) for fan_out in (1, 3)}
    return found


def content_of(name: str) -> str:
    """What stands in the row for this mode."""
    return TEXT if name.startswith((*OF_TEXTS, *OF_PROBLEMS, "tool_code")) else PERSONA


def message(request: Request) -> str:
    """All that is sent, on separate lines."""
    parameters = orjson.dumps(request.parameters, option=orjson.OPT_INDENT_2).decode()
    turns = "\n".join([f"[{one['role']}]\n{one['content']}" for one in request.messages])
    return f"[system]\n{request.system}\n{turns}\n[parameters]\n{parameters}\n"


def later_requests() -> dict[str, Request]:
    """What a conversation asks after the first message: the assistant, the person again, the assistant again."""
    asked: list[Request] = []

    async def answer(request: Request) -> Completion:
        asked.append(request)
        return Completion(f"User prompt: Message {len(asked)} in <b>letters</b>.", "stop", "m", 1, 1, b"{}")

    anyio.run(Conversation(turns=2), Row(0, 7, PERSONA), answer)
    names = ("conversation-answer", "conversation-continuation", "conversation-second-answer")
    return dict(zip(names, asked[1:], strict=True))


def messages() -> dict[str, str]:
    """By name of template and mode."""
    first = {name: first_request(recipe, Row(0, 7, content_of(name))) for name, recipe in recipes().items()}
    return {name: message(request) for name, request in {**first, **later_requests()}.items()}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for file in FOLDER.glob("*.txt"):
        file.unlink()
    for name, text in messages().items():
        (FOLDER / f"{name}.txt").write_text(text, encoding="utf-8")
