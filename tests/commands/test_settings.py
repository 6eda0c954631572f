"""Settings are checked before anything begins: each fault in one line, all of them at once, without secrets."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from soapstone.cli import app
from soapstone.product import Product
from soapstone.settings import UnusableSetting, read_settings
from soapstone.store.database import Database

STARTS = [("serve", "--port", "0"), ("web", "--port", "0"), ("worker",), ("settings", "--check")]


@pytest.fixture(autouse=True)
def _data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOAPSTONE_DATA_DIR", str(tmp_path / "data"))


def run(*words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("SMTP_URL", "mail.example.com", "is not smtp://host:port or smtps://host:port."),
        ("SMTP_URL", "smtp://mail example.com:25", "is not smtp://host:port or smtps://host:port."),
        ("SMTP_URL", "smtp://one.example,two.example", "is not smtp://host:port or smtps://host:port."),
        ("SMTP_URL", "smtp://u:geheim@mail.example.com:port", "cannot be read."),
        ("SMTP_URL", "smtp://u:geheim@mail.example.com?startls=never", "starttls and verify, and no other"),
        (
            "SMTP_URL",
            "smtp://u:geheim@mail.example.com?verify=maybe",
            "verify of the SMTP server's URL is one of yes, no.",
        ),
        ("SMTP_HOSTNAME", "mail example", "'mail example' is no name of a host"),
        ("SMTP_RATE", "nan", "it should be"),
        ("SMTP_RATE", "1e-9", "0.001 at least"),
        ("SMTP_RETRY_HOURS", "inf", "it should be"),
        ("SESSION_MINUTES", "99999999999999", "less than or equal to 525600"),
        ("RETENTION_DAYS", "99999999999", "less than or equal to 36500"),
        ("SPAMD_URL", "localhost:783", "is not spamd://host:port."),
        ("SPAMD_URL", "spamd://localhost:x", "is not spamd://host:port."),
        ("DKIM_KEYS", "example.com:june", "a key is DOMAIN:SELECTOR:FILE, such as"),
        ("DKIM_KEYS", "example.com::june.pem", "a key is DOMAIN:SELECTOR:FILE, such as"),
        ("DKIM_KEYS", "a.example:june:a.pem,b.example:june:b.pem", "all keys sign for one domain"),
        ("BOUNCE_ADDRESS", "bounces.example.com", "it is b+@DOMAIN or b-@DOMAIN"),
        ("BOUNCE_ADDRESS", "b@bounces.example.com", "it is b+@DOMAIN or b-@DOMAIN"),
        ("BOUNCE_ADDRESS", "b+@bounces", "'bounces' is no domain"),
        ("BOUNCE_LISTEN", "127.0.0.1:0", "SOAPSTONE_BOUNCE_ADDRESS is not set"),
        ("RELAY", "mailgun", "SOAPSTONE_RELAY_KEY is not set"),
        ("RELAY", "postmark", "SOAPSTONE_RELAY_KEY is not set"),
        ("RELAY_KEY", "geheim", "SOAPSTONE_RELAY is not set"),
        ("TIME_ZONE", "Mars/Base", "there is no time zone 'Mars/Base'"),
        ("TIME_ZONE", "../../etc/passwd", "there is no time zone"),
        ("TIME_ZONE", "", "there is no time zone ''"),
        ("PUBLIC_URL", "lists.example.com", "it is not a URL such as https://"),
        ("PUBLIC_URL", "https://", "it is not a URL such as https://"),
        ("PUBLIC_URL", "https://lists.example.com/?a=b", "it is not a URL such as https://"),
        ("PUBLIC_URL", "https://lists.example.com:port", "it is not a URL such as https://"),
        ("ALLOWED_ORIGINS", "{", "'{' is no origin such as https://"),
        ("ALLOWED_ORIGINS", "https://www.example.com,*", "'*' is no origin"),
        ("ALLOWED_ORIGINS", "https://www.example.com/page", "is no origin"),
        ("ALLOWED_ORIGINS", "[1", "a list is written with commas, or as JSON"),
        ("TRUSTED_PROXIES", "127.0.0.1, nginx", "'nginx' is no address and no network"),
        ("DATABASE_URL", "nonsense", "it cannot be read as a URL"),
        ("DATABASE_URL", "postgresql://u:geheim@host:port/name", "it cannot be read as a URL"),
        ("DATABASE_URL", "postgres://u:geheim@host/name", "it is not sqlite:///path or postgresql://"),
        ("DATABASE_URL", "mysql://u:geheim@host/name", "it is not sqlite:///path or postgresql://"),
        ("DATABASE_URL", "sqlite:////nowhere/records.sqlite", "there is no folder /nowhere."),
        ("DATA_DIR", "", "name a folder"),
        ("TLS_CERT", "cert.pem", "TLS needs both a certificate and its key"),
        ("LOCK_MINUTES", "ten", "it should be a valid integer"),
        ("DATABASE", "sqlite:///x", "SOAPSTONE_DATABASE is no setting: is it SOAPSTONE_DATABASE_URL?"),
        ("SMTP_PORT", "587", "SOAPSTONE_SMTP_PORT is no setting"),
        ("PORT", "9000", "SOAPSTONE_PORT is no setting"),
    ],
)
def test_a_fault_has_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    monkeypatch.setenv(f"SOAPSTONE_{variable}", value)
    for start in STARTS:
        (line,) = run(*start, code=1).output.splitlines()
        assert words in line
        assert "geheim" not in line
    assert not (tmp_path / "data").exists()


def test_all_faults_are_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (
        ("TIME_ZONE", "Mars/Base"),
        ("PUBLIC_URL", "lists.example.com"),
        ("SMTP_CONECTIONS", "2"),
        ("TRUSTED_PROXIES", "nginx"),
    ):
        monkeypatch.setenv(f"SOAPSTONE_{name}", value)
    lines = run("serve", code=1).output.splitlines()
    assert [line.split()[0].removeprefix("SOAPSTONE_") for line in lines] == [
        "SMTP_CONECTIONS",
        "PUBLIC_URL",
        "TRUSTED_PROXIES",
        "TIME_ZONE",
    ]
    for name in ("TIME_ZONE", "PUBLIC_URL", "SMTP_CONECTIONS", "TRUSTED_PROXIES"):
        monkeypatch.delenv(f"SOAPSTONE_{name}")
    # So are those that are seen in files and addresses alone.
    (tmp_path / "data").touch()
    (tmp_path / "pair.pem").write_text("no key")
    for name, value in (
        ("SMTP_URL", "mail.example.com"),
        ("SPAMD_URL", "mail.example.com"),
        ("TLS_CERT", str(tmp_path / "pair.pem")),
        ("TLS_KEY", str(tmp_path / "pair.pem")),
        ("DKIM_KEYS", f"example.com:june:{tmp_path / 'nowhere.pem'},example.com:july:{tmp_path / 'pair.pem'}"),
    ):
        monkeypatch.setenv(f"SOAPSTONE_{name}", value)
    for start in STARTS:
        output = run(*start, code=1).output
        assert len(output.splitlines()) == 6
        for words in (
            "it is no folder",
            "holds no certificate, or",
            "SOAPSTONE_SMTP_URL",
            "SOAPSTONE_SPAMD_URL",
            "nowhere.pem cannot be read",
            "pair.pem cannot be used: it is not a private key",
        ):
            assert words in output


@pytest.mark.parametrize(
    ("relay", "words"), [("sendgrid", "SendGrid's signed webhook"), ("ses", "the ARN of an SNS topic")]
)
def test_keys_that_no_call_of_the_relay_service_can_be_checked_with(
    monkeypatch: pytest.MonkeyPatch, relay: str, words: str
) -> None:
    monkeypatch.setenv("SOAPSTONE_RELAY", relay)
    for key in ("geheim", "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="):
        monkeypatch.setenv("SOAPSTONE_RELAY_KEY", key)
        for start in STARTS:
            (line,) = run(*start, code=1).output.splitlines()
            assert words in line
            assert key not in line


def test_keys_that_do_not_belong_to_their_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        command = ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=x", "-keyout"]
        command += [str(tmp_path / f"{name}.key"), "-out", str(tmp_path / f"{name}.pem")]
        subprocess.run(command, check=True, capture_output=True)
    monkeypatch.setenv("SOAPSTONE_TLS_CERT", str(tmp_path / "one.pem"))
    monkeypatch.setenv("SOAPSTONE_TLS_KEY", str(tmp_path / "two.key"))
    for start in STARTS:
        assert "is not that of the certificate" in run(*start, code=1).output
    monkeypatch.setenv("SOAPSTONE_TLS_KEY", str(tmp_path / "one.key"))
    assert run("settings", "--check").output == "All settings can be used.\n"


def test_lists_are_written_with_commas_or_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    for given in ("127.0.0.1,10.0.0.0/8", " 127.0.0.1 , 10.0.0.0/8, ", '["127.0.0.1", "10.0.0.0/8"]'):
        monkeypatch.setenv("SOAPSTONE_TRUSTED_PROXIES", given)
        assert read_settings().trusted_proxies == ["127.0.0.1", "10.0.0.0/8"]
    monkeypatch.setenv("SOAPSTONE_TRUSTED_PROXIES", "")
    assert read_settings().trusted_proxies == []


def test_origins_are_compared_as_browsers_write_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "SOAPSTONE_ALLOWED_ORIGINS", "https://WWW.example.com/, https://a.example:443, http://b.example:8080"
    )
    assert read_settings().allowed_origins == ["https://www.example.com", "https://a.example", "http://b.example:8080"]


def test_what_kubernetes_says_of_a_service_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """It sets these in all containers when a service is named soapstone or soapstone-web."""
    for begin in ("SOAPSTONE", "SOAPSTONE_WEB"):
        for name, value in (
            ("SERVICE_HOST", "10.0.0.1"),
            ("SERVICE_PORT", "8080"),
            ("SERVICE_PORT_HTTP", "8080"),
            ("PORT", "tcp://10.0.0.1:8080"),
            ("PORT_8080_TCP", "tcp://10.0.0.1:8080"),
            ("PORT_8080_TCP_PROTO", "tcp"),
            ("PORT_8080_TCP_PORT", "8080"),
            ("PORT_8080_TCP_ADDR", "10.0.0.1"),
        ):
            monkeypatch.setenv(f"{begin}_{name}", value)
    read_settings()
    monkeypatch.setenv("SOAPSTONE_DATADIR", "/data")
    with pytest.raises(UnusableSetting) as refusal:
        read_settings()
    assert str(refusal.value).startswith("SOAPSTONE_DATADIR is no setting: is it SOAPSTONE_DATA_DIR?")


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for url in ("postgresql://u:geheim@db.example/x", "postgresql://db.example/x?user=u&password=geheim"):
        monkeypatch.setenv("SOAPSTONE_DATABASE_URL", url)
        for smtp in ("smtp://u:geheim@mail.example.com", "u:geheim@mail.example.com", "smtp://u:geheim@[mail"):
            monkeypatch.setenv("SOAPSTONE_SMTP_URL", smtp)
            monkeypatch.setenv("SOAPSTONE_SECRET_KEY", "geheim")
            output = run("settings").output
            assert "geheim" not in output
            assert "db.example" in output


def test_settings_tell_which_come_from_flags(tmp_path: Path) -> None:
    rows = run("settings", "--data", str(tmp_path / "other")).output.splitlines()
    assert [" flag " in row for row in rows if "SOAPSTONE_DATA_DIR" in row] == [True]
    assert [" default " in row for row in rows if "SOAPSTONE_TIME_ZONE" in row] == [True]


def test_a_check_makes_nothing(tmp_path: Path) -> None:
    assert run("settings", "--check").output == "All settings can be used.\n"
    assert not (tmp_path / "data").exists()


def test_a_bucket_is_named_without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "geheim")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "who")
    for given in ("s3://acme", "s3://acme-lists/one/two", ""):
        monkeypatch.setenv("SOAPSTONE_BLOB_URL", given)
        run("settings", "--check")
        assert read_settings().blob_url == given
    assert "geheim" not in run("settings").output
    for given in ("acme", "https://acme", "s3://", "s3://key:geheim@acme", "s3://acme?secret=geheim", "s3:///acme"):
        monkeypatch.setenv("SOAPSTONE_BLOB_URL", given)
        refused = run("settings", "--check", code=1)
        assert "SOAPSTONE_BLOB_URL cannot be used: " in refused.stderr
        assert "geheim" not in refused.stderr


def test_a_bucket_needs_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command that opens the records says so in a line, not only the check."""
    run("db", "upgrade")
    monkeypatch.setenv("SOAPSTONE_BLOB_URL", "s3://acme")
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    line = "SOAPSTONE_BLOB_URL cannot be used: a bucket needs the extra s3: pip install 'soapstone[s3]'"
    assert line in run("settings", "--check", code=1).stderr
    records = Database(f"sqlite:///{tmp_path / 'data' / 'soapstone.sqlite'}")
    with pytest.raises(UnusableSetting, match="needs the extra s3"):
        Product(read_settings(), records)
    records.close()


