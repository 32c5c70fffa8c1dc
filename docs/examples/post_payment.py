from datetime import datetime
from typing import Any

from sqlalchemy import create_engine, text

from cobranza_sdk import Cobranza, Money, Payment

engine = create_engine("sqlite:///collections.db")
settings: dict[str, Any] = {"creditor": {"name": "Tienda Andina", "country": "PE"}}

payment = Payment(
    external_id="P-1",
    debtor_id="D-17",
    amount=Money.of("350.00", "PEN"),
    paid_at=datetime.fromisoformat("2026-08-05T12:00:00-05:00"),
    receivable_id="F001-1001",
)

with Cobranza(settings, engine=engine) as cobranza:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS my_orders (id TEXT PRIMARY KEY, paid INTEGER)"))
        connection.execute(text("INSERT INTO my_orders VALUES ('F001-1001', 1)"))
        cobranza.portfolio.put(payment, connection=connection)
    print([event.payload for event in cobranza.events(kinds=["payment.posted"])])
