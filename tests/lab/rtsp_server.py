#!/usr/bin/python3
"""An RTSP server that serves each SDP file of a folder, as Darwin Streaming Server does.

It opens the ports of an SDP file for the first viewer, and closes them after the last.

Usage: rtsp_server.py FOLDER PORT [--tcp-only] [--login basic|digest] [--address ADDRESS]
    [--timeout SECONDS]
"""

import argparse
from pathlib import Path

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
gi.require_version("GstSdp", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer, GstSdp  # noqa: E402

# The elements that unpack a format and pack it again.
_PACKING = {
    "GSM": ("rtpgsmdepay", "rtpgsmpay"),
    "H264": ("rtph264depay", "rtph264pay config-interval=-1"),
    "JPEG": ("rtpjpegdepay", "rtpjpegpay"),
    "MP4V-ES": ("rtpmp4vdepay ! mpeg4videoparse", "rtpmp4vpay config-interval=1"),
    "MPA": ("rtpmpadepay", "rtpmpapay"),
    "MPEG4-GENERIC": ("rtpmp4gdepay ! aacparse", "rtpmp4gpay"),
    "PCMU": ("rtppcmudepay", "rtppcmupay"),
}

# Packets of these formats pass unchanged: GStreamer cannot pack DVI4, nor H.261 as ffmpeg does.
_UNCHANGED = {"DVI4", "H261"}

# Payload types of RFC 3551 that need no rtpmap.
_STATIC = {0: "PCMU", 3: "GSM", 5: "DVI4", 14: "MPA", 26: "JPEG", 31: "H261"}


def pipeline(sdp):
    """The elements that receive the RTP and RTCP of an SDP file and pack it again."""
    _, message = GstSdp.SDPMessage.new()
    GstSdp.sdp_message_parse_buffer(sdp.encode(), message)
    parts = []
    for index in range(message.medias_len()):
        media = message.get_media(index)
        payload_type = int(media.get_format(0))
        caps = media.get_caps_from_media(payload_type)
        encoding = caps.get_structure(0).get_string("encoding-name") or _STATIC[payload_type]
        caps = caps.to_string().replace("application/x-unknown", "application/x-rtp")
        port = media.get_port()
        parts.append(f"udpsrc port={port} caps=\"{caps}, encoding-name={encoding}\"")
        if encoding in _UNCHANGED:
            parts.append(f"! identity name=pay{index}")
        else:
            unpack, pack = _PACKING[encoding]
            parts.append(f"! {unpack} ! {pack} name=pay{index} pt={payload_type}")
        parts.append(f"udpsrc port={port + 1} ! fakesink sync=false async=false")
    return "( " + " ".join(parts) + " )"


def say(*words):
    """Prints a line at once."""
    print(*words, flush=True)


def configured(_factory, media):
    """Prints a line when the ports open or close, and keeps them open for at least a second.

    mplayer asks, hangs up and asks again at once. A server that is closing its ports would answer
    503 to that.
    """
    media.connect("prepared", opened)
    media.connect("unprepared", lambda _: say("closed"))


def opened(media):
    """Counts as one more viewer for a second."""
    say("open")
    media.prepare(None)
    GLib.timeout_add_seconds(1, lambda: media.unprepare() and False)


def listen_to(_server, client, timeout):
    """Prints a line when a client ends its session. A session without a sign of life ends after
    `timeout` seconds."""
    client.connect("teardown-request", lambda *_: say("teardown"))
    if timeout:
        client.connect("new-session", lambda _, session: session.set_timeout(timeout))


def lock(server, method):
    """Lets only the user `viewer` in, with the password."""
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth = GstRtspServer.RTSPAuth.new()
    if method == "digest":
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest("viewer", "open sesame", token)
    else:
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic("viewer", "open sesame"), token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    for permission in ["media.factory.access", "media.factory.construct"]:
        permissions.add_permission_for_role("viewer", permission, True)
    return permissions


def serve(options):
    """Serves until a signal ends it."""
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_service(options.port)
    server.set_address(options.address)
    server.connect("client-connected", listen_to, options.timeout)
    permissions = lock(server, options.login) if options.login else None
    for file in sorted(Path(options.folder).glob("*.sdp")):
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(pipeline(file.read_text()))
        factory.set_shared(True)
        if options.tcp_only:
            factory.set_protocols(GstRtsp.RTSPLowerTrans.TCP)
        if permissions:
            factory.set_permissions(permissions)
        factory.connect("media-configure", configured)
        server.get_mount_points().add_factory(f"/{file.name}", factory)
        say("serves", file.name)
    server.attach(None)
    server.get_session_pool().connect(
        "session-removed", lambda pool, _: say("viewers:", pool.get_n_sessions())
    )
    # Some viewers vanish without TEARDOWN.
    GLib.timeout_add_seconds(1, lambda: server.get_session_pool().cleanup() or True)
    say("ready")
    GLib.MainLoop().run()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder")
    arguments.add_argument("port")
    arguments.add_argument("--tcp-only", action="store_true")
    arguments.add_argument("--login", choices=["basic", "digest"])
    arguments.add_argument("--address", default="0.0.0.0")
    arguments.add_argument("--timeout", type=int)
    serve(arguments.parse_args())