def test_a_secret_can_stand_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text("geheim\n")
    monkeypatch.setenv("SOAPSTONE_SECRET_KEY_FILE", str(tmp_path / "key"))
    assert read_settings().secret_key == "geheim"
    (row,) = [row for row in run("settings").output.splitlines() if "SOAPSTONE_SECRET_KEY" in row]
    assert " file " in row
    assert "geheim" not in row
    # An empty name is none, as with other variables.
    monkeypatch.setenv("SOAPSTONE_SECRET_KEY_FILE", "")
    assert read_settings().secret_key == ""


def test_a_flag_goes_before_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "url").write_text("postgresql://u:geheim@db.example/x")
    monkeypatch.setenv("SOAPSTONE_DATABASE_URL_FILE", str(tmp_path / "url"))
    assert read_settings().database == "postgresql://u:geheim@db.example/x"
    assert read_settings(database_url="sqlite:///x").database == "sqlite:///x"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: No such file or directory."),
        (b"", "does not hold one line of text."),
        (b"\n", "does not hold one line of text."),
        (b"geheim\nmore", "does not hold one line of text."),
        (b"\xff\xfe", "is not text in UTF-8."),
        (b"a" * 70_000, "does not hold one line of text."),
    ],
)
def test_a_file_without_a_secret_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, words: str
) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("SOAPSTONE_METRICS_TOKEN_FILE", str(path))
    with pytest.raises(UnusableSetting) as refusal:
        read_settings()
    assert str(refusal.value) == f"SOAPSTONE_METRICS_TOKEN_FILE cannot be used: {path} {words}"


