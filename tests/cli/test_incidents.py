from __future__ import annotations

from tests.views.found import ACK, INCIDENT
from usage_watch.cli.common.incidents import incident_json
from usage_watch.views.orders import Word


def test_what_people_said_is_data_where_it_is_known() -> None:
    assert not {"ack", "silence"} & incident_json(INCIDENT).keys()
    assert incident_json(INCIDENT, Word())["ack"] is None
    assert incident_json(INCIDENT, Word(ACK, known=True))["ack"] == {
        "at": ACK.at,
        "author": "ana",
        "note": "on it",
        "stands": True,
    }
