"""
Alembic's entry: the connection is handed in, the transaction is the caller's.
"""

from __future__ import annotations

from alembic import context

from cobranza_sdk.store._migrate import VERSION_TABLE
from cobranza_sdk.store._schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=False,
)
context.run_migrations()
