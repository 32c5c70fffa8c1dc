"""
How far each source was told of results.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """
    Add the position in the ledger beside the cursor.
    """
    op.add_column("sync_state", sa.Column("told_seq", sa.BigInteger(), nullable=True))
