"""Settings of a server, by flag or by `SOAPSTONE_…` environment variable."""

from __future__ import annotations

import json
import os
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from soapstone.errors import SoapstoneError

PREFIX = "SOAPSTONE_"
DATABASES = ("sqlite", "postgresql")
# What Kubernetes sets for a service named soapstone, in all containers of its namespace; links of Docker do the same.
_SERVICE_PROTOCOLS = ("tcp://", "udp://", "sctp://")

# Larger ones are no times that a clock or a calendar can count.
Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
Rate = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
Minutes = Annotated[int, Field(gt=0, le=525_600)]

# What is better kept in a file that `SOAPSTONE_…_FILE` names: environments are shown to many, and inherited.
SECRETS = ("database_url", "smtp_url", "secret_key", "metrics_token", "admin_password")
# Bytes of such a file.
LARGEST_SECRET = 64 << 10

# Characters of a token that is not to be guessed.
SHORTEST_TOKEN = 20


class UnusableSetting(SoapstoneError):
    """Settings have values that they cannot have, or there are no such settings; a line for each says which and why."""


class Settings(BaseModel):
    """What an operator may set. Flags of the command line win over environment variables, these over the defaults."""

    data_dir: Path = Field(Path("./data"), description="Folder of everything that this server keeps.")
    database_url: str = Field("", description="Database; empty means a SQLite file in the data folder.")
    public_url: str = Field(
        "",
        description="URL at which people reach this server; links in mails begin with it, without it there are none.",
    )
    trusted_proxies: list[str] = Field(
        default_factory=list, description="Addresses of proxies whose X-Forwarded headers are believed."
    )
    tls_cert: str = Field("", description="File with the certificate and its chain, PEM; empty means no TLS.")
    tls_key: str = Field("", description="File with the key of the certificate, PEM, without a password.")
    allowed_origins: list[str] = Field(
        default_factory=list,
        description="Origins of web pages that may call SOAP, XML over HTTP and REST from a browser.",
    )
    max_upload_bytes: int = Field(2 << 30, gt=0, le=1 << 50, description="Largest request body, in bytes.")
    head_seconds: Seconds = Field(20, description="How long the head of a request may take.")
    body_seconds: Seconds = Field(
        30, description="A request is given up when its body brings less than 1,000 bytes in this time."
    )
    answer_seconds: Seconds = Field(
        60, description="A connection is closed when its client takes nothing of an answer for so long."
    )
    max_connections: int = Field(500, gt=0, description="Connections of all clients at once; more are answered 503.")
    max_connections_per_address: int = Field(
        100,
        gt=0,
        description="Connections of one client address at once, or of one IPv6 /64 network; "
        "loopback addresses and trusted proxies have no such bound.",
    )
    session_minutes: Minutes = Field(
        60, description="A session of MagnetMail or the console ends this long after its last use."
    )
    time_zone: str = Field("America/New_York", description="Time zone of new accounts.")
    lock_failures: int = Field(
        10, gt=0, description="Failed logons within the lock time that lock a login; ten times as many lock an address."
    )
    lock_minutes: Minutes = Field(15, description="How long failures are remembered and a lock lasts.")
    smtp_url: str = Field(
        "", description="SMTP server that mail is handed to, smtp://… or smtps://…; empty means a folder of files."
    )
    smtp_connections: int = Field(8, gt=0, le=200, description="Connections to the SMTP server that a worker opens.")
    smtp_rate: Rate = Field(0, description="Most mails per second that a worker hands over; 0 means no limit.")
    smtp_domain_rate: Rate = Field(
        0, description="Most mails per second to recipients of one domain; 0 means no limit."
    )
    smtp_timeout_seconds: Seconds = Field(
        300,
        description="How long the SMTP server may take for the envelope of a mail; twice as long for its content.",
    )
    smtp_retry_seconds: Seconds = Field(
        60, description="A recipient that is refused for now is tried again after this time, then twice as long."
    )
    smtp_retry_hours: float = Field(
        24,
        gt=0,
        le=8_760,
        allow_inf_nan=False,
        description="A recipient that is refused for now, again and again, is given up after this time.",
    )
    smtp_hostname: str = Field("", description="Name by which the SMTP server is greeted; empty means this machine's.")
    dkim_key: str = Field(
        "", description="File with the RSA or ed25519 key that mails are signed with, PEM; empty means none."
    )
    dkim_domain: str = Field("", description="Domain that signs; mails from other domains go unsigned.")
    dkim_selector: str = Field("", description="Selector of the key in that domain.")
    dkim_second_key: str = Field(
        "", description="File with a second key, of the other kind, for a second signature; empty means none."
    )
    dkim_second_selector: str = Field("", description="Selector of the second key in the same domain.")
    spamd_url: str = Field(
        "", description="SpamAssassin's spamd, spamd://host:port, that gives messages their score; empty means none."
    )
    secret_key: str = Field(
        "", description="Key that links in mails are signed with; empty means one that is kept in the database."
    )
    retention_days: int = Field(
        30,
        ge=30,
        le=36_500,
        description="How long input files of finished jobs are kept, at least 30 days; the jobs themselves stay.",
    )
    row_retention_days: int = Field(
        0,
        ge=0,
        le=36_500,
        description="How long rejected rows and the outcomes of rows of finished imports are kept; 0: for ever.",
    )
    mail_retention_days: int = Field(
        0, ge=0, le=36_500, description="How long mails of sends that are over stay in the mail folder; 0: for ever."
    )
    log_format: Literal["text", "json"] = Field("text", description="Form of the lines of the log, text or json.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least level of the lines of the log: debug, info, warning or error."
    )
    metrics_token: str = Field(
        "", description="Token with which a monitor reads /metrics, 20 characters or more; empty means no metrics."
    )

    admin_login: str = Field(
        "",
        description="Login of the first account, LOGIN or ACCOUNT/LOGIN; a server makes both where there is no account "
        "yet. The account is named like the login unless it is named.",
    )
    admin_password: str = Field("", description="Password of that login; it counts only when the login is made.")

    @model_validator(mode="before")
    @classmethod
    def _environment(cls, given: dict[str, Any]) -> dict[str, Any]:
        variables = {name.upper(): value for name, value in os.environ.items()}
        named = {field: f"{PREFIX}{field.upper()}" for field in cls.model_fields}
        return {field: variables[name] for field, name in named.items() if name in variables} | given

    @field_validator("admin_login")
    @classmethod
    def _named(cls, given: str) -> str:
        if given and not all(part.strip() for part in given.split("/", 1)):
            raise ValueError("it is LOGIN or ACCOUNT/LOGIN")
        return given

    @field_validator("data_dir", mode="before")
    @classmethod
    def _folder(cls, given: Any) -> Any:
        if str(given).strip():
            return given
        # It would be the folder in which the command runs.
        raise ValueError("it is empty: name a folder, or leave it out")

    @field_validator("database_url")
    @classmethod
    def _database(cls, given: str) -> str:
        try:
            parsed = make_url(given) if given else None
        except (ArgumentError, ValueError):
            raise ValueError(
                "it cannot be read as a URL: sqlite:///path or postgresql://user:password@host/name"
            ) from None
        if parsed is not None and (parsed.get_backend_name() not in DATABASES or not parsed.database):
            raise ValueError("it is not sqlite:///path or postgresql://user:password@host/name")
        return given

    @field_validator("public_url")
    @classmethod
    def _url(cls, given: str) -> str:
        if given:
            parts = _split(given)
            if parts is None or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
                raise ValueError("it is not a URL such as https://mail.example.com")
        return given

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, given: str) -> str:
        try:
            ZoneInfo(given)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"there is no time zone {given!r}; one is Europe/Berlin") from None
        return given

    @field_validator("smtp_hostname")
    @classmethod
    def _name(cls, given: str) -> str:
        if not all("!" <= character <= "~" for character in given):
            raise ValueError(f"{given!r} is no name of a host, such as mail.example.com")
        return given

    @field_validator("smtp_rate", "smtp_domain_rate")
    @classmethod
    def _pace(cls, given: float) -> float:
        if 0 < given < 0.001:
            raise ValueError("it should be 0, or 0.001 at least")
        return given

    @field_validator("trusted_proxies", "allowed_origins", mode="before")
    @classmethod
    def _listed(cls, given: Any) -> Any:
        """A list as an environment variable has it."""
        if not isinstance(given, str):
            return given
        if not given.lstrip().startswith("["):
            return [one.strip() for one in given.split(",") if one.strip()]
        try:
            return json.loads(given)
        except ValueError:
            raise ValueError('a list is written with commas, or as JSON, ["…", "…"]') from None

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, given: list[str]) -> list[str]:
        for one in given:
            try:
                ip_network(one, strict=False)
            except ValueError:
                raise ValueError(f"{one!r} is no address and no network") from None
        return given

    @field_validator("allowed_origins")
    @classmethod
    def _origins(cls, given: list[str]) -> list[str]:
        return [_origin(one) for one in given]

    @field_validator("metrics_token")
    @classmethod
    def _long(cls, given: str) -> str:
        if given and (len(given) < SHORTEST_TOKEN or not given.isascii() or not given.isprintable() or " " in given):
            raise ValueError(f"it needs {SHORTEST_TOKEN} characters or more, of ASCII and without spaces")
        return given

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
    def blobs(self) -> Path:
        """Folder of input files."""
        return self.data_dir / "blobs"

    @property
    def mail(self) -> Path:
        """Folder that mail is handed over to while no SMTP server is configured."""
        return self.data_dir / "mail"

    @property
    def drafts(self) -> Path:
        """Folder of mails that are built but not yet handed over; on the same file system as `mail`."""
        return self.data_dir / "drafts"

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
            # A URL that cannot be used may have it anywhere.
            return self.smtp_url if parts.username else "***"
        return parts._replace(netloc=f"{parts.username}:***@{parts.netloc.rpartition('@')[2]}").geturl()

    @property
    def worker_lock(self) -> Path:
        """The worker's lock."""
        return self.data_dir / "worker.lock"


