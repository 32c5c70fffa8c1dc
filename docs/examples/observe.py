import logging
import sys
from datetime import datetime

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

from cobranza_sdk import Cobranza


def told(span: ReadableSpan) -> str:
    return f"span: {span.name}, {span.status.status_code.name}, {dict(span.attributes or {})}\n"


lines = logging.getLogger("cobranza")  # ours alone: other libraries log addresses and URLs
lines.setLevel(logging.INFO)
lines.addHandler(logging.StreamHandler(sys.stdout))

spans = TracerProvider()
spans.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=sys.stdout, formatter=told)))
trace.set_tracer_provider(spans)

at = datetime.fromisoformat("2026-08-05T10:00:00-05:00")
with Cobranza.from_config("cobranza.toml", at=at) as cobranza:
    cobranza.sync()
    cobranza.plan()
    cobranza.dispatch()
