"""The words of simulated replies, as data: for each reply opening, ways to begin, to go on and to end.

`{persona}` stands for the persona, once in every lead or in none; any other slot for a word of `BANKS`, chosen anew at
each place.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Style(NamedTuple):
    """How replies with one opening read. `lead` follows the opening; `close` ends the reply; `gap` parts sentences."""

    lead: tuple[str, ...]
    body: tuple[str, ...]
    close: tuple[str, ...]
    gap: str = " "


def _words(listed: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in listed.split(","))


BANKS: Mapping[str, tuple[str, ...]] = {
    "number": tuple(str(number) for number in (*range(3, 60), *range(60, 400, 7), *range(400, 5000, 61))),
    "few": tuple(str(number) for number in range(3, 13)),
    "share": _words("a third, two fifths, a quarter, five eighths, one ninth, three sevenths, a twelfth, half"),
    "day": _words("Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday"),
    "time": _words("spring, late summer, the first frost, harvest, the long rains, midwinter, the holidays"),
    "place": _words("""the old tannery, a workshop by the canal, the reading room, a hill farm, the ferry landing,
        the north ward, a rented garage, the village school, a roadside market, the observatory, a quiet laboratory,
        the rehearsal hall, a mountain hut, the harbour office, the allotments, a county archive, the repair bay,
        a clinic on the ring road"""),
    "thing": _words("""lanterns, seed packets, violin strings, ceramic tiles, notebooks, sample jars, bicycle wheels,
        route maps, wool blankets, glass lenses, brass hinges, tea crates, test strips, clay pots, circuit boards,
        sheet-music folders, wooden beams, spice tins, field radios, maple saplings, bandage rolls, chess sets,
        copper coils, survey stakes"""),
    "measure": _words("metres, kilometres, paces, feet, yards, fathoms, furlongs, miles"),
    "figure": _words("""a right triangle, a regular hexagon, a circle inscribed in a square, a cone cut by a plane,
        a triangular lattice, a trapezoid with integer sides, a pair of tangent circles, a closed polygon of paths"""),
    "who": _words("""an apprentice, a neighbour, a retired surveyor, the night shift, a visiting inspector, a rival,
        a younger colleague, the committee, a former student, an old friend, the supplier, a patient"""),
    "does": _words("sorts, measures, weighs, repairs, counts, labels, compares, rebuilds, trades, records, tests"),
    "quality": _words("""patient, neglected, stubborn, surprisingly exact, costly, frank, half-forgotten, delicate,
        practical, plain, slow but certain, well documented, risky, generous"""),
    "subject": _words("""keeping records, reading a faulty gauge, choosing the right tool, asking better questions,
        planning around the weather, working with scarce material, telling noise from signal, handing knowledge on,
        timing a difficult step, spotting the first sign of wear, dividing a task fairly, estimating first"""),
    "reason": _words("""the first attempt looks right and is not, small errors add up unseen,
        nobody writes down what failed, the usual advice assumes better equipment, haste costs twice as much later,
        people trust the average and forget the spread, the exceptions teach more than the rule,
        what works in one season fails in the next"""),
    "name": _words("Tamsin, Orlo, Wrenna, Calder, Ysolt, Piran, Maerwyn, Jory, Senara, Hedrek, Bryluen, Corent"),
    "surname": _words("""Saltlock, Vane, of the Ninth Lamp, Drywell, Kelpgate, Stillwater, of the Bare, Ropewright"""),
    "race": _words("Wallfolk, Brinekin, Coralborn, Gullmen"),
    "trait": _words("""with ink-stained hands, who counts under the breath, with a limp and no regret,
        who never sits with a back to a door"""),
    "class": _words("Salvager, Lampwright, Chartmaker, Tidecaller, Bellwarden, Mender"),
    "secret": _words("""a sealed letter, a debt to the court, the place of an unmapped well, a lost sister,
        a bell that rings by itself"""),
    "help": _words("plan, explain, compare, draft, check, shorten, rearrange, calculate, summarise, translate"),
}

MATH = Style(
    lead=(
        "On {day} everything turns on one person: {persona}.",
        "The setting is {place}, and at its centre stands one person: {persona}.",
        "Consider the following situation in the life of one person: {persona}.",
        "A careful plan is needed before {time} by one person: {persona}.",
    ),
    body=(
        "There are {number} {thing}, stacked so that each row holds {number} fewer than the row below it.",
        "On {day}, {share} of the {thing} are moved to {place}, which leaves {number} modulo {number}.",
        "{number} {thing} are arranged along the sides of {figure} whose longest side measures {number} {measure}.",
        "Every {few} minutes one of {number} {thing} is replaced; it is faulty with a chance of 1 in {number}.",
        "The way from {place} to {place} is {number} {measure} long, walked in steps of {few} or {number}.",
        "If {who} {does} {number} of them in an hour, then {who} needs {number} minutes longer for the same work.",
        "The cost never exceeds {number}, yet each of the {few} groups receives at least {number} {thing}.",
        "A label is an integer below {number} whose digits add up to {number}, and no two {thing} share a label.",
        "The area of {figure} drawn on the floor of {place} equals {number} square {measure}.",
        "After {few} days the supply has shrunk by {share}, and from then on daily by {share} of the rest.",
        "Two of the {number} {thing} are counterfeit, and a balance may be used at most {few} times.",
    ),
    close=(
        "In how many ways can this be done so that no two neighbours receive the same number of {thing}?",
        "What is the smallest number of {thing} for which the plan works?",
        "Find the exact length, in {measure}, of the shortest route that meets all of these conditions.",
        "What is the expected number of {thing} that remain after {few} rounds, as a fraction in lowest terms?",
        "Determine the greatest integer that always divides the final count of {thing}.",
    ),
)

REQUEST = Style(
    lead=(
        "Some background first, I would describe myself like this: {persona}.",
        "I need your help before {time}. To put you in the picture: {persona}.",
        "You should know who is asking: {persona}.",
    ),
    body=(
        "At {place} I have {number} {thing} and {number} {measure} of room, {share} of what I had last year.",
        "Please {help} the two options I have: one is {quality}, the other {quality}.",
        "My difficulty is {subject}, because {reason}.",
        "So far {who} only {does} the {thing}, and I suspect that {reason}.",
        "I have until {day}, a budget of {number} and nobody but {who} to ask.",
        "Keep in mind that {who} will read it and has never dealt with {subject}.",
        "Last {day} I tried a {quality} method from a handbook, but {reason}.",
    ),
    close=(
        "Could you {help} this in at most {few} sentences?",
        "Give me a table with one line for each of the {few} steps, and say which one you doubt most.",
        "What would you do first, and what would make you change your mind?",
    ),
)

ARTICLE = Style(
    lead=(
        "What {place} taught me about {subject}\n\nI write this from where I stand: {persona}.",
        "The {quality} side of {subject}\n\nA word about who is speaking: {persona}.",
        "Why {subject} is harder than it looks\n\nMy answer comes from my own days, for this is who I am: {persona}.",
    ),
    body=(
        "Outsiders think that {subject} is a matter of talent; in truth it is {quality} work, because {reason}.",
        "In {time} I watched {who} who {does} {thing} by hand, {number} a day, and only {share} of them were right.",
        "The rule I use has three parts, and the {quality} one is {subject}.",
        "Take a real case from {place}: {number} {thing}, {number} {measure} of space and one {day} to finish.",
        "Where it goes wrong, it goes wrong early: {reason}.",
        "The textbooks give a value near {number}, but at {place} I have never seen more than {number}.",
        "Ask {who} about {subject} and you will hear a {quality} story; ask for the numbers and you will hear none.",
        "I keep {number} pages of notes on {subject}, and {share} of them begin with a mistake of my own.",
    ),
    close=(
        "That, in the end, is what {subject} comes down to.",
        "Beyond that my knowledge ends, and I would ask {who}.",
        "If you remember one thing, let it be that {reason}.",
    ),
)

CHARACTER = Style(
    lead=(
        "{name} {surname}\nRace: {race}, {trait}.\nClass: {class}, known for {subject}.\n"
        "Background: In another telling this would be the whole of it: {persona}.",
    ),
    body=(
        "Since {time} the road to {place} has belonged to nobody else.",
        "It began when {who} lost {number} {thing} beyond the last sea wall and only {share} of them were found.",
        "The harbour court calls the work {quality}; {who} calls it something else.",
        "Every {day} the lamps are counted at {place}, and {number} of them are always dark.",
        "What counts is {subject}, for out on the salt {reason}.",
        "A {quality} bargain with {who} still has {number} days to run.",
    ),
    close=(
        "\nInteraction with Players: Met at {place} on any {day}, asks for {number} {thing}, offers a {quality} map, "
        'and says: "Mind that {reason}." What is kept secret is {secret}.',
    ),
)

LOGIC = Style(
    lead=(
        "At {place}, everybody depends on one person: {persona}.",
        "The following is known of a day in the life of one person: {persona}.",
    ),
    body=(
        "If the {thing} are not checked on {day}, then {who} leaves before {who}.",
        "Of the {few} people at {place}, exactly one always tells the truth, and it is not {who}.",
        "{who} was at {place} on {day}, or the {thing} were moved, but not both.",
        "Nobody who {does} the {thing} on {day} does so on {day} as well.",
        "{who} came directly before {who}, and neither of them came last.",
        "The {quality} {thing} never stand next to those that {who} brought.",
    ),
    close=(
        "Who was at {place} on {day}?",
        "In which order did they arrive?",
        "Which of the statements must be false?",
    ),
)

SPACE = Style(
    lead=(
        "Picture {place} as it is seen every morning by one person: {persona}.",
        "Stand where this person stands, facing north: {persona}.",
    ),
    body=(
        "The {thing} lie to the left of the door, and behind them, one above the other, {few} more.",
        "You turn right, take {few} steps, turn right again and see {place} straight ahead.",
        "A box is tipped over its eastern edge, then over its northern one; the side with the {thing} is now on top.",
        "In the mirror on the southern wall the {thing} seem to hang to the right of the window.",
        "A sheet is folded twice, from left to right and from top to bottom, and a hole is cut at the open corner.",
        "{who} walks once around the table against the sun and stops opposite the {thing}.",
    ),
    close=(
        "In which direction are you looking at the end?",
        "What lies on the far left, seen from the window?",
        "Which side is on the floor after the last move?",
    ),
)

TRICK = Style(
    lead=(
        "You will understand why I ask when I say who I am: {persona}.",
        "Something has puzzled me for years, in the life that I lead: {persona}.",
    ),
    body=(
        "Since the {thing} at {place} are counted every {day}, do they stop being there on the other days?",
        "If haste makes waste, how many {measure} of waste do {few} minutes make?",
        "{who} says that time heals all things, so why are the {thing} still broken after {number} days?",
        "The sign says that {place} is closed until further notice, so how far away may the notice be?",
    ),
    close=(
        "How should I work that out?",
        "Which of the two should I do first?",
        "Or have I been paid too little all along?",
    ),
)

CODE = Style(
    lead=(
        '\n# Made for this interface: {persona}\ndef run(amount: float, place: str = "here") -> dict[str, float]:\n'
        '    """Work it out for one place. Raises ValueError for a negative amount."""\n'
        '    if amount < 0:\n        raise ValueError(f"amount must not be negative, but is {{amount}}")',
    ),
    body=(
        "\n    amount += {number}  # {subject}",
        "\n    amount = min(amount, {number})  # {reason}",
        "\n    amount -= {few}  # what {who} {does}",
    ),
    close=('\n    return {{"amount": amount}}\n```',),
    gap="",
)

EXERCISE = Style(
    lead=(
        "Before {time} a list has to be put in order by one person: {persona}.",
        "Somebody has more records than hours, and asks you for a function: {persona}.",
    ),
    body=(
        "Each of the {number} records is a pair of a name and a whole number of {thing}, from 0 to {number}.",
        "Records with fewer than {few} {thing} count as one group, whatever their names.",
        "Of two records with the same number, the one that was written down first comes first.",
        "An empty list gives an empty list; a negative number raises ValueError.",
        "At most {few} records may follow one another with the same name, and further ones go to the end.",
    ),
    close=(
        "\n\n```python\ndef sort_{few}(records: list[tuple[str, int]]) -> list[tuple[str, int]]:\n"
        '    """Return the records in the order that is asked for."""\n```',
    ),
)

CHAT = Style(
    lead=(
        "That depends, above all, on {subject}.",
        "Start with {subject}, and leave the rest for {day}.",
        "Two things matter here: {subject}, and who is going to use it.",
    ),
    body=(
        "In practice {reason}, so write down {number} cases before you decide.",
        "Ask {who}, compare the {quality} way with the {quality} one, and keep the figures.",
        "With {number} {thing} in {place}, a margin of {few} is enough.",
        "If that fails, go back to {subject}: most of the time {reason}.",
        "Set aside {share} of the {thing}, then check them again on {day}.",
        "The {quality} part is {subject}, which takes {few} days, more or less.",
    ),
    close=(
        "Tell me how many {thing} there are, and I will work it out.",
        "That should do, as long as nobody but {who} changes it.",
    ),
)

PLAIN = Style(
    lead=("This is about one person: {persona}.", "Let us begin with the person described: {persona}."),
    body=ARTICLE.body,
    close=("That is the whole of the answer.", "More could be said about {subject}, but this will do."),
)

_KINDS = _words("""soil moisture, invoice, night bus, blood sugar, archive scan, tide, allergy, grant deadline,
    wind load, spare part""")

VALUES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "function_name": (
        _words("find, estimate, compare, track, check, fetch, predict, reconcile"),
        tuple(f"_{kind.replace(' ', '_')}" for kind in _KINDS),
        _words("_history, _risk, _for_place, _by_week, _range, _report"),
    ),
    "name": (
        tuple(kind.capitalize() for kind in _KINDS),
        (" tracker", " finder", " estimator", " monitor", " ledger"),
    ),
    "description": (
        _words("Looks up, Measures, Watches, Calculates, Compares"),
        tuple(f" {kind} figures" for kind in _KINDS),
        (" for a given place and week", " over any stretch of time", " from the last known record"),
        ("; it cannot tell why they change.", "; no expert's eye is replaced.", ", in the unit that is asked for."),
    ),
}
"""What properties of JSON replies hold, by name: one of each of the parts, joined."""

STYLES: Mapping[str, Style] = {
    "Math problem:": MATH,
    "User prompt:": REQUEST,
    "Title:": ARTICLE,
    "Name:": CHARACTER,
    "Logic problem:": LOGIC,
    "Spatial problem:": SPACE,
    "Trick question:": TRICK,
    "```python": CODE,
    "Question:": EXERCISE,
}
