"""People in simulated replies: a description for each line `Person 1 (label)` of a prompt. Pure."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from personastream.simulator.draws import draw

OPENING = "Person 1"
"""The opening of templates that ask for people."""

PEOPLE_MAX = 100
_ASKED_FOR = re.compile(r"^Person \d+ \((.+)\)$", re.MULTILINE)


class Person(NamedTuple):
    """One entry of a reply, under the keys that the shipped templates give it in JSON."""

    relation: str
    persona: str


def labels_in(instructions: str) -> list[str]:
    """What stands in the brackets of the lines that ask for people."""
    return [found[1] for found, _ in zip(_ASKED_FOR.finditer(instructions), range(PEOPLE_MAX), strict=False)]


def people_for(labels: Sequence[str], number: int) -> list[Person]:
    """Somebody for each label, by the 64-bit `number`."""
    return [Person(label, _describe(draw(number, place, 0))) for place, label in enumerate(labels)]


class PeopleStock:
    """Replies that complete the lines of a prompt, whatever length is wanted."""

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = labels

    def compose(self, persona: str, number: int, bytes_wanted: float) -> str:
        """A line a person; who they are does not depend on `persona`."""
        people = people_for(self._labels, number)
        return "\n".join([f"Person {place} ({who.relation}): {who.persona}" for place, who in enumerate(people, 1)])


def _describe(number: int) -> str:
    bits = _digits(number)
    who, job, field, where, trait = (
        words[next(bits) % len(words)] for words in (_WHO, _JOBS, _FIELDS, _WHERE, _TRAITS)
    )
    return _FORMS[next(bits) % len(_FORMS)].format(who=who, job=job, field=field, where=where, trait=trait)


def _digits(number: int) -> Iterator[int]:
    """Numbers below 1,024, from the bits of a 64-bit one."""
    while True:
        yield number & 1023
        number >>= 10


def _words(listed: str) -> tuple[str, ...]:
    return tuple(" ".join(word.split()) for word in listed.split(","))


_FORMS = (
    "{who} {job} {where} who specialises in {field} and {trait}.",
    "{who} {job} known for {field}, who {trait}.",
    "{who} {job} {where}. Devoted to {field}, they are someone who {trait}.",
    "{who} {job} who {trait} and spends what time is left on {field}.",
    "{who} {job} {where} who {trait}; their real interest is {field}.",
    "{who} {job} who came to {field} late and {trait}.",
)
_WHO = _words("""
    A retired, A young, A self-taught, A widowed, A newly qualified, A stubborn, A soft-spoken, A left-handed, A
    sceptical, A part-time, A third-generation, A recently divorced, A tireless, An overworked, An immigrant, A
    nearly blind, A well-read, A cautious, An ambitious, A home-schooled, A former, A bilingual, A travelling, A
    disillusioned, A patient, A deaf, A homesick, An anxious, A respected, A penniless, A cheerful, A strict""")
_JOBS = _words("""
    beekeeper, tax adviser, ferry pilot, midwife, primary-school teacher, stonemason, court interpreter, bus driver,
    marine biologist, night porter, pastry cook, school pupil, dialysis patient, union organiser, dentist,
    bookbinder, air-traffic controller, shepherd, violin maker, paramedic, street musician, geologist, care
    assistant, database administrator, boxer, puppeteer, customs officer, welder, radio presenter, orchard keeper,
    chess coach, pharmacist, sound engineer, foster parent, cartographer, hospital cleaner, rugby referee, potter,
    notary, tram fitter, glaciologist, bank clerk, fishmonger, prison librarian, tailor, telescope operator, game
    designer, mountain guide, undertaker, brewer, statistician, carpenter, speech therapist, allotment gardener,
    cobbler, translator, surveyor, crane operator, costume designer, vet, archivist, mine inspector, choir leader,
    lighthouse keeper""")
_FIELDS = _words("""
    medieval trade routes, the history of vaccines, soil chemistry, choral music, railway timetables, insolvency
    law, bird migration, restoring old radios, grief counselling, number theory, wild yeast, tidal energy, sign
    languages, the care of premature babies, antique clocks, drought-resistant seeds, forensic accounting, the
    poetry of exile, road safety, board games, open-source software, cave diving, local elections, coral diseases,
    furniture joints, heart rhythms, comic books, water rights, the mathematics of queues, amateur astronomy, folk
    dance, cold-climate vegetables, sports injuries, textile dyes, maps of vanished villages, early printing, food
    allergies, prosthetic hands, earthquake-proof housing, mushroom growing, crossword puzzles, debt advice, the
    physics of bells, ship wrecks, dog training, dementia, patent disputes, school meals, steam engines, the ethics
    of zoos, snow science, detective novels, rooftop gardens, medieval weapons, refugee law, sleep disorders, river
    pollution, cheese making, satellite images, hip replacement, carnival masks, long-distance running, street
    lighting, wedding photography""")
_WHERE = _words("""
    from a mining town, on a Baltic island, in a crowded port city, from the high plateau, in a suburb of Lagos, in
    a mountain valley, at a rural clinic, from Chengdu, at a small university, near the border, in a former steel
    town, on a research vessel, at a monastery school, in southern Chile, from Marseille, in a prefabricated block,
    on the night shift, at a family business, in a village without a shop, from Gdansk, in the Mekong delta, at the
    city archive, in a desert outpost, from Kerala, in a provincial theatre, on the west coast, at a refugee camp,
    in the old quarter, from Winnipeg, behind the scenes of a film, in a lakeside resort, at the edge of the
    rainforest""")
_TRAITS = _words("""
    keeps a diary of every mistake, distrusts all averages, writes long letters to the editor, teaches the
    neighbours' children for nothing, cannot pass a second-hand bookshop, saves for a boat, has never learnt to say
    no, records dialects before they vanish, argues with experts online, cares for a sick parent, plans to start
    again abroad, collects broken instruments, reads everything twice, sings while working, volunteers with the fire
    brigade, is writing a memoir, measures the rainfall every morning, mistrusts new software, wants to prove a
    teacher wrong, repairs what others throw away, walks to work in any weather, sleeps four hours, organises the
    street festival, hides a talent for drawing, keeps the accounts of three clubs, lost a leg as a child, explains
    everything with football, grows medicinal herbs, studies for a late degree, paints signs by hand, knows the
    whole valley by name, still owes a brother money""")
