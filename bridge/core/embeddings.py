"""Texts, and the vectors that are made of them."""

from attrs import frozen


@frozen(kw_only=True)
class Texts:
    """What vectors are wanted of: at least one text, none of them empty.

    ``dimensions`` is how long each vector is to be, None for as long as the model makes them.
    ``user`` is the end user that the client names. ``listed`` says that the client sent a list.
    """

    model: str
    texts: tuple[str, ...]
    dimensions: int | None = None
    user: str | None = None
    listed: bool = True

    def where(self, index: int) -> str:
        """The path of a text in the request."""
        return f"input[{index}]" if self.listed else "input"


@frozen(kw_only=True)
class Vectors:
    """A vector for each text, in the order of the texts, and the model that really made them.

    A vector is its numbers as 32-bit floats, little-endian, one after the other. ``tokens`` is what
    that model's tokenizer makes of all the texts, ``ignored`` what of :class:`Texts` had no effect.
    """

    model: str
    vectors: tuple[bytes, ...]
    tokens: int
    ignored: tuple[str, ...] = ()
