"""Says when a request is sent again."""

from __future__ import annotations

import email.utils
import random
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Retries:
    """How often, and how long apart, a request is sent again that was answered 503 or found no connection.

    The n-th wait is `initial` · 2^n seconds, at most `longest`, less up to half of it by chance, so that clients do not come
    back all at once. If the answer says `Retry-After`, it is never shorter than that, and longer by up to a quarter.
    """

    attempts: int = 5
    """The number of attempts, with the first. 1 never retries."""
    initial: float = 0.1
    longest: float = 5.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.initial < 0 or self.longest < 0:
            raise ValueError("at least one attempt, and no negative waits")

    def wait(self, failures: int, retry_after: float | None) -> float:
        """The seconds to wait after so many failures."""
        backoff = min(self.longest, self.initial * 2.0 ** min(failures - 1, 30)) * random.uniform(0.5, 1)
        if retry_after is None:
            return backoff
        return max(backoff, retry_after * random.uniform(1, 1.25))


def parse_retry_after(header: str | None) -> float | None:
    """The seconds in either form of the header; None if it is missing or cannot be read."""
    if header is None:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - time.time())
    except (TypeError, ValueError):
        return None
