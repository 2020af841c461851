"""Bearer tokens: who may ask, and who may change things. Only their hashes are stored."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from headrace.errors import SettingError
from headrace.storage.documents import canonical_json, strict_json
from headrace.storage.files import make_folders, write_file
from headrace.storage.lock import locked

__all__ = ["ROLES", "Role", "Token", "TokenFile", "Tokens"]

Role = Literal["predict", "admin"]
ROLES: tuple[Role, ...] = ("predict", "admin")
"""What a token allows; "admin" may all that "predict" may."""

_PREFIX = "hr_"
_NAME = re.compile(r"[\w.@ -]{1,64}")


@dataclass(frozen=True)
class Token:
    """One token, without its secret.

    Attributes:
        name: Whose it is.
        role: What it allows.
        sha256: The hash of the secret.
        created: When, ISO 8601 in UTC.
    """

    name: str
    role: Role
    sha256: str
    created: str


class Tokens:
    """The tokens that are in force.

    Args:
        tokens: The tokens.

    Example:
        >>> Tokens(()).find("hr_nobody") is None
        True
    """

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self.all = tokens

    def find(self, secret: str) -> Token | None:
        """Answer the token of a secret; how long it takes says nothing of how near one is."""
        given = hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
        found = None
        for token in self.all:
            if hmac.compare_digest(token.sha256, given):
                found = token
        return found


class TokenFile:
    """A file of tokens, readable by its owner alone.

    Args:
        path: The file; made by the first token.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).resolve()

    def read(self) -> Tokens:
        """Answer the tokens that are in the file; none where there is no file.

        Raises:
            SettingError: The file is damaged.
        """
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return Tokens(())
        try:
            found = tuple(Token(**one) for one in strict_json(data))
        except (ValueError, TypeError, RecursionError) as error:
            raise SettingError(f"{self.path} should hold tokens: {error}") from error
        if any(token.role not in ROLES for token in found):
            raise SettingError(f"{self.path} holds a token of an unknown role")
        return Tokens(found)

    def add(self, name: str, role: str = "predict") -> str:
        """Make a token and answer its secret, which is shown this once and stored nowhere.

        Raises:
            SettingError: The name is taken or odd, or there is no such role.
        """
        if role not in ROLES:
            raise SettingError(f"role should be 'predict' or 'admin', received {role!r}")
        if not _NAME.fullmatch(name):
            raise SettingError(
                f"name should be letters, digits, . @ - or spaces, received {name!r}"
            )
        secret = _PREFIX + secrets.token_urlsafe(32)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        digest = hashlib.sha256(secret.encode()).hexdigest()
        make_folders(self.path.parent)
        with locked(self._lock):
            tokens = self.read().all
            if any(token.name == name for token in tokens):
                raise SettingError(f"there is a token {name!r} already; remove it first")
            self._write((*tokens, Token(name, role, digest, now)))
        return secret

    def remove(self, name: str) -> None:
        """Take a token away; servers notice within a second or two.

        Raises:
            SettingError: There is none of this name.
        """
        with locked(self._lock):
            tokens = self.read().all
            left = tuple(token for token in tokens if token.name != name)
            if len(left) == len(tokens):
                known = ", ".join(repr(token.name) for token in tokens) or "none"
                raise SettingError(f"there is no token {name!r}; there are {known}")
            self._write(left)

    @property
    def _lock(self) -> Path:
        return self.path.with_name(f".{self.path.name}.lock")

    def _write(self, tokens: tuple[Token, ...]) -> None:
        write_file(self.path, canonical_json([asdict(token) for token in tokens]))
        if os.name != "nt":
            self.path.chmod(0o600)

    def __repr__(self) -> str:
        return f"TokenFile({json.dumps(str(self.path))})"
