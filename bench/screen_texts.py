"""Texts to try a screen for personal data on: planted items of 15 locales, and hard negatives without any.

Everything is drawn by a seed. Numbers are random in the form of their country, kept if they pass its published check;
the sentences around them are in its language, and stand in real or simulated personas and replies. The negatives are
what is most often taken for personal data: versions, ISBNs, orders, years, dates, prices, hashes, formulas.
"""

import random
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import NamedTuple

Draw = Callable[[random.Random], str]


class Planted(NamedTuple):
    """A text, the kind and the locale of what is in it, and the item itself."""

    text: str
    kind: str
    locale: str
    item: str


def planted(count: int, personas: Sequence[str], seed: int = 0) -> Iterator[Planted]:
    """So many texts with one item each, the kinds and locales by turns."""
    chance = random.Random(seed)
    cases = [(kind, locale) for locale in LOCALES for kind in ("email", "phone", "national_id", "iban", "card")]
    cases += [(kind, "-") for kind in ("ip_address", "api_key")] * 6
    for number in range(count):
        kind, locale = cases[number % len(cases)]
        item, sentence = _item(kind, locale, chance)
        filler = personas[chance.randrange(len(personas))].rstrip(".")
        text = chance.choice(("{filler}. {sentence}", "{sentence} {filler}.", "{sentence}", "{filler} – {sentence}"))
        yield Planted(text.format(filler=filler, sentence=sentence.format(item)), kind, locale, item)


def negatives(count: int, personas: Sequence[str], seed: int = 0) -> Iterator[str]:
    """So many texts with something in them that is no personal data."""
    chance = random.Random(seed)
    for number in range(count):
        form, draw = NEGATIVES[number % len(NEGATIVES)]
        filler = personas[chance.randrange(len(personas))].rstrip(".")
        sentence = form.format(draw(chance))
        yield chance.choice((f"{filler}. {sentence}", f"{sentence} {filler}.", sentence))


def shaped(shape: str) -> Draw:
    """Random text of a shape: `#` a digit, `%` one from 1, `A` a capital letter, `h` a hexadecimal digit, `x` any."""
    choices = {
        "#": string.digits,
        "%": "123456789",
        "A": string.ascii_uppercase,
        "h": "0123456789abcdef",
        "x": string.ascii_letters + string.digits,
    }
    return lambda chance: "".join(chance.choice(choices[sign]) if sign in choices else sign for sign in shape)


def checked(draw: Draw, check: str) -> Draw:
    """Drawn until it passes a check of python-stdnum."""

    def until(chance: random.Random) -> str:
        valid = import_module(f"stdnum.{check}").is_valid
        for _ in range(100_000):
            if valid((number := draw(chance)).replace(" ", "")):
                return number
        raise AssertionError(f"nothing drawn passes {check}")

    return until


def _item(kind: str, locale: str, chance: random.Random) -> tuple[str, str]:
    if kind == "email":
        return _email(locale, chance), chance.choice(LOCALES[locale].email)
    if kind == "phone":
        return chance.choice(LOCALES[locale].phones)(chance), chance.choice(LOCALES[locale].phone)
    if kind == "national_id":
        return chance.choice(LOCALES[locale].ids)(chance), chance.choice(LOCALES[locale].id)
    if kind == "iban":
        return _iban(chance), chance.choice(("IBAN {}.", "Please wire it to {}.", "Konto {}", "Compte : {}."))
    if kind == "card":
        return _card(chance), chance.choice(LOCALES[locale].card)
    if kind == "ip_address":
        return chance.choice(IPS)(chance), chance.choice(("Last login from {}.", "Their IP is {}.", "host {} answered"))
    return chance.choice(KEYS)(chance), chance.choice(("key = {}", "The token is {}.", "export API_KEY={}", '"{}"'))


def _email(locale: str, chance: random.Random) -> str:
    first, last = chance.choice(LOCALES[locale].names).split()
    local = chance.choice(("{f}.{l}", "{f}{n}", "{f}_{l}", "{f}-{l}{n}", "{f}+news", "{F}.{L}"))
    name = local.format(f=first.lower(), l=last.lower(), F=first, L=last, n=chance.randrange(1, 2000))
    return f"{name}@{chance.choice(DOMAINS)}{chance.choice(LOCALES[locale].endings)}"


