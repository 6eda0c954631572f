"""Numbers in a random order that needs no memory. For the files of `people`."""

from __future__ import annotations

import random


class Shuffle:
    """A random order of the numbers below `size`, the same for the same seed, without a table of them.

    A Feistel network over the next power of two; what falls outside is sent through again.
    """

    def __init__(self, size: int, seed: int) -> None:
        bits = max(2, (size - 1).bit_length())
        self.size, self._bits, self._mask = size, bits // 2, (1 << bits // 2) - 1
        dice = random.Random(seed)
        highs, lows = 1 << bits - bits // 2, 1 << bits // 2
        self._rounds = [
            ([dice.randrange(lows) for _ in range(highs)], [dice.randrange(highs) for _ in range(lows)])
            for _ in range(2)
        ]

    def place(self, number: int) -> int:
        """Where the number stands in the order."""
        (a, b), (c, d) = self._rounds
        while True:
            high, low = number >> self._bits, number & self._mask
            low ^= a[high]
            high ^= b[low]
            low ^= c[high]
            high ^= d[low]
            number = high << self._bits | low
            if number < self.size:
                return number

    def number(self, place: int) -> int:
        """The number that stands there."""
        (a, b), (c, d) = self._rounds
        while True:
            high, low = place >> self._bits, place & self._mask
            high ^= d[low]
            low ^= c[high]
            high ^= b[low]
            low ^= a[high]
            place = high << self._bits | low
            if place < self.size:
                return place
