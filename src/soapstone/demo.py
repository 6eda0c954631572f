"""The demo account: created at the first start with `--demo`, with a past made by real jobs."""

from __future__ import annotations

from soapstone.product import Product
from soapstone.settings import Settings

ACCOUNT = "DEMO"
LOGIN = "demo"
PASSWORD = "demo"  # noqa: S105 - published on purpose, and only served on loopback addresses

# Two of these rows are rejected: line 6 has no address, line 11 belongs to a role.
PEOPLE = """\
Email,First_Name,Last_Name,City,Favourite colour,Post
ada@example.com,Ada,Lovelace,London,green,on
grace@example.com,Grace,Hopper,New York,blue,off
alan@example.com,Alan,Turing,Wilmslow,red,off
edsger@example.com,Edsger,Dijkstra,Rotterdam,orange,on
this is not an address,Nobody,At all,,,
barbara@example.com,Barbara,Liskov,Los Angeles,violet,off
donald@example.com,Donald,Knuth,Milwaukee,brown,on
katherine@example.com,Katherine,Johnson,White Sulphur Springs,yellow,off
linus@example.com,Linus,Torvalds,Helsinki,black,off
info@example.com,The,Office,,,
radia@example.com,Radia,Perlman,Portsmouth,silver,on
tim@example.com,Tim,Berners-Lee,London,white,off
"""

# A message's subject and its HTML.
WELCOME = (
    "Welcome, {{ First_Name or 'friend' }}",
    "<h1>Hello {{ First_Name or 'friend' }}</h1>"
    "<p>This is the newsletter of the demo account"
    "{% if field['Favourite colour'] %}, in {{ field['Favourite colour'] }} for you{% endif %}.</p>",
)


def demo_settings(settings: Settings, base: str) -> Settings:
    """Return the settings of a server with the demo account; its public URL is `base` unless set.

    Its mail goes to the folder, never to an SMTP server.
    """
    return settings.changed(smtp_url="", public_url=settings.public_url or base)


def refusal(product: Product, *, demo: bool, loopback: bool) -> str | None:
    """Return why a server may not serve these records this way, with the remedy; None if it may.

    The password of the demo login is published: it must not coexist with other accounts, nor be on the network.
    """
    if demo:
        others = _others(product)
        if others:
            return (
                f"--demo makes a login with a published password, and these records hold account {others[0]}, which is "
                "not the demo's. Give the demo a folder of its own: --data FOLDER. Or start without --demo."
            )
    held = product.accounts.demo_login()
    if held is not None and not loopback:
        account, login = held
        return (
            f"These records hold demo data: the password of login {login.name} is published. They are served on a "
            "loopback address only, such as --host 127.0.0.1. Serve other records, with --data FOLDER, or delete the "
            f"login: soapstone account delete-login {login.name} --account {account.name}"
        )
    return None


def _others(product: Product) -> list[str]:
    """Return the names of accounts that are neither the demo's nor below it."""
    held = product.accounts.demo_login()
    own = set() if held is None else {held[0].id}
    others = []
    # A parent has a lower number than its children.
    for account in sorted(product.accounts.all(), key=lambda each: each.id):
        if account.id in own or account.parent_id in own:
            own.add(account.id)
        else:
            others.append(account.name)
    return others


def prepare_demo(product: Product, *, sends: bool = True) -> bool:
    """Create the demo account unless it exists; return whether it was created.

    A list with contacts and two profile attributes, one upload with two rejected rows and one Send to List: the worker
    runs both jobs, like any others. Without `sends`, it has no message and no past mail. A second list holds
    the addresses of the mail simulator.
    """
    # Other servers need none of these at their start.
    from soapstone.contacts.changes import Changes
    from soapstone.imports.spec import Column, ImportSpec
    from soapstone.sending.messages.message import Draft
    from soapstone.sending.simulator import Behaviour

    if product.accounts.named(ACCOUNT) is not None:
        return False
    account = product.accounts.create(ACCOUNT, time_zone=product.settings.time_zone)
    login = product.accounts.add_login(account, LOGIN, PASSWORD, is_demo=True)
    settings = {"from_name": "Soapstone Demo", "from_address": "news@example.com", "removal_link": True}
    newsletter = product.lists.create(account.id, "Newsletter", settings=settings)
    header = product.profiles.add_header(account.id, newsletter.id, "Preferences")
    colour = product.profiles.add_attribute(account.id, newsletter.id, header, "Favourite colour")
    post = product.profiles.add_attribute(account.id, newsletter.id, header, "Post", kind="check_box")
    targets = ["email", "first_name", "last_name", "city", f"attribute:{colour}", f"attribute:{post}"]
    upload = product.blobs.new()
    upload.write(PEOPLE.encode())
    upload.close()
    product.imports.submit(
        account=account,
        login=login,
        contact_list=newsletter,
        upload=upload,
        spec=ImportSpec(
            columns=tuple(Column(index=index, target=target) for index, target in enumerate(targets)),
            header=True,
            action="add",
            known="overwrite",
            blocked="keep",
            identified_by="account",
            reject_roles=True,
        ),
        label="people.csv",
    )
    if sends:
        message = product.messages.save(account.id, newsletter.id, Draft(subject=WELCOME[0], html=WELCOME[1]))
        product.sends.to_list(account=account, login=login, contact_list=newsletter, message=message)
    simulator = product.lists.create(account.id, "Mail simulator", settings=settings)
    with Changes(product.database).begin(account) as change:
        for behaviour in Behaviour:
            change.join(simulator.id, change.add(email=behaviour.address))
    return True