def read_settings(**flags: Any) -> Settings:
    """The settings of the environment under these flags. Raises UnusableSetting, which names all that is wrong."""
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
    except ValidationError as trouble:
        # The value is not quoted: it may be secret.
        for fault in trouble.errors(include_url=False, include_input=False):
            reason = fault["msg"].removeprefix("Value error, ").replace("Input should", "it should")
            faults.append(f"{PREFIX}{str(fault['loc'][0]).upper()} cannot be used: {reason}.")
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
    """Return the secret in the file that its variable names, without the line's end; None when no file is named.

    Raises ValueError when the file cannot give one; its message says why.
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
    """Whether a variable looks like a setting and is none."""
    upper = name.upper()
    own = upper.removeprefix(PREFIX).lower()
    if not upper.startswith(PREFIX) or own in Settings.model_fields or own.removesuffix("_file") in SECRETS:
        return False
    is_service = "SERVICE_HOST" in upper or "SERVICE_PORT" in upper or "_PORT_" in upper
    return not (is_service or (upper.endswith("_PORT") and value.startswith(_SERVICE_PROTOCOLS)))


def _unknown(name: str) -> str:
    known = [f"{PREFIX}{field.upper()}" for field in Settings.model_fields]
    close = get_close_matches(name.upper(), known, n=1)
    return f"{name} is no setting{f': is it {close[0]}?' if close else '.'} All of them: soapstone settings"


def _split(url: str) -> SplitResult | None:
    """The parts of a URL with a host, and neither a user nor blanks; None for anything else."""
    try:
        parts = urlsplit(url)
        # Reading the port checks it.
        usable = bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        return None
    return parts if usable and not any(character <= " " for character in url) else None


def _origin(given: str) -> str:
    """An origin as browsers write it: in lower case, without a path."""
    parts = _split(given)
    if parts is None or not parts.scheme or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"{given!r} is no origin such as https://www.example.com")
    origin = given.rstrip("/").lower()
    return origin.removesuffix({"http": ":80", "https": ":443"}.get(parts.scheme, "/"))
