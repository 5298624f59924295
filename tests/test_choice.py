"""The daemon chooses an edge for each viewer."""

from lab.encoder import addressed_to
from lab.network import address
from lab.web import fetch

DSS2, DSS3 = "rtsp://dss2.example.net", "rtsp://dss3.example.net"

# Nobody plays in these tests, and the relays must not close.
PATIENT = {"grace": "10m"}


def test_a_local_viewer_goes_to_the_origin_and_no_relay_starts(full_testbed):
    testbed = full_testbed()
    answer = fetch(testbed["neighbour"], "news.smil")
    assert (answer.status, answer.url) == (200, "rtsp://dss1.example.org/news.sdp")
    assert testbed.daemon.relays() == testbed.daemon.relays(closed=True) == []


def test_the_nearest_edge_wins_then_one_with_the_stream_then_the_least_busy(full_testbed):
    testbed = full_testbed(
        edges=["dss2", "dss3"], shutdown=PATIENT, serves={"dss3": ["203.0.113.128/25"]}
    )
    for edge in testbed.edges:
        other = addressed_to(testbed.encoder.sdp, address(edge), 7970, 7972)
        testbed.daemon.add_file(f"sport.{edge}.sdp", other)
    testbed.daemon.add_file("sport.sdp", testbed.encoder.sdp)
    testbed.daemon.ask("reload")

    assert fetch(testbed["guest"], "news.smil").url == f"{DSS3}/news.sdp", "dss3 serves the guest"
    assert fetch(testbed["viewer"], "news.smil").url == f"{DSS3}/news.sdp", "dss3 relays it"
    assert fetch(testbed["viewer"], "sport.smil").url == f"{DSS2}/sport.sdp", "dss2 is less busy"
    assert fetch(testbed["guest"], "sport.smil").url == f"{DSS3}/sport.sdp", "dss3 serves the guest"
    running = [f"{relay['stream']}/{relay['edge']}" for relay in testbed.daemon.relays()]
    assert sorted(running) == ["news/dss3", "sport/dss2", "sport/dss3"]


def test_a_viewer_goes_to_another_edge_when_the_rtsp_server_is_down(full_testbed):
    testbed = full_testbed(edges=["dss2", "dss3"], shutdown=PATIENT)
    testbed.edges["dss2"].program.stop()
    testbed.daemon.wait_until(
        lambda: fetch(testbed["viewer"], "news.smil").url == f"{DSS3}/news.sdp",
        "the viewer should be sent to dss3: dss2's RTSP server has ended",
    )


def test_a_viewer_goes_to_another_edge_when_the_host_is_down(full_testbed):
    testbed = full_testbed(edges=["dss2", "dss3"], shutdown=PATIENT)
    testbed["dss2"].power_off()

    def sent_to_dss3():
        answer = fetch(testbed["viewer"], "news.smil")
        return answer.status == 200 and answer.url == f"{DSS3}/news.sdp"

    testbed.daemon.wait_until(sent_to_dss3, "the viewer should be sent to dss3: dss2 is down")
