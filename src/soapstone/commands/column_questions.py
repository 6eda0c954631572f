"""Questions about the columns of a file that an import would not use."""

from __future__ import annotations

from dataclasses import replace

import typer

from soapstone.commands.common import printable, stop
from soapstone.imports.columns import Headings, Plan, shortened
from soapstone.imports.spec import Column

LEAVE, MAKE, EACH, STOP = "l", "m", "e", "s"
NEW = "+"


def ask(headings: Headings, plan: Plan) -> Plan:
    """Ask at the terminal what to do with unused columns; return the plan with the answers.

    Ends the command when the answer is to stop. Raises InvalidError for attributes that cannot be made.
    """
    _say(f"These columns match no field or attribute: {', '.join(shortened(plan.unused.values()))}.")
    choices = {LEAVE: "leave them out", MAKE: "make attributes", EACH: "ask for each", STOP: "stop"}
    if not headings.can_make:
        del choices[MAKE]
    question = ", ".join(f"{words} ({letter})" for letter, words in choices.items())
    answer = ""
    while answer not in choices:
        answer = typer.prompt(question[0].upper() + question[1:], default=LEAVE).strip().lower()
    if answer == STOP:
        stop("Nothing was stored.")
    if answer == MAKE:
        return plan.making(plan.unused)
    return _each(headings, plan) if answer == EACH else plan


def _each(headings: Headings, plan: Plan) -> Plan:
    """Return the plan after a question for each unused column."""
    columns, new = list(plan.columns), []
    possible = f"a field or attribute, {f'{NEW} for a new attribute, ' if headings.can_make else ''}or nothing"
    for index, heading in plan.unused.items():
        while True:
            question = f"Column {index + 1}, {shortened([heading])[0]}: {possible}"
            answer = typer.prompt(printable(question), default="", show_default=False).strip()
            target = headings.target(answer)
            if answer == NEW and headings.can_make:
                new.append(index)
            elif target is not None and any(column.target == target for column in columns):
                _say(f"Another column of the file goes to {answer}.")
                continue
            elif target is not None:
                columns.append(Column(index=index, target=target))
            elif answer:
                _say(f"There is no field or attribute {answer}.")
                continue
            break
    used = {column.index for column in columns}
    unused = {index: heading for index, heading in plan.unused.items() if index not in used}
    return replace(plan, columns=tuple(columns), unused=unused).making(new)


def _say(sentence: str) -> None:
    typer.echo(printable(sentence))