def test_a_secret_is_given_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text("geheim\n")
    monkeypatch.setenv("SOAPSTONE_SECRET_KEY", "other")
    monkeypatch.setenv("SOAPSTONE_SECRET_KEY_FILE", str(tmp_path / "key"))
    with pytest.raises(UnusableSetting, match="SOAPSTONE_SECRET_KEY is set too") as refusal:
        read_settings()
    assert "other" not in str(refusal.value)


def test_other_settings_have_no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOAPSTONE_TLS_KEY_FILE", "/etc/key.pem")
    with pytest.raises(UnusableSetting, match="SOAPSTONE_TLS_KEY_FILE is no setting: is it SOAPSTONE_TLS_KEY"):
        read_settings()


def test_the_first_login_needs_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOAPSTONE_ADMIN_LOGIN", "ann")
    for start in STARTS:
        assert "need each other" in run(*start, code=1).output
    monkeypatch.setenv("SOAPSTONE_ADMIN_PASSWORD", "long secret")
    assert "long secret" not in run("settings").output
    monkeypatch.setenv("SOAPSTONE_ADMIN_LOGIN", "acme/")
    assert "it is LOGIN or ACCOUNT/LOGIN" in run("settings", "--check", code=1).output


def test_a_first_password_that_no_login_could_have_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "password"
    file.write_text("x" * 1001)
    monkeypatch.setenv("SOAPSTONE_ADMIN_LOGIN", "acme")
    monkeypatch.setenv("SOAPSTONE_ADMIN_PASSWORD_FILE", str(file))
    result = CliRunner().invoke(app, ["serve", "--data", str(tmp_path / "data"), "--port", "0"])
    assert result.exit_code == 1
    assert "SOAPSTONE_ADMIN_PASSWORD cannot be used: a password has at most 1000 characters." in result.stderr
    assert not (tmp_path / "data").exists()


def test_settings_share_no_list() -> None:
    read_settings().trusted_proxies.append("192.0.2.7")
    assert read_settings().trusted_proxies == []
