"""Settings of a server, by flag or by `SOAPSTONE_…` environment variable."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError
from sqlalchemy import make_url


class UnusableSetting(Exception):
    """A setting has a value that it cannot have; the message says which and why."""


class Settings(BaseSettings):
    """What an operator may set. Flags of the command line win over environment variables, these over the defaults."""

    model_config = SettingsConfigDict(env_prefix="SOAPSTONE_", extra="ignore")

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
    max_upload_bytes: int = Field(2 << 30, gt=0, description="Largest request body, in bytes.")
    head_seconds: float = Field(20, gt=0, description="How long the head of a request may take.")
    body_seconds: float = Field(
        30, gt=0, description="A request is given up when its body brings less than 1,000 bytes in this time."
    )
    answer_seconds: float = Field(
        60, gt=0, description="A connection is closed when its client takes nothing of an answer for so long."
    )
    max_connections: int = Field(500, gt=0, description="Connections of all clients at once; more are answered 503.")
    max_connections_per_address: int = Field(
        100,
        gt=0,
        description="Connections of one client address at once, or of one IPv6 /64 network; "
        "loopback addresses and trusted proxies have no such bound.",
    )
    session_minutes: int = Field(
        60, gt=0, description="A session of MagnetMail or the console ends this long after its last use."
    )
    time_zone: str = Field("America/New_York", description="Time zone of new accounts.")
    lock_failures: int = Field(
        10, gt=0, description="Failed logons within the lock time that lock a login; ten times as many lock an address."
    )
    lock_minutes: int = Field(15, gt=0, description="How long failures are remembered and a lock lasts.")
    smtp_url: str = Field(
        "", description="SMTP server that mail is handed to, smtp://… or smtps://…; empty means a folder of files."
    )
    smtp_connections: int = Field(8, gt=0, le=200, description="Connections to the SMTP server that a worker opens.")
    smtp_rate: float = Field(0, ge=0, description="Most mails per second that a worker hands over; 0 means no limit.")
    smtp_domain_rate: float = Field(
        0, ge=0, description="Most mails per second to recipients of one domain; 0 means no limit."
    )
    smtp_timeout_seconds: float = Field(
        300,
        gt=0,
        description="How long the SMTP server may take for the envelope of a mail; twice as long for its content.",
    )
    smtp_retry_seconds: float = Field(
        60, gt=0, description="A recipient that is refused for now is tried again after this time, then twice as long."
    )
    smtp_retry_hours: float = Field(
        24, gt=0, description="A recipient that is refused for now, again and again, is given up after this time."
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
        description="How long input files of finished jobs are kept, at least 30 days; the jobs themselves stay.",
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, given: list[str]) -> list[str]:
        for one in given:
            try:
                ip_network(one, strict=False)
            except ValueError:
                raise ValueError(f"{one!r} is no address and no network") from None
        return given

    @property
    def database(self) -> str:
        """The database's URL in full."""
        return self.database_url or f"sqlite:///{self.data_dir / 'soapstone.sqlite'}"

    @property
    def safe_database_url(self) -> str:
        """The database's URL without its password."""
        return make_url(self.database).render_as_string()

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
        parts = urlsplit(self.smtp_url)
        if parts.password is None:
            return self.smtp_url
        return parts._replace(netloc=f"{parts.username}:***@{parts.netloc.rpartition('@')[2]}").geturl()

    @property
    def worker_lock(self) -> Path:
        """The worker's lock."""
        return self.data_dir / "worker.lock"


def read_settings(**flags: Any) -> Settings:
    """The settings of the environment under these flags. Raises UnusableSetting."""
    try:
        return Settings(**flags)
    except ValidationError as trouble:
        # The value is not quoted: it may be secret.
        first = trouble.errors(include_url=False, include_input=False)[0]
        name, reason = first["loc"][0], first["msg"].removeprefix("Value error, ").replace("Input should", "it should")
    except SettingsError as trouble:
        # Only lists are parsed before they are checked. The exception names the setting in its text alone.
        name = next(name for name in Settings.model_fields if f'"{name}"' in str(trouble))
        reason = 'a list is written as JSON, ["…", "…"]'
    raise UnusableSetting(f"SOAPSTONE_{str(name).upper()} cannot be used: {reason}.")
