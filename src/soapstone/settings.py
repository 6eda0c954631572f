"""Settings of a server, by flag or by `SOAPSTONE_…` environment variable."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import make_url


class Settings(BaseSettings):
    """What an operator may set. Flags of the command line win over environment variables, these over the defaults."""

    model_config = SettingsConfigDict(env_prefix="SOAPSTONE_", extra="ignore")

    data_dir: Path = Field(Path("./data"), description="Folder of everything that this server keeps.")
    database_url: str = Field("", description="Database; empty means a SQLite file in the data folder.")
    public_url: str = Field(
        "", description="URL at which browsers reach the console; empty means as they say in the request."
    )
    trusted_proxies: list[str] = Field(
        default_factory=list, description="Addresses of proxies whose X-Forwarded headers are believed."
    )
    tls_cert: str = Field("", description="File with the certificate and its chain, PEM; empty means no TLS.")
    tls_key: str = Field("", description="File with the key of the certificate, PEM, without a password.")
    allowed_origins: list[str] = Field(
        default_factory=list, description="Origins of web pages that may call the SOAP services from a browser."
    )
    max_upload_bytes: int = Field(2 << 30, gt=0, description="Largest request body, in bytes.")
    idle_seconds: int = Field(
        60, gt=0, description="A request of which nothing comes for so long is given up; its connection is closed."
    )
    session_minutes: int = Field(
        60, gt=0, description="A session of MagnetMail or the console ends this long after its last use."
    )
    time_zone: str = Field("America/New_York", description="Time zone of new accounts.")
    lock_failures: int = Field(10, gt=0, description="Failed logons within the lock time that lock a login.")
    lock_minutes: int = Field(15, gt=0, description="How long failures are remembered and a lock lasts.")
    retention_days: int = Field(
        30,
        ge=30,
        description="How long input files of finished jobs are kept, at least 30 days; the jobs themselves stay.",
    )

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
    def worker_lock(self) -> Path:
        """The worker's lock."""
        return self.data_dir / "worker.lock"
