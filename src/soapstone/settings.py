"""Settings of a server, by flag or by `SOAPSTONE_…` environment variable."""

from __future__ import annotations

import os
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from sqlalchemy import make_url

from soapstone import setting_values as values
from soapstone.errors import SoapstoneError

PREFIX = "SOAPSTONE_"
# What Kubernetes sets for a service named soapstone, in all containers of its namespace; links of Docker do the same.
_SERVICE_PROTOCOLS = ("tcp://", "udp://", "sctp://")

# Secrets that `SOAPSTONE_…_FILE` may name a file for: environments are widely visible, and inherited.
SECRETS = ("database_url", "smtp_url", "secret_key", "metrics_token", "admin_password", "relay_key")
# Most bytes of such a file.
LARGEST_SECRET = 64 << 10


class UnusableSetting(SoapstoneError):
    """Settings are invalid or unknown; the message has one line for each, with the reason."""


@dataclass(frozen=True)
class Setting:
    """The definition of a setting. `read` parses its value; raises ValueError with the reason.

    Not a pydantic field: loading pydantic takes a tenth of a server's start.
    """

    default: Any
    description: str
    read: Callable[[Any], Any]


def _setting(default: Any, description: str, read: Callable[[Any], Any] = str) -> Any:
    return Setting(default, description, read)


