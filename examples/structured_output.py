"""An answer as a value: pydantic models with the official openai client.

pip install openai; BRIDGE_URL and BRIDGE_API_KEY say where the server is and which key it wants.
"""

import os
import sys
from enum import StrEnum

from openai import OpenAI, OpenAIError
from pydantic import BaseModel

client = OpenAI(
    base_url=os.environ.get("BRIDGE_URL", "http://127.0.0.1:8000/v1"),
    api_key=os.environ.get("BRIDGE_API_KEY", "unused"),
)


class Kind(StrEnum):
    """What an animal is."""

    cat = "cat"
    dog = "dog"


class Pet(BaseModel):
    """An animal."""

    name: str
    kind: Kind


class Person(BaseModel):
    """Somebody, and their animals."""

    name: str
    age: int
    pets: list[Pet]


def main() -> None:
    """Read a person out of a sentence."""
    completion = client.chat.completions.parse(
        model="sonnet",
        messages=[{"role": "user", "content": "This is Ada, she is 36 and has a dog called Rex."}],
        response_format=Person,
    )
    person = completion.choices[0].message.parsed
    if person is None:
        sys.exit("the model refused to answer")
    print(f"{person.name} is {person.age}")
    for pet in person.pets:
        print(f"and has a {pet.kind.value}: {pet.name}")


if __name__ == "__main__":
    try:
        main()
    except OpenAIError as error:
        sys.exit(f"the server answered: {error}")