def _card(chance: random.Random) -> str:
    luhn = import_module("stdnum.luhn")
    shape = chance.choice(("4" + "#" * 14, "5%" + "#" * 13, "37" + "#" * 12, "6011" + "#" * 11, "3530" + "#" * 11))
    number = shaped(shape.replace("5%", f"5{chance.randrange(1, 6)}"))(chance)
    number += luhn.calc_check_digit(number)
    sep = chance.choice(("", " ", "-"))
    groups = (4, 6, 5) if len(number) == 15 else (4, 4, 4, 4)
    ends = [sum(groups[: place + 1]) for place in range(len(groups))]
    return sep.join(number[end - size : end] for end, size in zip(ends, groups, strict=True))


def _iban(chance: random.Random) -> str:
    iban = import_module("stdnum.iban")
    country, shape = chance.choice(
        (
            ("DE", "#" * 18),
            ("GB", "AAAA" + "#" * 14),
            ("FR", "#" * 23),
            ("NL", "AAAA" + "#" * 10),
            ("PL", "#" * 24),
            ("IT", "A" + "#" * 22),
            ("ES", "#" * 20),
            ("SE", "#" * 20),
            ("CH", "#" * 17),
            ("NO", "#" * 11),
        )
    )
    while True:
        body = shaped(shape)(chance)
        number = f"{country}{iban.calc_check_digits(f'{country}00{body}')}{body}"
        if iban.is_valid(number):
            return str(iban.format(number)) if chance.random() < 0.6 else number


def _nir(chance: random.Random) -> str:
    nir = import_module("stdnum.fr.nir")
    while True:
        body = f"{chance.choice('12')}{shaped('##')(chance)}{chance.randrange(1, 13):02d}{shaped('########')(chance)}"
        number = body + str(nir.calc_check_digits(body))
        if nir.is_valid(number):
            return number if chance.random() < 0.4 else " ".join(_cut(number, (1, 2, 2, 2, 3, 3, 2)))


def _cut(number: str, sizes: Sequence[int]) -> Iterator[str]:
    at = 0
    for size in sizes:
        yield number[at : at + size]
        at += size


def _born(chance: random.Random, form: str) -> str:
    return form.format(y=chance.randrange(1940, 2006), m=chance.randrange(1, 13), d=chance.randrange(1, 29))


def _codice(chance: random.Random) -> str:
    codice = import_module("stdnum.it.codicefiscale")
    while True:
        day = chance.randrange(1, 29)
        body = f"{shaped('AAAAAA##')(chance)}{chance.choice('ABCDEHLMPRST')}{day:02d}A{shaped('###')(chance)}"
        number = body + str(codice.calc_check_digit(body))
        if codice.is_valid(number):
            return number


class Locale(NamedTuple):
    """What people of one place are called, how they write numbers, and sentences that numbers stand in."""

    names: Sequence[str]
    endings: Sequence[str]
    email: Sequence[str]
    phones: Sequence[Draw]
    phone: Sequence[str]
    ids: Sequence[Draw]
    id: Sequence[str]
    card: Sequence[str]