class Settings:
    """The operator's settings. Command-line flags win over environment variables, these over defaults."""

    data_dir: Path = _setting(Path("./data"), "Folder for all files of this server.", values.folder)
    database_url: str = _setting("", "Database; empty means a SQLite file in the data folder.", values.database)
    blob_url: str = _setting(
        "",
        "Bucket for input files and mails, s3://bucket or s3://bucket/prefix; empty means the data folder.",
        values.bucket,
    )
    public_url: str = _setting(
        "", "Public URL of this server, with which links in mails begin; without it mails have no links.", values.url
    )
    trusted_proxies: list[str] = _setting(
        [], "Addresses of proxies whose X-Forwarded headers are trusted.", values.networks
    )
    tls_cert: str = _setting("", "File with the certificate and its chain, PEM; empty means no TLS.")
    tls_key: str = _setting("", "File with the key of the certificate, PEM, without a password.")
    allowed_origins: list[str] = _setting(
        [], "Origins of web pages that may call SOAP, XML over HTTP and REST from a browser.", values.origins
    )
    max_upload_bytes: int = _setting(
        2 << 30, "Largest request body, in bytes.", values.number(int, above=0, most=1 << 50)
    )
    client_timeout_seconds: float = _setting(
        30,
        "How long a client may take for the head of a request, for each 1,000 bytes of its body, and to read some of a "
        "waiting answer.",
        values.seconds,
    )
    max_connections: int = _setting(
        500, "Concurrent connections of all clients; more are answered 503.", values.number(int, above=0)
    )
    max_connections_per_address: int = _setting(
        100,
        "Concurrent connections of one client address, or of one IPv6 /64 network; "
        "loopback addresses and trusted proxies have no such limit.",
        values.number(int, above=0),
    )
    session_minutes: int = _setting(
        60, "A session of MagnetMail or the console ends this long after its last use.", values.minutes
    )
    time_zone: str = _setting("America/New_York", "Time zone of new accounts.", values.zone)
    lock_failures: int = _setting(
        10,
        "Failed logons within the lock time that lock a login; ten times as many lock an address.",
        values.number(int, above=0),
    )
    lock_minutes: int = _setting(15, "How long failures are remembered and a lock lasts.", values.minutes)
    smtp_url: str = _setting("", "SMTP server for outgoing mail, smtp://… or smtps://…; empty means a folder of files.")
    smtp_connections: int = _setting(
        8, "Connections to the SMTP server that a worker opens.", values.number(int, above=0, most=200)
    )
    smtp_rate: float = _setting(0, "Most mails per second that a worker sends; 0 means no limit.", values.rate)
    smtp_domain_rate: float = _setting(
        0, "Most mails per second to recipients of one domain; 0 means no limit.", values.rate
    )
    smtp_timeout_seconds: float = _setting(
        300,
        "How long the SMTP server may take for the envelope of a mail; twice as long for its content.",
        values.seconds,
    )
    smtp_retry_seconds: float = _setting(
        60, "Delay of the first retry of a deferred recipient; doubled for each further one.", values.seconds
    )
    smtp_retry_hours: float = _setting(
        24,
        "A recipient that stays deferred is given up after this time.",
        values.number(float, above=0, most=8_760),
    )
    smtp_hostname: str = _setting("", "Host name in EHLO; empty means this machine's.", values.host)
    dkim_keys: list[str] = _setting(
        [],
        "Keys that mails are signed with, DOMAIN:SELECTOR:FILE; each of them adds a signature. Mails from other "
        "domains go unsigned.",
        values.dkim_keys,
    )
    bounce_address: str = _setting(
        "",
        "Where bounces and complaints come to this server: b+@DOMAIN, or b-@DOMAIN; empty means that none come.",
        values.bounce_address,
    )
    bounce_listen: str = _setting(
        "", "Where bounces are taken by LMTP and SMTP, host:port or unix:path; empty means nowhere.", values.place
    )
    relay: Literal["", "mailgun", "postmark", "sendgrid", "ses"] = _setting(
        "",
        "Service that sends the mails on and reports bounces: mailgun, postmark, sendgrid or ses; empty means none.",
        values.one_of("", "mailgun", "postmark", "sendgrid", "ses"),
    )
    relay_key: str = _setting("", "What calls of that service are checked with; docs/bounces.md says what it is.")
    spamd_url: str = _setting("", "SpamAssassin's spamd that scores messages, spamd://host:port; empty means none.")
    machine_click_seconds: float = _setting(
        5,
        "A click that comes less than this time after its mail was sent is a scanner's; "
        "0: no click is judged by its time.",
        values.number(float, least=0, most=86_400),
    )
    secret_key: str = _setting("", "Key that signs links in mails; empty means one kept in the database.")
    retention_days: int = _setting(
        30,
        "How long input files of finished jobs are kept, at least 30 days; the jobs themselves stay.",
        values.number(int, least=30, most=36_500),
    )
    result_retention_days: int = _setting(
        0,
        "How long results of finished jobs are kept: rejected rows, the outcomes of rows, and mails in the mail "
        "folder; 0: for ever.",
        values.number(int, least=0, most=36_500),
    )
    event_retention_days: int = _setting(
        400,
        "How long opens, reads and clicks of single mails are kept; 0: for ever. Figures stay.",
        values.number(int, least=0, most=36_500),
    )
    log_format: Literal["text", "json"] = _setting(
        "text", "Format of log lines: text or json.", values.one_of("text", "json")
    )
    log_level: Literal["debug", "info", "warning", "error"] = _setting(
        "info",
        "Lowest level of log lines: debug, info, warning or error.",
        values.one_of("debug", "info", "warning", "error"),
    )
    metrics_token: str = _setting(
        "", "Token with which a monitor reads /metrics, 20 characters or more; empty means no metrics.", values.token
    )
    admin_login: str = _setting(
        "",
        "Login of the first account, LOGIN or ACCOUNT/LOGIN; a server creates both if it has no account "
        "yet. Without ACCOUNT the account is named like the login.",
        values.login,
    )
    admin_password: str = _setting("", "Password of that login; used only to create it.")

    def __init__(self, **given: Any) -> None:
        """Read settings that are not `given` from the environment. Raises UnusableSetting, without values."""
        if unknown := given.keys() - SETTINGS.keys():
            raise TypeError(f"no settings: {', '.join(sorted(unknown))}")
        variables = {name.upper(): value for name, value in os.environ.items()}
        faults = []
        for name, setting in SETTINGS.items():
            variable = f"{PREFIX}{name.upper()}"
            value = given.get(name, variables.get(variable, setting))
            try:
                # A list of its own: the settings of two servers in one process share nothing.
                setattr(self, name, copy(setting.default) if value is setting else setting.read(value))
            except ValueError as trouble:
                faults.append(f"{variable} cannot be used: {trouble}.")
        if faults:
            raise UnusableSetting("\n".join(faults))

    def changed(self, **given: Any) -> Settings:
        """Return a copy of these settings with those that are `given` changed."""
        return Settings(**vars(self) | given)

    @property
    def database(self) -> str:
        """The database's URL in full."""
        return self.database_url or f"sqlite:///{self.data_dir / 'soapstone.sqlite'}"

    @property
    def safe_database_url(self) -> str:
        """The database's URL without its password."""
        url = make_url(self.database)
        secret = {name: "***" for name in url.query if "password" in name}
        return url.update_query_dict(secret).render_as_string()

    @property
    def bounce_domain(self) -> str:
        """The domain whose mail comes to this server; empty means that none comes."""
        return self.bounce_address.rpartition("@")[2]

    @property
    def bounce_separator(self) -> str:
        """What stands between the local part and the signature in addresses for bounces: "+" or "-"."""
        return self.bounce_address[1:2]

    @property
    def blobs(self) -> Path:
        """Folder of input files, or of those on their way from and to the bucket."""
        return self.data_dir / "blobs"

    @property
    def mail(self) -> Path:
        """Folder of sent mails while no SMTP server is configured."""
        return self.data_dir / "mail"

    @property
    def drafts(self) -> Path:
        """Folder of mails built but not yet sent; on the same file system as `mail`."""
        return self.data_dir / "drafts"

    @property
    def spool(self) -> Path:
        """Folder of opens and clicks that are not recorded yet."""
        return self.data_dir / "spool"

    @property
    def safe_smtp_url(self) -> str:
        """The SMTP server's URL without its password."""
        if "@" not in self.smtp_url:
            return self.smtp_url
        try:
            parts = urlsplit(self.smtp_url)
        except ValueError:
            return "***"
        if parts.password is None:
            # An invalid URL may have it anywhere.
            return self.smtp_url if parts.username else "***"
        return parts._replace(netloc=f"{parts.username}:***@{parts.netloc.rpartition('@')[2]}").geturl()

    @property
    def worker_lock(self) -> Path:
        """The worker's lock file."""
        return self.data_dir / "worker.lock"


