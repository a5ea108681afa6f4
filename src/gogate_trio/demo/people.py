"""Who is there on the first start. Every name is made up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gogate_trio.demo.records import Person
from gogate_trio.ids import UserId

if TYPE_CHECKING:
    from collections.abc import Iterator

DOMAIN: Final = "buzzchat.example"

CAST: Final = (
    # User 1 is the one of the integration guide, to the last digit.
    ("John", "Doe", "+79991234567", "Product lead"),
    ("Jane", "Smith", "+79991234568", "Designer"),
    ("Kenji", "Tanaka", "+79991234569", "Backend engineer"),
    ("Amara", "Okafor", "+79991234570", "Mobile engineer"),
    ("Lucía", "Herrera", "+79991234571", "Support"),
    ("Nikolai", "Sokolov", "+79991234572", "Operations"),
)
"""The people one can be, in the order of their ids from 1."""

SUSPENDED: Final = Person(
    UserId(7), "Sam", "Former", f"sam.former@{DOMAIN}", "+79991234573", "Suspended", active=False
)
"""An account that is no longer active, and in no chat: the 403 of ``auth/validate``."""

FIRST_EXTRA: Final = 101
"""Id of the first extra: the numbers before are free for more cast."""

FIRST_NAMES: Final = (
    "Ada", "Ben", "Chloé", "Daniel", "Elif", "Farid", "Greta", "Hugo", "Ingrid", "Jonas",
    "Keiko", "Liam", "Mira", "Noah", "Olga", "Pedro", "Quinn", "Rosa", "Stefan", "Tara",
    "Uma", "Viktor", "Wanda", "Yusuf", "Zoe", "Anton",
)  # fmt: skip

LAST_NAMES: Final = (
    "Abe", "Berg", "Castro", "Dubois", "Eriksen", "Fischer", "Gupta", "Haddad", "Ivanova",
    "Jansen", "Kowalski", "Lindqvist", "Moreau", "Novak", "Oliveira", "Petrov", "Quist",
    "Rossi", "Sato", "Tran", "Ueda", "Vargas", "Weber", "Yilmaz", "Zhang", "Appiah",
)  # fmt: skip


def cast() -> list[Person]:
    """The people one can be, the suspended one last."""
    people = [
        Person(UserId(user_id), first, last, f"{_plain(first)}@{DOMAIN}", phone, title, active=True)
        for user_id, (first, last, phone, title) in enumerate(CAST, start=1)
    ]
    return [*people, SUSPENDED]


def extras(count: int) -> Iterator[Person]:
    """People who only fill a chat; up to 676 of them before two share a name."""
    for number in range(count):
        lap, place = divmod(number, len(FIRST_NAMES))
        first = FIRST_NAMES[place]
        last = LAST_NAMES[(place + lap) % len(LAST_NAMES)]
        user_id = FIRST_EXTRA + number
        email = f"{_plain(first)}.{_plain(last)}.{user_id}@{DOMAIN}"
        phone = f"+7999765{user_id:04d}"
        yield Person(UserId(user_id), first, last, email, phone, "", active=True)


def _plain(name: str) -> str:
    return name.lower().translate(str.maketrans("éí", "ei"))
