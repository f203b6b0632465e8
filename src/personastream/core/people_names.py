"""Real, named individuals in texts: who is presented as its person, by how texts introduce people. Pure.

A name alone proves nothing: places, teams and firms are written alike. What counts is a name where a person is
introduced ("Ada Lovelace, born 1815, …", "named …", "the wife of …"), or one of some very well-known names. Somebody
who is only admired, read or quoted is not described, and counts only where that is asked for.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from personastream.core.marks import Found, apart
from personastream.core.suspects import linear, suspects

PRESENTED, WELL_KNOWN, MENTIONED = "presented", "well_known", "mentioned"
_PART = r"[A-ZÀ-ÖØ-ÞĀ-ŽА-ЯΑ-Ω][\w'’-]*[a-zß-öø-ÿā-žа-яα-ω]"
_BETWEEN = r"(?:\s(?:[A-Z]\.|de|da|di|du|del|della|van|von|der|den|bin|ibn|al|el|la|le|dos|y))"
_NAME = rf"{_PART}(?:{_BETWEEN}{{0,3}}\s{_PART}){{1,3}}"
_TITLE = (
    r"(?:(?:Dr|Prof|Mr|Mrs|Ms|Sir|Dame|Lord|Lady|President|Senator|Chancellor|Pope|King|Queen|Prince|Princess|Judge"
    r"|Justice|General|Captain|Sheikh|Saint|Herr|Frau|Monsieur|Madame|Señora?|Signora?|Don|Doña)\.?\s)"
)
_BEHIND = (
    r"(?:\s?\((?:born\b|b\.|né|\d{4}|\*|c\.)|,?\s(?:born|né|née|nacid[oa]|geboren|nat[oa])\b"
    r"|,\s(?:an?|the|who|whose|aged?|der|die|eine?|une?|l[ae]|el|un[oa]?|\d{1,3}\b)|\s(?:is|was|ist|war|est|était|es|fue|è|era)\s)"
)
_INTRODUCED = re.compile(
    rf"(?:\A|[.!?]\s|\n)[\"“«]?(?P<first>{_TITLE}?{_NAME})(?={_BEHIND})"
    rf"|\b(?:named|called|known\sas|name\sis|namens|genannt|heißt|nommée?|appelée?|llamad[oa]|chiamat[oa]|chamad[oa]"
    rf"|по\sимени)\s[\"“«]?(?P<named>{_TITLE}?{_NAME})"
    rf"|\b(?:I\sam|I['’]m|ich\sbin|je\ssuis|(?:yo\s)?soy|sono|eu\ssou)\s(?P<own>{_NAME})(?=[,.]|\s(?:and|und|et|y|e|who)\b)"
    rf"|\b(?:wife|husband|widow|widower|son|daughter|brother|sister|mother|father|partner|bodyguard|ghostwriter|manager"
    rf"|assistant|biographer|neighbou?r)\s(?:of|to)\s(?P<kin>{_TITLE}?{_NAME})"
    rf"|(?:\A|\bis\s|\bwas\s)(?P<titled>{_TITLE}{_PART}(?:{_BETWEEN}{{0,2}}\s{_PART}){{0,2}})(?=[,.\s(]|\Z)"
)
_UNSPACED = re.compile(
    r"(?:名叫|名为|名字是|姓名[是:：]|名前は|本名[是は:：])(?P<name>[\u3040-\u30ff\u3400-\u9fff·・]{2,8}?)(?=[，。、,.的でと（(\s]|\Z)"
)
_NO_PERSON = re.compile(
    r"\b(?:The|An?|This|That|Eine?|Une?|Der|Die|Das|Les?|Las?|Los|El|University|College|School|Academy|Institute|Club|League|Cup|Company|Corporation|Inc|Ltd|Group"
    r"|Bank|Hospital|Church|Museum|Street|Road|Avenue|Park|River|Lake|Mount|Island|Islands|City|County|State|States"
    r"|Kingdom|Republic|Province|District|Valley|North|South|East|West|New|United|American|British|German|French|Indian"
    r"|Chinese|Japanese|African|European|Asian|Press|Times|Post|News|Journal|Magazine|Awards?|Festival|Party|Ministry"
    r"|Department|Services?|Project|Program|Society|Association|Foundation|Union|Network|Studio|Games?|Music|Band|War"
    r"|Engineer|Teacher|Doctor|Nurse|Manager|Professor|Student|Developer|Director|Officer|Senior|Junior|Chief|Former)\b"
)
_NO_NAME = (
    r"On|In|At|By|For|From|Since|During|After|Before|Until|Within|Without|With|Over|Under|Above|Below|Between|Among"
    r"|Across|Around|Through|Throughout|Despite|Because|Although|Though|While|When|Where|If|Unless|Once|As|Last|Next"
    r"|Every|Each|Both|Most|Many|Some|Several|Few|All|Another|Other|Then|Now|Today|Tomorrow|Yesterday|Tonight|Here|There"
    r"|However|Meanwhile|Later|Finally|Only|Still|Yet|And|But|Not|One|Two|Three|Four|Five|Six|Seven|Eight|Nine|Ten|Like|Unlike|Given|Thanks|Our|My|His|Her"
    r"|Their|Its|Your|These|Those|What|Which|How|Why|Against|Beyond|Near|Inside|Outside|Behind|Besides|Upon|Via"
    r"|Beim|Nach|Seit|Vor|Mit|Ohne|Für|Auf|Aus|Unter|Über|Zwischen|Während|Wegen|Trotz|Heute|Gestern|Wenn|Dort|Hier"
    r"|En|Dans|Pour|Avec|Sans|Sous|Sur|Depuis|Pendant|Après|Avant|Chez|Entre|Vers|Selon|Malgré|Parmi|Quand|Chaque|Hier"
    r"|Para|Por|Sobre|Desde|Durante|Según|Tras|Hasta|Cuando|Cada|Hoy|Ayer|Nel|Nella|Nei|Negli|Dopo|Secondo|Oggi"
    r"|Ogni|Quando|Em|Com|Após|Até|Hoje|Ontem"
)
"""Words with which a sentence begins, and no name; what is one somewhere (Al, Even, Son, Till …) is not here."""
_DAY = r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?|(?:Mon|Diens|Donners|Frei|Sams|Sonn)tag|Mittwoch|Sonnabend"
_MONTH = (
    r"January|February|March|April|May|June|July|August|September|October|November|December"
    r"|Januar|Jänner|Februar|März|Mai|Juni|Juli|Oktober|Dezember"
)
_SEASON = r"Frühling|Frühjahr|Sommer|Herbst|Winter|Spring|Summer|Autumn|Morgen|Abend|Jahr"
_TIME = re.compile(
    rf"\A(?:(?:{_NO_NAME}|Am|Im|Ab|Bis|Jeden|Early|Late|Mid)\s(?:{_DAY}|{_MONTH}|{_SEASON})"
    rf"|(?:{_DAY})(?=\s(?:Morning|Afternoon|Evening|Night|Lunch))"
    rf"|(?:Good|Easter|Black|Ash|Palm|Holy|Whit|Cyber|Super|Shrove|Giving)\s(?:{_DAY}))(?:\s|\Z)"
)
"""A time at the beginning of a sentence; a day or a month alone may be somebody's name (Rick Monday, May Sinclair)."""
_OPENING = re.compile(rf"\A(?:{_NO_NAME})\s")
_ADMIRED = re.compile(
    r"\b(?:fans?|admir\w*|follow\w*|idoli[sz]\w*|inspired\sby|influenced\sby|works?\s(?:of|by)|books?\s(?:of|by)|music\s(?:of"
    r"|by)|quot\w*|reads?|reading|stud(?:y|ies|ied|ying)|listens?\sto|enthusiast\w*|critic\w*|expert\son|scholar\w*"
    r"|biograph\w*|songs?\s(?:of|by)|films?\s(?:of|by)|theor(?:y|ies)\sof|loves?|enjoys?|supporter\w*|watch\w*|about|like|thesis|essay|history\sof|account\sof)\b",
    re.IGNORECASE,
)
_REACH = 60

