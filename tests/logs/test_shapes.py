from hypothesis import given, settings, strategies as st

from nodediag.logs.shapes import shape

LEFT = 'E0407 05:36:35.017891    1222 pod_workers.go:191] "Error syncing pod" pod="default/web-1" uid=1b4e28ba-2fa1'
RIGHT = 'E0408 11:00:00.000001   77 pod_workers.go:191] "Error syncing pod" pod="kube-system/dns-2" uid=9c4e28bb-2fa1'


def test_messages_that_differ_in_ids_alone_have_one_shape() -> None:
    left = f"{LEFT}-11d2-883f-0016d3cca427 code=12 at /var/lib/kubelet/pods/1"
    right = f"{RIGHT}-11d2-883f-0016d3cca427 code=7 at /var/lib/kubelet/pods/2"
    assert shape(left) == shape(right)


def test_the_words_of_a_structured_message_stay() -> None:
    assert "Error syncing pod" in shape(LEFT)
    assert "StopPodSandbox failed" in shape('time="2024-01-01T00:00:00Z" level=error msg="StopPodSandbox failed" id=1')


@settings(max_examples=80)
@given(st.text())
def test_any_text_has_a_short_shape(text: str) -> None:
    assert len(shape(text)) <= 240
