"""Links are those that itsdangerous signs: links of mails that were sent long ago stay good."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import Signer

from soapstone.accounts.link_keys import LinkKeys
from soapstone.sending.signed_links import PATHS, Links


@given(number=st.integers(1, 2**62), key=st.text(min_size=1), purpose=st.sampled_from(sorted(PATHS)))
def test_a_link_is_signed_as_the_signer_signs(number: int, key: str, purpose: str) -> None:
    links = Links("https://lists.example/", LinkKeys.single(key))
    token = Signer(key, salt=f"soapstone.{purpose}").sign(str(number)).decode()
    assert links.make(purpose, number) == f"https://lists.example/{PATHS[purpose]}/{token}"
    assert links.read(purpose, token) == number
    (other,) = PATHS.keys() - {purpose}
    assert links.read(other, token) is None