KNOWN = tuple(
    name.strip()
    for name in """
    Albert Einstein, Isaac Newton, Marie Curie, Charles Darwin, Ada Lovelace, Alan Turing, Nikola Tesla,
    Stephen Hawking, Sigmund Freud, Karl Marx, Mahatma Gandhi, Nelson Mandela, Martin Luther King,
    Abraham Lincoln, George Washington, Winston Churchill, Adolf Hitler, Joseph Stalin, Mao Zedong,
    Napoleon Bonaparte, Julius Caesar, Queen Elizabeth, Princess Diana, John F. Kennedy, Barack Obama,
    Michelle Obama, Donald Trump, Joe Biden, Kamala Harris, Hillary Clinton, Bill Clinton, George W. Bush,
    Angela Merkel, Emmanuel Macron, Vladimir Putin, Volodymyr Zelensky, Xi Jinping, Narendra Modi,
    Boris Johnson, Margaret Thatcher, Pope Francis, Dalai Lama, Mother Teresa, Greta Thunberg,
    Malala Yousafzai, Elon Musk, Bill Gates, Steve Jobs, Jeff Bezos, Mark Zuckerberg, Warren Buffett, Tim Cook,
    Sam Altman, Jack Ma, Larry Page, Sergey Brin, Oprah Winfrey, Taylor Swift, Beyoncé Knowles,
    Michael Jackson, Elvis Presley, John Lennon, Paul McCartney, Bob Dylan, David Bowie, Lady Gaga, Ed Sheeran,
    Kanye West, Kim Kardashian, Justin Bieber, Ariana Grande, Billie Eilish, Frank Sinatra, Marilyn Monroe,
    Audrey Hepburn, Charlie Chaplin, Tom Hanks, Tom Cruise, Brad Pitt, Angelina Jolie, Leonardo DiCaprio,
    Meryl Streep, Scarlett Johansson, Emma Watson, Keanu Reeves, Steven Spielberg, Alfred Hitchcock,
    Quentin Tarantino, Walt Disney, William Shakespeare, Jane Austen, Charles Dickens, Mark Twain,
    Ernest Hemingway, Leo Tolstoy, Franz Kafka, Stephen King, J. K. Rowling, J.K. Rowling, Pablo Picasso,
    Vincent van Gogh, Leonardo da Vinci, Frida Kahlo, Andy Warhol, Salvador Dalí, Ludwig van Beethoven,
    Wolfgang Amadeus Mozart, Johann Sebastian Bach, Lionel Messi, Cristiano Ronaldo, Diego Maradona,
    David Beckham, Serena Williams, Roger Federer, Rafael Nadal, Novak Djokovic, Usain Bolt, Muhammad Ali,
    Mike Tyson, Michael Jordan, LeBron James, Kobe Bryant, Tiger Woods, Simone Biles, Lewis Hamilton,
    Tom Brady, Sachin Tendulkar, Neil Armstrong, Yuri Gagarin, 习近平, 毛泽东, 邓小平, 马云, 马化腾, 任正非, 姚明,
    鲁迅, 成龙, 李小龙, 周杰伦, 屠呦呦, 安倍晋三, 宮崎駿, 村上春樹, 大谷翔平, 黒澤明,
    Владимир Путин, Лев Толстой, Юрий Гагарин
    """.replace("\n", " ").split(",")
)
"""Some very well-known people; a list that anybody can lengthen, and none can complete."""
_KNOWN = re.compile(
    "|".join(rf"(?<![^\W_]){re.escape(name)}(?![a-z])" for name in sorted(KNOWN, key=len, reverse=True))
)
_KNOWN_UNSPACED = re.compile("|".join(name for name in KNOWN if name >= "\u3040"))