DOMAINS = ("example.", "mail-box.", "uni.example.", "post.", "firma24.")
NANP = [
    shaped(form)
    for form in ("415-5##-####", "(212) 5##-####", "312-5##-####", "646.7##.####", "+1-808-5##-####", "(415) 3##-####")
]
LOCALES: Mapping[str, Locale] = {
    "en_US": Locale(
        ("Mary Walker", "Ed Stone"),
        ("com", "org", "net"),
        ("Write to {}.", "Contact: {}", "Her address is {}, she says."),
        NANP,
        ("Call {} after six.", "Phone: {}", "You can reach him at {}."),
        [checked(shaped("###-##-####"), "us.ssn"), checked(shaped("### ## ####"), "us.ssn")],
        ("SSN: {}", "Her social security number is {}.", "his SSN, {}, was leaked"),
        ("Visa card {}", "Paid with {} last week.", "card number: {}"),
    ),
    "en_GB": Locale(
        ("Alice Green", "Tom Wood"),
        ("co.uk", "org.uk"),
        ("Email {} please.", "e-mail: {}"),
        [
            shaped("020 7### ####"),
            shaped("07### ######"),
            shaped("+44 20 7### ####"),
            shaped("0161 4## ####"),
            shaped("07###  ######".replace("  ", " ")),
        ],
        ("Ring me on {}.", "Tel {}", "mobile {}"),
        [
            lambda c: f"{c.choice(('AB', 'CE', 'JK', 'SM'))}{shaped('######')(c)}{c.choice('ABCD')}",
            lambda c: f"{c.choice(('AB', 'CE', 'JK', 'SM'))} {shaped('## ## ##')(c)} {c.choice('ABCD')}",
        ],
        ("National Insurance number {}.", "NI no. {}", "My NINO is {}."),
        ("Credit card: {}", "My card is {}."),
    ),
    "de_DE": Locale(
        ("Jonas Maier", "Petra Vogel"),
        ("de", "at"),
        ("Schreiben Sie an {}.", "E-Mail: {}"),
        [
            shaped("030 %######"),
            shaped("0151 2#######"),
            shaped("+49 171 #######"),
            shaped("089/%#####"),
            shaped("0049 40 %######"),
            shaped("(0221) %#####"),
        ],
        ("Telefon: {}", "Ruf mich an: {}", "Handynummer {}"),
        [
            checked(shaped("%##########"), "de.idnr"),
            lambda c: " ".join(_cut(checked(shaped("%##########"), "de.idnr")(c), (2, 3, 3, 3))),
        ],
        ("Steuer-ID {}", "Meine Steueridentifikationsnummer lautet {}.", "Steuerliche Identifikationsnummer: {}"),
        ("Kreditkarte {}", "Kartennummer: {}"),
    ),
    "fr_FR": Locale(
        ("Chloe Martin", "Luc Petit"),
        ("fr",),
        ("Écrivez à {}.", "Courriel : {}"),
        [shaped("06 %# ## ## ##"), shaped("01.4#.##.##.##"), shaped("+33 6 ## ## ## ##"), shaped("04-7#-##-##-##")],
        ("Téléphone : {}", "Appelez-moi au {}.", "Tél. {}"),
        [_nir],
        ("Numéro de sécurité sociale {}.", "NIR : {}", "sécu {}"),
        ("Carte bancaire {}", "payé par carte {}"),
    ),
    "es_ES": Locale(
        ("Lucia Gomez", "Pablo Ruiz"),
        ("es", "com"),
        ("Escribe a {}.", "Correo: {}"),
        [
            shaped("612 ### ###"),
            shaped("+34 91 ### ## ##"),
            shaped("655 ## ## ##"),
            shaped("9#%######".replace("#%", "34")),
        ],
        ("Teléfono: {}", "Llámame al {}.", "móvil {}"),
        [
            checked(shaped("########A"), "es.dni"),
            checked(shaped("########-A"), "es.dni"),
            checked(shaped("X#######A"), "es.nie"),
        ],
        ("DNI {}", "Su NIE es {}.", "con documento {}"),
        ("tarjeta {}", "Pagó con la tarjeta {}."),
    ),
    "it_IT": Locale(
        ("Giulia Rossi", "Marco Conti"),
        ("it",),
        ("Scrivi a {}.", "posta: {}"),
        [shaped("06 #### ####"), shaped("34# ### ####"), shaped("+39 02 ########"), shaped("02-#######")],
        ("Telefono: {}", "Chiamami al {}.", "cell. {}"),
        [_codice],
        ("Codice fiscale: {}", "C.F. {}", "nato a Roma, {}"),
        ("carta {}", "Carta di credito {}."),
    ),
    "pl_PL": Locale(
        ("Anna Nowak", "Piotr Lis"),
        ("pl", "com.pl"),
        ("Napisz na {}.", "E-mail: {}"),
        [shaped("512 ### ###"), shaped("+48 22 ### ## ##"), shaped("600-###-###"), shaped("(22) ### ## ##")],
        ("Telefon: {}", "Zadzwoń: {}", "tel. {}"),
        [checked(lambda c: _born(c, "{y}{m:02d}{d:02d}")[2:] + shaped("#####")(c), "pl.pesel")],
        ("PESEL {}", "Numer PESEL: {}"),
        ("karta {}", "Numer karty: {}"),
    ),
    "nl_NL": Locale(
        ("Sanne Bakker", "Daan Visser"),
        ("nl",),
        ("Mail naar {}.", "E-mailadres: {}"),
        [shaped("06-%#######"), shaped("020 %######"), shaped("+31 6 ########"), shaped("010-%######")],
        ("Bel me op {}.", "Telefoon: {}", "Mobiel {}"),
        [checked(shaped("%########"), "nl.bsn")],
        ("BSN {}", "Mijn BSN is {}.", "burgerservicenummer: {}"),
        ("creditcard {}", "Betaald met kaart {}.".replace("kaart", "creditcard")),
    ),
    "sv_SE": Locale(
        ("Elsa Berg", "Nils Lund"),
        ("se",),
        ("Skriv till {}.", "E-post: {}"),
        [shaped("070-%## ## ##"), shaped("08-%## ### ##"), shaped("+46 70 ### ## ##"), shaped("031 %## ## ##")],
        ("Telefon: {}", "Ring mig på {}.", "mobil {}"),
        [
            checked(lambda c: _born(c, "{y}{m:02d}{d:02d}")[2:] + shaped("-####")(c), "se.personnummer"),
            checked(lambda c: _born(c, "{y}{m:02d}{d:02d}") + shaped("-####")(c), "se.personnummer"),
            checked(lambda c: _born(c, "{y}{m:02d}{d:02d}") + shaped("####")(c), "se.personnummer"),
        ],
        ("Personnummer {}", "personnummer: {}", "Mitt personnummer är {}."),
        ("kort {}", "Betalade med kortet {}.".replace("kortet", "kort")),
    ),
    "pt_BR": Locale(
        ("Bia Souza", "Caio Lima"),
        ("com.br", "br"),
        ("Escreva para {}.", "E-mail: {}"),
        [shaped("(11) 9####-####"), shaped("+55 21 9####-####"), shaped("(31) 3###-####"), shaped("11 9####-####")],
        ("Telefone: {}", "Ligue para {}.", "celular {}"),
        [checked(shaped("###.###.###-##"), "br.cpf"), checked(shaped("###########"), "br.cpf")],
        ("CPF {}", "O CPF dela é {}."),
        ("cartão {}", "Pagou com o cartão {}."),
    ),
    "hi_IN": Locale(
        ("Asha Rao", "Vikram Das"),
        ("in", "co.in"),
        ("Mail {} for details.", "ईमेल: {}"),
        [shaped("+91 98### #####"), shaped("09### ######"), shaped("98###-#####"), shaped("9#########")],
        ("Mobile: {}", "फ़ोन {}", "मोबाइल: {}"),
        [checked(shaped("%### #### ####"), "in_.aadhaar"), checked(shaped("%###########"), "in_.aadhaar")],
        ("Aadhaar {}", "आधार संख्या {}", "my Aadhaar number is {}"),
        ("debit card {}", "कार्ड {}"),
    ),
    "zh_CN": Locale(
        ("Wei Zhang", "Li Chen"),
        ("cn", "com.cn"),
        ("请发邮件到 {}。", "邮箱:{}"),
        [shaped("138########"), shaped("+86 139 #### ####"), shaped("010-########"), shaped("158 #### ####")],
        ("电话:{}", "请拨打{}联系我。", "手机 {}"),
        [
            checked(
                lambda c: c.choice(("110101", "310101", "440106")) + _born(c, "{y}{m:02d}{d:02d}") + shaped("####")(c),
                "cn.ric",
            )
        ],
        ("身份证号码 {}", "身份证:{}", "公民身份号码{}。"),
        ("银行卡 {}", "信用卡号:{}"),
    ),
    "ja_JP": Locale(
        ("Yui Sato", "Ken Mori"),
        ("jp", "co.jp"),
        ("{} までご連絡ください。", "メール: {}"),
        [shaped("090-####-####"), shaped("03-%###-####"), shaped("+81 90 #### ####"), shaped("06-%###-####")],
        ("電話番号:{}", "携帯は{}です。", "お電話 {}"),
        [checked(shaped("############"), "jp.in_"), checked(shaped("#### #### ####"), "jp.in_")],
        ("マイナンバー {}", "個人番号:{}", "My Number: {}"),
        ("カード番号 {}", "クレジットカード:{}"),
    ),
    "en_CA": Locale(
        ("Zoe Tremblay", "Liam Roy"),
        ("ca",),
        ("Reach me by mail: {}", "courriel {}"),
        [shaped("514-5##-####"), shaped("(604) 7##-####"), shaped("+1 416 5## ####"), shaped("1-613-5##-####")],
        ("Phone {}", "Call {} any day."),
        [
            checked(shaped("%## ### ###"), "ca.sin"),
            checked(shaped("%##-###-###"), "ca.sin"),
            checked(shaped("%########"), "ca.sin"),
        ],
        ("SIN {}", "My social insurance number is {}.", "NAS {}"),
        ("Mastercard {}", "charged to {}"),
    ),
    "en_AU": Locale(
        ("Ruby Hill", "Jack Reid"),
        ("com.au", "au"),
        ("Drop a line to {}.", "Email address: {}"),
        [shaped("0412 ### ###"), shaped("(02) 9### ####"), shaped("+61 3 9### ####"), shaped("02 9### ####")],
        ("Phone {}", "Text me on {}.", "mobile: {}"),
        [checked(shaped("%## ### ###"), "au.tfn"), checked(shaped("%########"), "au.tfn")],
        ("TFN {}", "My tax file number is {}."),
        ("paid by card {}", "card {}"),
    ),
}

