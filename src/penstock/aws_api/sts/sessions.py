"""Temporary keys that were given out, until they expire."""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from penstock.aws_api.store import Store
from penstock.model.clock import Clock
from penstock.wire.sigv4 import Key

_ID_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """`arn` and `caller_id` are what GetCallerIdentity tells; `expires` in epoch seconds."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    account_id: str
    arn: str
    caller_id: str
    user: str
    expires: float

    def credentials(self) -> dict[str, Any]:
        return {
            "AccessKeyId": self.access_key_id,
            "SecretAccessKey": self.secret_access_key,
            "SessionToken": self.session_token,
            "Expiration": datetime.fromtimestamp(int(self.expires), UTC),
        }

    def key(self) -> Key:
        return Key(
            access_key_id=self.access_key_id,
            secret_access_key=self.secret_access_key,
            session_token=self.session_token,
            account_id=self.account_id,
            user=self.user,
        )


class Sessions(Mapping[str, Key]):
    """As a mapping: the keys that can sign now, by access key id, those of `users` among them. For a `Verifier`."""

    def __init__(self, store: Store, clock: Clock, users: Mapping[str, Key]) -> None:
        self._users = users
        self._table = store.table("sts.session")
        self._clock = clock

    def open(self, *, account_id: str, arn: str, caller_id: str, user: str, seconds: int) -> Session:
        """New keys. Those that have expired are forgotten."""
        self.prune()
        session = Session(
            # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
            access_key_id="ASIA" + "".join(secrets.choice(_ID_LETTERS) for _ in range(16)),
            secret_access_key=secrets.token_urlsafe(30),
            session_token=secrets.token_urlsafe(120),
            account_id=account_id,
            arn=arn,
            caller_id=caller_id,
            user=user,
            expires=self._clock.epoch() + seconds,
        )
        self._table.put(session.access_key_id, asdict(session))
        return session

    def find(self, access_key_id: str) -> Session | None:
        """None, where there is none that has not expired."""
        row = self._table.get(access_key_id)
        session = Session(**row) if row is not None else None
        return session if session and session.expires > self._clock.epoch() else None

    def prune(self) -> None:
        now = self._clock.epoch()
        for access_key_id, row in self._table.items():
            if row["expires"] <= now:
                self._table.delete(access_key_id)

    def __getitem__(self, access_key_id: str) -> Key:
        session = self.find(access_key_id)
        return session.key() if session else self._users[access_key_id]

    def __iter__(self) -> Iterator[str]:
        yield from self._users
        yield from (access_key_id for access_key_id, _ in self._table.items() if self.find(access_key_id))

    def __len__(self) -> int:
        return sum(1 for _ in self)
