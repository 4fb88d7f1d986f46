import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from nodediag.render.exposition import END
from nodediag.watch.status import Status


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (Status(allowed_s=70), ""),
        (Status(allowed_s=70, started=950.0), ""),
        (Status(allowed_s=70, started=900.0), "has run for 100 s, 70 s were allowed"),
        (Status(allowed_s=70, started=900.0, is_killed=True), "does not end though it was killed"),
        (Status(allowed_s=70, overdue="the last one hung"), "the last one hung"),
        (Status(allowed_s=70, failed=2), ""),
        (Status(allowed_s=70, failed=3), "the last 3 diagnoses failed"),
    ],
)
def test_health_is_told_as_it_is(status: Status, said: str) -> None:
    sick = status.sick(1000.0)
    assert said in sick
    assert bool(sick) is bool(said)


def test_it_is_ready_when_a_diagnosis_was_done() -> None:
    status = Status(allowed_s=1)
    assert status.unready()
    status.failed = 1
    status.overdue = "x"
    status.done_in(0.5)
    assert (status.unready(), status.sick(0), status.failed) == ("", "", 0)


def test_its_metrics_are_openmetrics() -> None:
    status = Status(allowed_s=1, started=5.0, unsaved="full", entries=7, changes={"began": 2})
    status.done_in(0.25)
    status.count("timed_out")
    families = {family.name: family for family in text_string_to_metric_families(status.metrics(6.5) + END)}
    results = {sample.labels["result"]: sample.value for sample in families["nodediag_watch_diagnoses"].samples}
    assert results == {"done": 1, "timed_out": 1}
    assert families["nodediag_watch_running_seconds"].samples[0].value == 1.5
    assert families["nodediag_watch_state_saved"].samples[0].value == 0
    assert families["nodediag_watch_journal_entries"].samples[0].value == 7
