"""Templates: text with merge fields.

The language is a small part of Jinja's: `{{ First_Name }}`, `{{ field["any name"] }}`, some filters, `or`, `and`,
`not`, comparisons of equality, and `{% if %}`. A template is checked before it is compiled, so what may run is what
is listed here. There are no comments: their usual marks are found in style sheets and scripts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from types import CodeType
from typing import Any, NamedTuple, Self

from jinja2 import TemplateError, nodes
from jinja2.environment import Template as CompiledTemplate
from jinja2.filters import do_capitalize, do_title, do_trim, do_urlencode
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment
from jinja2.utils import pass_context
from jinja2.visitor import NodeTransformer
from markupsafe import Markup, escape

from soapstone.sending.messages.message import (
    MOST_FILTERED,
    MOST_MERGED,
    MOST_SIGNS,
    MOST_TAGS,
    InvalidMessage,
    MergedTooLarge,
)

_SURROGATE = re.compile("[\ud800-\udfff]")
# What is written otherwise in HTML.
_ESCAPED = re.compile("[&<>'\"]")


class Allowance:
    """The remaining budget of one mail: characters in its parts, and characters read by filters and searches."""

    __slots__ = ("filtered", "merged")

    def __init__(self) -> None:
        self.merged = MOST_MERGED
        self.filtered = MOST_FILTERED

    def check(self) -> None:
        """Raise MergedTooLarge if the parts were larger than allowed."""
        if self.merged < 0:
            raise MergedTooLarge(f"The mail has more than {MOST_MERGED:,} characters.")

    def filter(self, size: int) -> None:
        """Count characters read by a filter. Raises MergedTooLarge."""
        self.filtered -= size
        if self.filtered < 0:
            raise MergedTooLarge(f"Filters and conditions of the mail read more than {MOST_FILTERED:,} characters.")


def _counted(change: Callable[[str], str]) -> Callable[[Context, str], str]:
    """Return a filter that counts the characters it reads."""

    @pass_context
    def filtered(context: Context, value: str) -> str:
        context.parent[ALLOWANCE].filter(len(value))
        return change(value)

    return filtered


def _default(value: str, other: str = "", _empty_too: bool = True) -> str:
    # A field without a value is empty, never undefined, so empty is what the filter must look at.
    return value or other


def _for_text(change: Callable[[str], str]) -> Callable[[str], str]:
    """Return a filter that leaves HTML with tags as it is: letters of tags and addresses must not change."""

    def filtered(value: str) -> str:
        if not isinstance(value, Markup):
            return change(value)
        return value if "<" in value else escape(change(value.unescape()))

    return filtered


# Values are text; in HTML bodies those of content blocks are markup, which is inserted as it is.
FILTERS: dict[str, Callable[..., Any]] = {
    "capitalize": _counted(_for_text(do_capitalize)),
    "default": _default,
    "e": _counted(escape),
    "escape": _counted(escape),
    "lower": _counted(_for_text(str.lower)),
    "title": _counted(_for_text(do_title)),
    "trim": do_trim,
    "upper": _counted(_for_text(str.upper)),
    "urlencode": _counted(do_urlencode),
}
# A filter of our own for the text in which a condition searches; no template can name it.
_SEARCHED = "searched text"

# The name under which a template finds all values, and those of what the mail may cost and of what makes its tracked
# addresses, which no template can name.
VALUES = "field"
ALLOWANCE = "allowance of the mail"
ADDRESS_OF = "tracked addresses of the mail"

# Position of a link, its merged address, whether that is HTML → the address in the mail.
AddressOf = Callable[[int, str, bool], str]

# Around the address of a tracked link with merge fields. No author may use it.
_TRACKED = "tracked_link"


def tracked_address(written: str, position: int) -> str:
    """Return an address with merge tags so that a template with `tracked` leads it through this server."""
    return f"{{% filter {_TRACKED}({position}) %}}{written}{{% endfilter %}}"


@pass_context
def _tracked(context: Context, merged: str, position: int) -> str:
    address_of: AddressOf | None = context.parent[ADDRESS_OF]
    is_html = isinstance(merged, Markup)
    address = merged if address_of is None else address_of(position, str(merged), is_html)
    # In HTML it has nothing to escape, or is what was written.
    return Markup(address) if is_html else address  # noqa: S704


def merge_key(name: str) -> str:
    """Return the key of a merge name: lower case, without surrounding white space."""
    return name.strip().casefold()


def _environment(markup: bool) -> SandboxedEnvironment:
    environment = SandboxedEnvironment(
        autoescape=markup,
        keep_trailing_newline=True,
        # It tries every part of an expression again for each part around it: a chain of 200 filters took 6 seconds.
        optimized=False,
        # Text with NUL characters is refused, so these marks occur in no template.
        comment_start_string="\0<",
        comment_end_string=">\0",
    )
    environment.globals.clear()
    environment.tests.clear()
    environment.filters.clear()
    environment.filters.update(FILTERS)
    environment.filters[_SEARCHED] = _counted(str)
    environment.filters[_TRACKED] = _tracked
    return environment


_ENVIRONMENTS = {markup: _environment(markup) for markup in (False, True)}


class Template:
    """A compiled template. `names` holds the keys (`merge_key`) of all values that it may use, `fixed` at least all
    pieces of its text that are the same for everybody, `texts` those between which `pieces` has a value each, if known.

    `part` names the text in sentences ("subject"); `markup` escapes values for HTML. With `tracked` it may have
    addresses of `tracked_address`. Raises InvalidMessage.
    """

    def __init__(self, source: str, part: str, *, markup: bool = False, tracked: bool = False) -> None:
        environment = _ENVIRONMENTS[markup]
        if "\0" in source:
            raise InvalidMessage(f"The {part} holds a character that cannot be stored.")
        try:
            tree = environment.parse(source)
            _check_body(tree.body, tracked)
            names = _Names()
            names.visit(tree)
            parts = _Parts.of(tree)
            code = None if parts is not None else environment.compile(tree)
        except _NotAllowed as refused:
            raise InvalidMessage(f"The {part} uses what a template may not use{_line(refused)}.") from None
        except TemplateError as error:
            raise InvalidMessage(f"The {part} is not a correct template{_line(error)}: {error.message}") from None
        except ValueError:
            # Python does not read numbers of that many digits.
            raise InvalidMessage(f"The {part} has a number that is too long.") from None
        except (SyntaxError, RecursionError, MemoryError):
            raise InvalidMessage(f"The {part} is too deeply nested.") from None
        self.names: Mapping[str, str] = names.found
        # Jinja takes several times as long as looking up the values of a template without filters and conditions.
        self._parts = parts
        self.texts: Sequence[str] = parts.texts if parts is not None else ()
        self._markup = markup
        if code is not None:
            self.fixed = frozenset(_texts(code))
            self._template = CompiledTemplate.from_code(environment, code, {})
        else:
            self.fixed = frozenset(filter(None, self.texts))
        # A text that asks for nothing is merged once.
        differs = names.found or tree.find(nodes.FilterBlock) is not None
        self._always = None if differs else self._merge({}, Allowance(), None)
        self._always_size = sum(map(len, self._always or ()))

    def pieces(
        self, values: Mapping[str, str], allowance: Allowance | None = None, address_of: AddressOf | None = None
    ) -> Sequence[str]:
        """Return the text for one recipient, in pieces; `values` has an entry for every one of `names`.

        `address_of` makes the addresses of tracked links; without it they are those of the author. Its cost is charged
        to the mail's allowance, which the caller checks last. Raises MergedTooLarge.
        """
        allowance = allowance or Allowance()
        if self._always is None:
            return self._merge(values, allowance, address_of)
        allowance.merged -= self._always_size
        return self._always

    def render(self, values: Mapping[str, str], allowance: Allowance | None = None) -> str:
        """Return the text for one recipient, like `pieces`."""
        return "".join(self.pieces(values, allowance))

    def _merge(self, values: Mapping[str, str], allowance: Allowance, address_of: AddressOf | None) -> Sequence[str]:
        if self._parts is not None:
            return self._parts.merge(values, allowance, markup=self._markup)
        template = self._template
        context = template.new_context({VALUES: values, ALLOWANCE: allowance, ADDRESS_OF: address_of})
        found: Iterable[str] = template.root_render_func(context)
        pieces: list[str] = []
        left = allowance.merged
        # Piece by piece: all of them may not fit into memory.
        for piece in found:
            left -= len(piece)
            if left < 0:
                break
            pieces.append(piece)
        allowance.merged = left
        allowance.check()
        return pieces


class _Parts:
    """The parts of a template that has nothing but texts and values: the value of each key stands between two texts."""

    def __init__(self, texts: Sequence[str], keys: Sequence[str]) -> None:
        self.texts = texts
        self._keys = keys
        self._size = sum(map(len, texts))
        # Texts and values in turn.
        self._pieces = [""] * (len(texts) + len(keys))
        self._pieces[::2] = texts

    @classmethod
    def of(cls, tree: nodes.Template) -> Self | None:
        """Return those of a template; None for any other one."""
        texts, keys = [""], []
        for output in tree.body:
            for node in output.nodes if isinstance(output, nodes.Output) else [output]:
                match node:
                    case nodes.TemplateData(data=str(text)):
                        texts[-1] += text
                    case nodes.Getitem(arg=nodes.Const(value=str(key))):
                        keys.append(key)
                        texts.append("")
                    case _:
                        return None
        return cls(texts, keys)

    def merge(self, values: Mapping[str, str], allowance: Allowance, *, markup: bool) -> list[str]:
        """Return the texts with values, escaped in markup. Raises MergedTooLarge."""
        given = [values[key] for key in self._keys]
        size = sum(map(len, given))
        allowance.merged -= self._size + size
        # Before they are joined or escaped: all of them may not fit into memory.
        allowance.check()
        if markup and _ESCAPED.search("".join(given)):
            given = [escape(value) for value in given]
            allowance.merged -= sum(map(len, given)) - size
            allowance.check()
        pieces = self._pieces.copy()
        pieces[1::2] = given
        return pieces


def _texts(code: CodeType) -> Iterator[str]:
    """Yield the texts that compiled code holds."""
    for constant in code.co_consts:
        if isinstance(constant, str):
            yield constant
        elif isinstance(constant, CodeType):
            yield from _texts(constant)


class TagCount:
    """Counts the merge tags of the parts of one message, and the words and signs in them. Raises InvalidMessage.

    `room` is how many tags of one word may be there beside those of its author.
    """

    def __init__(self, room: int = 0) -> None:
        self._tags, self._signs = -room, -2 * room

    def add(self, source: str, part: str) -> None:
        """Count those of one part."""
        if "{{" not in source and "{%" not in source:
            return
        try:
            for _, kind, _ in _ENVIRONMENTS[False].lex(source):
                if kind in _BEGINNINGS:
                    self._tags += 1
                elif kind not in ("data", "whitespace"):
                    self._signs += 1
                if self._tags > MOST_TAGS:
                    raise InvalidMessage(f"The message has more than {MOST_TAGS:,} merge tags.")
                # The ends of tags are among them.
                if self._signs - self._tags > MOST_SIGNS:
                    raise InvalidMessage(
                        f"The merge tags of the message have more than {MOST_SIGNS:,} words and signs."
                    )
        except TemplateError as error:
            raise InvalidMessage(f"The {part} is not a correct template{_line(error)}: {error.message}") from None


_BEGINNINGS = frozenset({"variable_begin", "block_begin", "raw_begin"})


class MergeTag(NamedTuple):
    """A tag of a template: `source[start:end]`.

    `block` is the word of a block ("if", "elif", "else", "endif"), "" for a value, and "raw" for the tags that only
    keep others from being read; the `text` of these is "".
    """

    text: str
    start: int
    end: int
    block: str


def merge_tags(source: str) -> list[MergeTag]:
    """Return the tags of a template in their order. Raises InvalidMessage for a source that is no template."""
    found: list[MergeTag] = []
    # The language reads all line ends as LF. This way no character changes its place.
    read = source.replace("\r\n", " \n").replace("\r", "\n")
    position = begin = signs = 0
    word = ""
    try:
        for _, kind, text in _ENVIRONMENTS[False].lex(read):
            signs += kind not in ("data", "whitespace")
            if signs > MOST_SIGNS + 4 * MOST_TAGS:
                # The exact bounds hold where a message is stored.
                raise InvalidMessage("The text has too many merge tags.")
            # White space that a minus sign takes away is not among what is read.
            start = read.index(text, position)
            position = start + len(text)
            if kind in ("variable_begin", "block_begin"):
                begin, word = start, ""
            elif kind == "name" and not word and read.startswith("{%", begin):
                word = text
            elif kind in ("variable_end", "block_end"):
                block = word if kind == "block_end" else ""
                found.append(MergeTag(source[begin:position], begin, position, block))
            elif kind in ("raw_begin", "raw_end"):
                found.append(MergeTag("", start, position, "raw"))
    except TemplateError as error:
        raise InvalidMessage(f"The text is not a correct template{_line(error)}: {error.message}") from None
    return found


@lru_cache(maxsize=1000)
def names_in(tag: str) -> frozenset[str]:
    """Return the merge keys of all values that a tag `{{ … }}` uses. Raises InvalidMessage."""
    return frozenset(Template(tag, "text").names)


@lru_cache(maxsize=1000)
def shown_by(tag: str) -> frozenset[str]:
    """Return the merge keys whose values, if never empty, a tag `{{ … }}` shows to every recipient."""
    try:
        output = _ENVIRONMENTS[False].parse(tag).body
    except TemplateError:
        return frozenset()
    return _shown(output[0].nodes[0]) if len(output) == 1 and isinstance(output[0], nodes.Output) else frozenset()


def _shown(node: nodes.Node) -> frozenset[str]:
    match node:
        case nodes.Name(name=str(name)) | nodes.Getitem(arg=nodes.Const(value=str(name))):
            return frozenset({merge_key(name)})
        case nodes.Filter(node=nodes.Expr() as inner) | nodes.Or(left=inner):
            return _shown(inner)
        case nodes.CondExpr(expr1=first, expr2=nodes.Expr() as second):
            return _shown(first) & _shown(second)
        case _:
            return frozenset()


class _NotAllowed(Exception):
    def __init__(self, node: nodes.Node) -> None:
        super().__init__(type(node).__name__)
        # Some nodes know only where their first child stands.
        self.lineno = node.lineno or next((child.lineno for child in node.iter_child_nodes() if child.lineno), None)


def _line(error: Exception) -> str:
    line = getattr(error, "lineno", None)
    return f", in line {line}" if line else ""


def _check_body(body: Sequence[nodes.Node], tracked: bool) -> None:
    for node in body:
        if isinstance(node, nodes.Output):
            for piece in node.nodes:
                if not isinstance(piece, nodes.TemplateData):
                    _check_text(piece)
        elif isinstance(node, nodes.If):
            _check_condition(node.test)
            _check_body(node.body, tracked)
            _check_body(node.elif_, tracked)
            _check_body(node.else_, tracked)
        elif tracked and isinstance(node, nodes.FilterBlock) and node.filter.name == _TRACKED:
            _check_body(node.body, tracked=False)
        else:
            raise _NotAllowed(node)


def _check_text(node: nodes.Node) -> None:
    """Check that an expression always yields text, so that building mails cannot fail. Raises _NotAllowed."""
    match node:
        case nodes.Name():
            pass
        case nodes.Const(value=str(text)):
            # Escapes in texts can stand for anything.
            if "\0" in text or _SURROGATE.search(text):
                raise _NotAllowed(node)
        case nodes.Getitem(node=nodes.Name(name="field"), arg=nodes.Const() as key):
            _check_text(key)
        case nodes.Filter(node=nodes.Expr() as inner, name=str(name), kwargs=[], dyn_args=None, dyn_kwargs=None):
            arguments = list(node.args)
            if name not in FILTERS or len(arguments) > (2 if name == "default" else 0):
                raise _NotAllowed(node)
            # The second argument of "default" is Jinja's "empty counts too", which is always so here.
            if len(arguments) == 2 and isinstance(arguments[1], nodes.Const) and isinstance(arguments[1].value, bool):
                arguments.pop()
            for part in (inner, *arguments):
                _check_text(part)
        case nodes.Or(left=left, right=right) | nodes.And(left=left, right=right):
            _check_text(left)
            _check_text(right)
        case nodes.CondExpr(test=test, expr1=first, expr2=nodes.Expr() as second):
            _check_condition(test)
            _check_text(first)
            _check_text(second)
        case _:
            raise _NotAllowed(node)


def _check_condition(node: nodes.Node) -> None:
    match node:
        case nodes.Not(node=inner):
            _check_condition(inner)
        case nodes.Or(left=left, right=right) | nodes.And(left=left, right=right):
            _check_condition(left)
            _check_condition(right)
        case nodes.Compare(expr=expr, ops=operands):
            _check_text(expr)
            for operand in operands:
                # Values are text: an order would put "10" before "9", so there is none.
                if operand.op not in ("eq", "ne", "in", "notin"):
                    raise _NotAllowed(node)
                several = operand.op in ("in", "notin") and isinstance(operand.expr, nodes.List | nodes.Tuple)
                for part in operand.expr.items if several else [operand.expr]:  # type: ignore[attr-defined]
                    _check_text(part)
        case _:
            _check_text(node)


class _Names(NodeTransformer):
    """Turns every name into a look-up of its key and remembers it: key → as written."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}

    def visit_Name(self, node: nodes.Name) -> nodes.Node:
        return self._look_up(node, node.name)

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        self.generic_visit(node)
        for operand in node.ops:
            if operand.op in ("in", "notin") and not isinstance(operand.expr, nodes.List | nodes.Tuple):
                line = node.lineno
                operand.expr = nodes.Filter(operand.expr, _SEARCHED, [], [], None, None, lineno=line)
                operand.expr.environment = node.environment
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        name: str = node.arg.value  # type: ignore[attr-defined]
        return self._look_up(node, name)

    def _look_up(self, node: nodes.Expr, name: str) -> nodes.Node:
        key = merge_key(name)
        self.found.setdefault(key, name)
        values = nodes.Name(VALUES, "load", lineno=node.lineno)
        look_up = nodes.Getitem(values, nodes.Const(key, lineno=node.lineno), "load", lineno=node.lineno)
        look_up.environment = node.environment
        return look_up
