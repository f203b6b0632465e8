"""The exact message of every shipped template and mode, as files to be read: `python -m tests.support.prompts`."""

from pathlib import Path

import orjson

from personastream.launch.estimate import first_request
from personastream.ports import Recipe
from personastream.recipes.generate import Generate
from personastream.recipes.persona_to_persona import PersonaToPersona
from personastream.recipes.template_files import template_names
from personastream.recipes.text_to_persona import TextToPersona
from personastream.records import Request, Row

FOLDER = Path(__file__).parent.parent / "recipes" / "prompts"

PERSONA = "A night nurse on a dialysis ward who paints ships"
TEXT = "Tides turn twice a day.\nAsk the harbour office for <the table>."

OF_TEXTS = ("text_to_persona", "text_to_persona_json")
OF_PROBLEMS = ("math_solution", "math_program", "math_judge", "math_eval")
OF_PERSONAS = ("persona_to_persona", "persona_to_persona_json")


def recipes() -> dict[str, Recipe]:
    """A recipe for each template and mode."""
    found: dict[str, Recipe] = {
        name: Generate(template=name) for name in template_names() if name not in OF_TEXTS + OF_PERSONAS
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
    return f"[system]\n{request.system}\n[user]\n{request.user}\n[parameters]\n{parameters}\n"


def messages() -> dict[str, str]:
    """By name of template and mode."""
    return {
        name: message(first_request(recipe, Row(0, 7, content_of(name), id="people:7")))
        for name, recipe in recipes().items()
    }


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for file in FOLDER.glob("*.txt"):
        file.unlink()
    for name, text in messages().items():
        (FOLDER / f"{name}.txt").write_text(text, encoding="utf-8")
