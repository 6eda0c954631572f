"""Imports a CSV file of `people` by django-import-export into a fresh SQLite file; prints the seconds.

    python bench/peers/django_import.py people.csv fresh.sqlite usual|bulk

`usual` is a resource as "Getting started" of its documentation makes it, with the address as the import id. `bulk` adds
what its "Performance tuning" recommends for large files: `use_bulk` with batches of 1,000, which is the default,
`skip_diff`, which leaves out the report in HTML as well, and the instance loader that looks all rows up at once.

The address has a unique index. One table stands for contact and membership: relations cannot be stored in bulk. The
pragmas of the connection are those of our own server. The clock runs from the reading of the file to the end of
`import_data`, which is one transaction; no dry run goes before it.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import django
from django.conf import settings

FILE, DATABASE, MODE = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]

settings.configure(
    INSTALLED_APPS=["import_export"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(DATABASE),
            "OPTIONS": {"init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"},
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
)
django.setup()

from django.db import connection, models  # noqa: E402 - Django wants its settings first
from import_export import instance_loaders, resources  # noqa: E402
from tablib import Dataset  # noqa: E402


class Contact(models.Model):
    email = models.EmailField(max_length=254, unique=True)
    first_name = models.TextField(blank=True)
    last_name = models.TextField(blank=True)
    phone = models.TextField(blank=True)
    address = models.TextField(blank=True)
    address2 = models.TextField(blank=True)
    city = models.TextField(blank=True)
    state = models.TextField(blank=True)
    zip = models.TextField(blank=True)
    company = models.TextField(blank=True)
    custom1 = models.TextField(blank=True)
    custom2 = models.TextField(blank=True)

    class Meta:
        # A model must belong to an app; that of a project of one script.
        app_label = "import_export"


class Usual(resources.ModelResource):
    class Meta:
        model = Contact
        import_id_fields = ("email",)
        fields = tuple(field.name for field in Contact._meta.fields if field.name != "id")


class Bulk(Usual):
    class Meta(Usual.Meta):
        use_bulk = True
        skip_diff = True
        instance_loader_class = instance_loaders.CachedInstanceLoader


def main() -> None:
    with connection.schema_editor() as editor:
        editor.create_model(Contact)
    began = time.perf_counter()
    with FILE.open(encoding="utf-8", newline="") as file:
        rows = Dataset().load(file, format="csv")
    rows.headers = [name.lower() for name in rows.headers]
    resource = {"usual": Usual, "bulk": Bulk}[MODE]()
    result = resource.import_data(rows, dry_run=False, raise_errors=True)
    seconds = time.perf_counter() - began
    stored = Contact.objects.count()
    if result.has_errors() or stored != len(rows):
        raise SystemExit(f"{stored} of {len(rows)} rows were stored")
    print(seconds)


if __name__ == "__main__":
    main()
