"""Runs the migrations on the connection that `soapstone.store.schema` hands over."""

from alembic import context

from soapstone.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True, transactional_ddl=False)
context.run_migrations()