SETTINGS: dict[str, Setting] = {name: each for name, each in vars(Settings).items() if isinstance(each, Setting)}
"""All settings by their names."""


def read_settings(**flags: Any) -> Settings:
    """Return the settings of flags and environment. Raises UnusableSetting, which names every fault."""
    faults = [_unknown(name) for name, value in sorted(os.environ.items()) if _is_misspelt(name, value)]
    given = dict(flags)
    for name in SECRETS:
        try:
            secret = _from_file(name)
        except ValueError as trouble:
            faults.append(f"{PREFIX}{name.upper()}_FILE cannot be used: {trouble}.")
        else:
            given |= {} if secret is None or name in flags else {name: secret}
    try:
        settings = Settings(**given)
    except UnusableSetting as trouble:
        faults.append(str(trouble))
    if faults:
        raise UnusableSetting("\n".join(faults))
    return settings


def source_of(name: str) -> str:
    """Return where a setting's value comes from when no flag gives it: "file", "variable" or "default"."""
    variables = {variable.upper(): value for variable, value in os.environ.items()}
    variable = f"{PREFIX}{name.upper()}"
    if name in SECRETS and variables.get(f"{variable}_FILE"):
        return "file"
    return "variable" if variable in variables else "default"


def _from_file(name: str) -> str | None:
    """Return the secret in the file that its variable names, without the line end; None if no file is named.

    Raises ValueError with the reason if the file is unusable.
    """
    if source_of(name) != "file":
        return None
    variables = {variable.upper(): value for variable, value in os.environ.items()}
    path = variables[f"{PREFIX}{name.upper()}_FILE"]
    if variables.get(f"{PREFIX}{name.upper()}"):
        raise ValueError(f"{PREFIX}{name.upper()} is set too, and only one of them can count")
    try:
        with Path(path).open("rb") as file:
            content = file.read(LARGEST_SECRET + 1).decode()
    except OSError as trouble:
        raise ValueError(f"{path} cannot be read: {trouble.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not text in UTF-8") from None
    secret = content.rstrip("\r\n")
    if not secret or len(content) > LARGEST_SECRET or "\n" in secret or "\0" in secret:
        raise ValueError(f"{path} does not hold one line of text")
    return secret


def _is_misspelt(name: str, value: str) -> bool:
    """Return whether a variable is an unknown setting."""
    upper = name.upper()
    own = upper.removeprefix(PREFIX).lower()
    if not upper.startswith(PREFIX) or own in SETTINGS or own.removesuffix("_file") in SECRETS:
        return False
    is_service = "SERVICE_HOST" in upper or "SERVICE_PORT" in upper or "_PORT_" in upper
    return not (is_service or (upper.endswith("_PORT") and value.startswith(_SERVICE_PROTOCOLS)))


def _unknown(name: str) -> str:
    known = [f"{PREFIX}{field.upper()}" for field in SETTINGS]
    close = get_close_matches(name.upper(), known, n=1)
    return f"{name} is no setting{f': is it {close[0]}?' if close else '.'} All of them: soapstone settings"
