"""API keys and the identities that they stand for."""

import hashlib
import hmac
from collections.abc import Iterable

from attrs import field, frozen

from bridge.core.errors import Unauthenticated


@frozen(kw_only=True)
class Principal:
    """Who a request comes from: the identity of its API key, never the key itself.

    Sessions, limits and usage belong to ``id``, which is the same after a restart. Where no key is
    set everybody is ``local``.
    """

    id: str


LOCAL = Principal(id="local")


@frozen(kw_only=True)
class Keyring:
    """The keys that are accepted, as digests, each with its principal."""

    keys: tuple[tuple[bytes, Principal], ...] = field(default=(), repr=False)

    def identify(self, presented: str | None) -> Principal:
        """The principal of a key; takes the same time for every wrong key.

        Raises :class:`bridge.core.errors.Unauthenticated`.
        """
        if not presented:
            raise Unauthenticated(
                "This server wants an API key: send it as 'Authorization: Bearer KEY' or "
                "'x-api-key: KEY'."
            )
        digest = _digest(presented)
        found = None
        for known, principal in self.keys:  # all of them, also after a match
            if hmac.compare_digest(digest, known):
                found = principal
        if found is None:
            raise Unauthenticated("The API key is not one of this server's.")
        return found


def keyring(keys: Iterable[str]) -> Keyring:
    """The keyring for these keys; takes some 50 ms for each."""
    return Keyring(keys=tuple((_digest(key), Principal(id=_identity(key))) for key in keys))


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="surrogateescape")).digest()


def _identity(key: str) -> str:
    """A name for the key that may stand in a log: too slow to compute for guessing the key."""
    made = hashlib.scrypt(key.encode(), salt=b"bridge principal", n=2**14, r=8, p=1, dklen=8)
    return f"key_{made.hex()}"
