from cobranza_sdk.testing import Rehearsal

pytest_plugins = ["cobranza_sdk.testing.fixtures"]


def test_who_leaves_a_channel_gets_nothing_more_by_it(rehearsal: Rehearsal) -> None:
    ana = rehearsal.portfolio.debtor("ana").owes("150.00", days_past_due=1)
    bruno = rehearsal.portfolio.debtor("bruno", phone=None).owes("80.00", days_past_due=-20)

    rehearsal.run()
    (first,) = rehearsal.messages_to(ana)
    first.deliver()
    first.reply("BAJA")
    rehearsal.later(days=6).run()

    assert [message.account for message in rehearsal.messages_to(ana)] == ["sms", "email"]
    assert rehearsal.messages_to(bruno) == []