IPS: Sequence[Draw] = (
    lambda c: ".".join(str(c.randrange(32, 224)) for _ in range(4)),
    lambda c: f"10.{c.randrange(256)}.{c.randrange(256)}.{c.randrange(1, 255)}",
    lambda c: f"192.168.{c.randrange(256)}.{c.randrange(1, 255)}",
    shaped("2001:db8:h1hh:2hh::hh1"),
    shaped("fe80::2hh:1hff:fehh:hhh1"),
)


def _key(beginning: str, shape: str) -> Draw:
    return lambda chance: beginning + shaped(shape)(chance)


KEYS: Sequence[Draw] = (
    _key("AKIA", "A" * 16),
    _key("ghp_", "x" * 36),
    _key("glpat-", "x" * 20),
    _key("xoxb-", "############-" + "x" * 24),
    _key("sk-proj-", "x" * 48),
    _key("sk-ant-api03-", "x" * 60),
    _key("hf_", "x" * 34),
    _key("npm_", "x" * 36),
    _key("AIza", "x" * 35),
    _key("shpat_", "h" * 32),
    _key("SG.", "x" * 22 + "." + "x" * 43),
    _key("dapi", "h" * 32),
    lambda chance: f"eyJ{shaped('x' * 20)(chance)}.eyJ{shaped('x' * 40 + '.' + 'x' * 43)(chance)}",
)


