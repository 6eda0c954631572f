"""Passwords are stored as argon2id hashes whose cost is what OWASP recommends."""

from __future__ import annotations

import subprocess
import sys

from argon2 import PasswordHasher


def test_the_cost_of_a_hash(real_hasher: PasswordHasher) -> None:
    """19 MiB and two passes: the tests' own hashes are cheaper."""
    assert real_hasher.hash("secret").startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_the_cost_of_a_stored_hash() -> None:
    """What a process of the product stores, which knows nothing of the tests."""
    code = "from soapstone.accounts.passwords import hash_password; print(hash_password('secret'))"
    stored = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
