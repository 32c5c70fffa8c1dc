"""
Brings a database's schema up to date.
"""

from __future__ import annotations

from importlib.resources import as_file, files

from sqlalchemy import Engine, inspect

from cobranza_sdk.store._database import StoreError, writing

#: The newest revision in this package; a test holds it against the scripts.
HEAD = "0003"
VERSION_TABLE = "cobranza_version"


def migrate(engine: Engine) -> None:
    """
    Run the migrations that are missing, in one transaction.

    Raises:
        StoreError: The schema was made by a newer SDK, or a migration failed.
    """
    with writing(engine) as connection:
        revision = None
        if inspect(connection).has_table(VERSION_TABLE):
            revision = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar()  # noqa: S608  # constant
        if revision == HEAD:
            return
        if revision is not None and revision > HEAD:
            msg = f"the store's schema is {revision}, newer than {HEAD} of this SDK"
            raise StoreError(msg, hint="install the newer cobranza-sdk again")
        from alembic import command
        from alembic.config import Config

        with as_file(files("cobranza_sdk.store") / "migrations") as scripts:
            config = Config()
            config.set_main_option("script_location", str(scripts))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