def _isbn(chance: random.Random) -> str:
    isbn = import_module("stdnum.isbn")
    body = "978" + shaped("#" * 9)(chance)
    number = body + import_module("stdnum.ean").calc_check_digit(body)
    return chance.choice((number, str(isbn.format(number)), f"{number[:3]}-{number[3:]}"))


def _time(chance: random.Random) -> str:
    return f"{chance.randrange(24):02d}:{chance.randrange(60):02d}:{chance.randrange(60):02d}"


DATES = (
    "{y}-{m:02d}-{d:02d}",
    "{d:02d}.{m:02d}.{y}",
    "{d:02d}/{m:02d}/{y}",
    "{m:02d}-{d:02d}-{y}",
    "{d:02d} {m:02d} {y}",
)
NEGATIVES: Sequence[tuple[str, Draw]] = (
    ("It runs on version {} since May.", lambda c: ".".join(str(c.randrange(30)) for _ in range(4))),
    ("Upgraded the library to v{}.", lambda c: ".".join(str(c.randrange(60)) for _ in range(c.choice((3, 4))))),
    (
        "Build {} was released.",
        lambda c: f"{c.randrange(1, 20)}.{c.randrange(20)}.{c.randrange(20000)}.{c.randrange(3000)}",
    ),
    ("Chrome/{} is what they use.", lambda c: f"{c.randrange(60, 130)}.0.{c.randrange(3000, 6000)}.{c.randrange(250)}"),
    ("pip install tool=={}", lambda c: f"{c.randrange(30)}.{c.randrange(30)}.{c.randrange(30)}"),
    ("npm i tool@{}", lambda c: f"{c.randrange(30)}.{c.randrange(30)}.{c.randrange(30)}"),
    ("The book, ISBN {}, is out of print.", _isbn),
    ("Find it under {} in the catalogue.", _isbn),
    ("ISBN-10: {}", lambda c: shaped("#-##-######-#")(c)),
    ("Order {} has shipped.", shaped("###-#######-#######")),
    ("Your order #{} is late.", lambda c: shaped("#" * c.randrange(6, 17))(c)),
    ("Invoice no. {}", lambda c: shaped("%" + "#" * c.randrange(6, 12))(c)),
    ("Ticket INC{} is open.", shaped("#######")),
    ("Tracking number 1Z{}.", shaped("hh######A##########")),
    ("Parcel {} arrives on Monday.", lambda c: shaped("#" * c.choice((12, 13, 14, 20)))(c)),
    ("Serial: {}", shaped("%###-####-####-####")),
    ("Bestellnummer {}", lambda c: shaped("#" * c.randrange(8, 14))(c)),
    ("Commande n° {}", lambda c: shaped("#" * c.randrange(8, 14))(c)),
    ("订单号 {} 已发货。", lambda c: shaped("%" + "#" * c.randrange(10, 18))(c)),
    ("注文番号 {}", lambda c: shaped("###-#######-#######")(c)),
    ("The years {} were the best.", lambda c: f"{c.randrange(1800, 1990)}-{c.randrange(1990, 2030)}"),
    ("Between {} it all changed.", lambda c: " and ".join(str(c.randrange(1700, 2030)) for _ in range(2))),
    ("On {} the bridge opened.", lambda c: _born(c, c.choice(DATES))),
    ("Logged at {} UTC.", lambda c: _born(c, "{y}-{m:02d}-{d:02d}T") + _time(c)),
    ("At {} sharp.", _time),
    ("Timestamp {}.", lambda c: str(c.randrange(1_000_000_000, 1_900_000_000) * c.choice((1, 1000)))),
    ("It costs ${} in all.", lambda c: f"{c.randrange(1, 10**9):,}.{c.randrange(100):02d}"),
    ("Sie kostet {} Euro.", lambda c: f"{c.randrange(1, 10**9):,}".replace(",", ".") + f",{c.randrange(100):02d}"),
    ("A budget of {} kronor.", lambda c: f"{c.randrange(10**6, 10**10):,}".replace(",", " ")),
    ("Population: {}", lambda c: f"{c.randrange(10**6, 10**9):,}"),
    ("commit {} broke it", shaped("h" * 40)),
    ("md5 {}", shaped("h" * 32)),
    ("See commit {}.", shaped("h" * 7)),
    ("Request id {}.", shaped("hhhhhhhh-hhhh-4hhh-ahhh-hhhhhhhhhhhh")),
    ("Pi is {}.", shaped("3.14159265##########")),
    ("x = {}", lambda c: " + ".join(str(c.randrange(10, 100_000)) for _ in range(5))),
    ("The list is {}.", lambda c: " ".join(str(c.randrange(10, 10_000)) for _ in range(6))),
    ("Coordinates {}.", lambda c: f"{c.uniform(-90, 90):.6f}, {c.uniform(-180, 180):.6f}"),
    ("DOI 10.{}", shaped("####/j.######.2019.##.###")),
    ("MAC {}", shaped("hh:hh:hh:hh:hh:hh")),
    ("Section {} applies.", lambda c: ".".join(str(c.randrange(1, 20)) for _ in range(4))),
    ("Part number {}", shaped("%##-####-##")),
    ("Model {} sells well.", shaped("AA-####-A##")),
    ("EAN {}", shaped("4############")),
    ("Score {} at half time, then 31-28.", lambda c: f"{c.randrange(100)}-{c.randrange(100)}"),
    ("Follow @{} there.", lambda c: shaped("xxxxxxxx")(c)),
    ("The ratio is {}.", lambda c: f"{c.randrange(1, 1000)}:{c.randrange(1, 1000)}"),
    ("std::vector<int> v{{{}}};", lambda c: ", ".join(str(c.randrange(1000)) for _ in range(5))),
    ("Flight LH{} at gate B{}.".replace("B{}", "B12"), shaped("####")),
    ("Room 4-{} on the left.", shaped("###")),
    ("The answer is {}.", lambda c: shaped("%" + "#" * c.randrange(6, 16))(c)),
    ("They counted {} grains of it.", lambda c: f"{c.randrange(10**6, 10**12):,}".replace(",", " ")),
    ("Locker {} opens with it.", shaped("###-###-###")),
    ("Case {} was heard.", shaped("##-####-####")),
    ("Player {} wins.", shaped("#########")),
    ("The code is {}, as ever.", shaped("####-####")),
)
