"""A token bucket: let callers through at a steady pace, but forgive short bursts.

Picture a bucket that holds a limited number of tokens. Tokens drip in at a
constant rate, and every request has to take one out. While the bucket is full a
client may fire several requests at once; after that it is slowed down to the
speed at which tokens arrive. When the bucket is empty the request is rejected,
and the caller is told how long to wait before trying again.

The clock is passed in so that tests do not have to sleep.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class TokenBucket:
    """One bucket for one client. Safe to use from several threads."""

    def __init__(
        self,
        rate: float,
        capacity: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Allow ``rate`` requests per second and bursts of up to ``capacity``."""
        if rate <= 0 or capacity <= 0:
            raise ValueError("rate and capacity must be positive")
        self._rate = rate
        self._capacity = capacity
        self._clock = clock
        self._tokens = capacity
        self._last = clock()
        self._lock = threading.Lock()

    def _refill(self) -> None:
        """Add the tokens that have dripped in since the last call."""
        now = self._clock()
        self._tokens = min(self._capacity, self._tokens + (now - self._last) * self._rate)
        self._last = now

    def try_acquire(self, cost: float = 1.0) -> bool:
        """Take ``cost`` tokens if they are there; return whether it worked."""
        with self._lock:
            self._refill()
            if self._tokens >= cost:
                self._tokens -= cost
                return True
            return False

    def retry_after(self, cost: float = 1.0) -> float:
        """Seconds until ``cost`` tokens will be available (0.0 if they are now).

        Suitable for the ``Retry-After`` header of an HTTP 429 answer.
        """
        if cost > self._capacity:
            raise ValueError("cost exceeds the capacity; this would never succeed")
        with self._lock:
            self._refill()
            return max(0.0, (cost - self._tokens) / self._rate)


class Limiter:
    """Keeps one bucket per key, for instance per API key or address.

    Buckets that have not been touched for ``idle`` seconds are dropped, since a
    bucket that had time to fill up is no different from a new one.
    """

    def __init__(self, rate: float, capacity: float, idle: float = 600.0) -> None:
        self._rate, self._capacity, self._idle = rate, capacity, idle
        self._buckets: dict[str, tuple[TokenBucket, float]] = {}

    def allow(self, key: str) -> bool:
        """Return True if the request made under ``key`` may proceed."""
        now = time.monotonic()
        bucket, _ = self._buckets.get(key) or (TokenBucket(self._rate, self._capacity), now)
        self._buckets[key] = (bucket, now)
        return bucket.try_acquire()

    def sweep(self) -> int:
        """Forget idle clients; return how many were dropped."""
        limit = time.monotonic() - self._idle
        stale = [key for key, (_, seen) in self._buckets.items() if seen < limit]
        for key in stale:
            del self._buckets[key]
        return len(stale)
