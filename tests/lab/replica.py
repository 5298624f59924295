"""A replica: the daemon copies the stream of a unicast encoder to a multicast group."""

# The encoder sends to the origin, over the studio's cable.
ORIGIN = "10.9.0.1"
GROUP, COPY = "239.255.1.2", 7004

# What NAME.toml says for it, one media.
REPLICA = f"""
[replica]
group = "{GROUP}"
ports = [{COPY}]
interface = "studio"
"""
# The same for a stream with video and audio.
TWO_MEDIA = REPLICA.replace(f"[{COPY}]", f"[{COPY}, {COPY + 2}]")


def replica(testbed, stream="s01", place=0):
    """What `show` says about a stream's replica."""
    return testbed.daemon.ask("show", stream)["origin"]["replicas"][place]


def wait_for_replica(testbed, state, stream="s01", place=0):
    """Waits until a replica is in this state; returns it."""
    testbed.daemon.wait_until(
        lambda: replica(testbed, stream, place)["state"] == state, f"the replica should be {state}"
    )
    return replica(testbed, stream, place)
