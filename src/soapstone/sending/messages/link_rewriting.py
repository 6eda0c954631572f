"""Tracked links in the bodies of a message: what is rewritten is decided here, once for a send."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from soapstone.sending.messages.body_links import end_of_body
from soapstone.sending.messages.content import LINK_KEYS, check_size
from soapstone.sending.messages.html_reader import ROOM_MARKUP, HtmlReader, decode_attribute
from soapstone.sending.messages.link_places import LinkPlace, Replacement, places_in_html, places_in_text
from soapstone.sending.messages.marked_text import MarkedText
from soapstone.sending.messages.message import MOST_MARKUP, InvalidMessage, Message
from soapstone.sending.messages.plain_text import plain_template
from soapstone.sending.messages.template import AddressOf, tracked_address
from soapstone.tracking.links import LONGEST_TEXT, MOST_LINKS, TrackedLink
from soapstone.tracking.stems import Stems
from soapstone.tracking.targets import Target, host_of, is_below, same_owner, web_target, with_parameters


@dataclass(frozen=True, kw_only=True)
class LinkRules:
    """Which links are tracked, and what is added to their targets.

    `base` is where tracked links begin, `own` are the beginnings of this server's other addresses. A link whose text
    is an address is tracked as `visible_urls` says; None if the hosts of that address and of `base` have one owner.
    Links to the `untracked` domains are not. Targets below the `domains` get the `parameters` of web analytics.
    """

    base: str
    own: Collection[str] = ()
    visible_urls: bool | None = None
    untracked: Collection[str] = ()
    domains: Collection[str] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)

    def target(self, address: str) -> Target | None:
        """Return where a tracked link to an address leads; None for an address that is not tracked."""
        target = web_target(address)
        if target is None or (target.host in self._own_hosts and self._is_own(target.url)):
            return None
        if self.untracked and is_below(target.host, self.untracked):
            return None
        if self.domains and is_below(target.host, self.domains):
            return target._replace(url=with_parameters(target.url, self.parameters))
        return target

    def would_warn(self, text: str) -> bool:
        """Return whether mail programs would warn of a tracked link with this text, or its author does not want one.

        They compare the owners of the domains if the whole text is an absolute address.
        """
        if not text.lower().startswith(("http://", "https://")) or " " in text:
            return False
        if self.visible_urls is not None:
            return not self.visible_urls
        return not same_owner(host_of(text), host_of(self.base))

    @cached_property
    def _beginnings(self) -> list[Target]:
        found = [web_target(each) for each in (self.base, *self.own)]
        return [each._replace(url=each.url.rstrip("/")) for each in found if each]

    @cached_property
    def _own_hosts(self) -> frozenset[str]:
        return frozenset(each.host for each in self._beginnings)

    def _is_own(self, url: str) -> bool:
        return any(url == each or url.startswith((f"{each}/", f"{each}?", f"{each}#")) for each, _ in self._beginnings)


class TrackedMessage:
    """A message whose links can be tracked: `links` are those that will be, the HTML body's first.

    Raises InvalidMessage for invalid templates.
    """

    def __init__(self, message: Message, rules: LinkRules) -> None:
        check_size(message, room=True)
        self._rules = rules
        html = HtmlReader(message.html, template=True)
        in_html, self._switches = places_in_html(html)
        if message.html.strip() and not message.plain.strip():
            # Made of the author's addresses, before they are replaced.
            message = replace(message, plain=plain_template(message.html, MOST_MARKUP + ROOM_MARKUP))
        plain = MarkedText(message.plain)
        if any(tag.block == "filter" for tag in (*html.merge_tags, *plain.merge_tags)):
            raise InvalidMessage("The message uses what a template may not use: filter.")
        self._message = message
        self._places: list[tuple[str, LinkPlace]] = []
        self.links: list[TrackedLink] = []
        for place in in_html:
            self._add("html", place)
        for place in places_in_text(plain):
            self._add("plain", place)

    def rewritten(self, positions: Sequence[int | None], stem: str, *, pixels: Iterable[str]) -> Message:
        """Return the message with links that lead through this server; a link without a position stays as it is.

        `stem` stands where the stem of each mail goes. `pixels` are the paths of images at the end of the HTML body.
        The bodies are templates for `Template` with `tracked`.
        """
        base, bodies = self._rules.base, {"html": self._message.html, "plain": self._message.plain}
        changes = {"html": list(self._switches), "plain": list[Replacement]()}
        for (body, place), position in zip(self._places, positions, strict=True):
            if position is None:
                continue
            written = bodies[body][place.start : place.end]
            text = tracked_address(written, position) if place.is_dynamic else f"{base}/c/{stem}/{position}"
            changes[body].append(Replacement(place.start, place.end, text))
        if bodies["html"].strip():
            # An image in a line would add the line's height.
            shown = 'width="1" height="1" style="display:block" alt=""'
            images = "".join(f'<img src="{base}/{path}/{stem}.gif" {shown}>' for path in pixels)
            end = end_of_body(bodies["html"])
            changes["html"].append(Replacement(end, end, images))
        html, plain = (_spliced(bodies[body], changes[body]) for body in ("html", "plain"))
        return replace(self._message, html=html, plain=plain)

    def dynamic_links(self, positions: Sequence[int | None], stems: Stems) -> DynamicLinks:
        """Return what makes the addresses that merge fields change, in each mail."""
        hosts = {
            position: frozenset(host_of(f"https://{host}") for host in place.hosts)
            for (_, place), position in zip(self._places, positions, strict=True)
            if position is not None and place.is_dynamic
        }
        return DynamicLinks(self._rules, stems, hosts)

    def _add(self, body: str, place: LinkPlace) -> None:
        if len(self.links) == MOST_LINKS or place.off or LINK_KEYS.keys() & place.names:
            return
        target: str | None
        if place.is_dynamic:
            # The target is in each mail. Its host is one that the author wrote, or the mail's link is not tracked.
            followed = [host for host in place.hosts if self._rules.target(f"https://{host}/")]
            target = place.url if followed else None
        else:
            found = self._rules.target(place.address)
            target = found.url if found else None
        if target is None or (body == "html" and self._rules.would_warn(place.shown)):
            return
        self._places.append((body, place))
        self.links.append(
            TrackedLink(
                body=body,
                url=place.url,
                target=target,
                label=(place.title or place.images)[:LONGEST_TEXT],
                description=(place.url if body == "plain" else place.text or place.images or place.title)[
                    :LONGEST_TEXT
                ],
                is_dynamic=place.is_dynamic,
            )
        )


class DynamicLinks:
    """Makes the addresses of links that merge fields change. `hosts` are those that an author wrote, by position."""

    def __init__(self, rules: LinkRules, stems: Stems, hosts: Mapping[int, frozenset[str]]) -> None:
        self._rules = rules
        self._stems = stems
        self._hosts = hosts

    def of(self, stem: str) -> AddressOf:
        """Return what turns a position and a merged address, which may be HTML, into the address in one mail."""
        signed = self._stems.target_signer(stem)

        def address(position: int, merged: str, is_html: bool) -> str:
            target = self._rules.target(decode_attribute(merged) if is_html else merged)
            # The values of a recipient, who may have written them, must not make this server lead anywhere.
            if target is None or target.host not in self._hosts.get(position, ()):
                return merged
            return f"{self._rules.base}/c/{stem}/{position}/{signed(position, target.url)}"

        return address


def _spliced(source: str, changes: Iterable[Replacement]) -> str:
    pieces: list[str] = []
    position = 0
    for start, end, text in sorted(changes):
        pieces += (source[position:start], text)
        position = end
    return "".join((*pieces, source[position:]))
