"""Addresses to which a mail comes back: each mail has its own, signed one (VERP), and one is for complaints."""

from __future__ import annotations

from dataclasses import dataclass

from soapstone.sending.mail.mime import ascii_domain
from soapstone.tracking.stems import Stems

# Local parts: `b+STEM` for bounces, `fbl` for complaints (RFC 9477).
BOUNCES = "b"
COMPLAINTS = "fbl"


@dataclass(frozen=True)
class BounceAddresses:
    """The addresses of a domain for bounces. `separator` stands between the local part and the stem."""

    stems: Stems
    domain: str
    separator: str = "+"

    @property
    def complaints(self) -> str:
        """The address for complaints."""
        return f"{COMPLAINTS}@{self.domain}"

    def for_bounces(self, stem: str) -> str:
        """Return the envelope's sender of the mail with this stem."""
        return f"{BOUNCES}{self.separator}{stem}@{self.domain}"

    def author(self, stem: str) -> str:
        """Return the address that stands in From under aggressive handling (lk-37)."""
        return f"{stem}@{self.domain}"

    def is_aligned(self, address: str) -> bool:
        """Return whether the domain and an author's are of one organization, as DMARC sees it (RFC 7489 3.1).

        One must be the other, or a subdomain of it: more takes a list of public suffixes to know.
        """
        theirs = ascii_domain(address).lower()
        return theirs == self.domain or theirs.endswith(f".{self.domain}") or self.domain.endswith(f".{theirs}")
