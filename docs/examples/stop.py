from cobranza_sdk import Cobranza

with Cobranza.from_config("cobranza.toml") as cobranza:
    cobranza.stop("the bank file is wrong", by="maria")