def find(texts: Sequence[str], *, mentioned: bool = False) -> dict[int, list[Found]]:
    """Where real people are named that texts are about, or `mentioned` in any way, by the places of the texts."""
    found = {}
    for place in suspects(texts, _candidates()):
        if here := apart(list(_in(texts[place], mentioned))):
            found[place] = here
    return found


def may_name(text: str) -> bool:
    """Whether a text has what could be a name at all: two words with capitals, or letters that have none."""
    return bool(suspects([text], _candidates()))


def marked(text: str, names: Sequence[str]) -> str:
    """The text with `[person]` in place of each name."""
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, "[person]")
    return text


@cache
def _candidates() -> Any:
    """Two words with capitals, some short ones between them perhaps; or letters of a script that has no capitals."""
    return linear(
        (
            r"\p{Lu}[\pL'’-]+(?:\s[\pL.]{1,5}){0,3}\s\p{Lu}",
            r"(?:Dr|Prof|Mr|Mrs|Ms|Sir)\.?\s\p{Lu}",
            r"[\x{3040}-\x{30ff}\x{3400}-\x{9fff}\x{ac00}-\x{d7af}\x{590}-\x{7ff}\x{900}-\x{fff}]",
        )
    )


def _in(text: str, mentioned: bool) -> Iterator[Found]:
    for pattern in (_KNOWN, *(() if text.isascii() else (_KNOWN_UNSPACED,))):
        for match in pattern.finditer(text):
            if not _ADMIRED.search(text, max(0, match.start() - _REACH), match.start()):
                yield Found(WELL_KNOWN, *match.span())
            elif mentioned:
                yield Found(MENTIONED, *match.span())
    for match in _INTRODUCED.finditer(text):
        group = match.lastgroup or ""
        start, stop = match.span(group)
        if group == "first":
            start += _time_before(match[group])
        if _is_name(text[start:stop]):
            yield Found(PRESENTED, start, stop)
    if not text.isascii():
        yield from (Found(PRESENTED, *match.span("name")) for match in _UNSPACED.finditer(text))


def _time_before(words: str) -> int:
    """How long the time is with which a sentence begins, such as `On Monday `; what follows may be a name."""
    time = _TIME.match(words)
    return time.end() if time else 0


def _is_name(words: str) -> bool:
    return len(words.split()) > 1 and not _OPENING.match(words) and not _NO_PERSON.search(words)
