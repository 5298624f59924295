#!/usr/bin/python3
"""Stands before an RTSP server that sends over TCP, and gives it the faults that it is told to.

Usage: rtsp_proxy.py PORT SERVER_PORT. Each line of standard input is a mood:

    pass           all goes through
    mute           connections are taken, and nothing is ever answered
    options        OPTIONS is answered, and nothing after it
    frozen         the connections that there are stay, and nothing more comes over them
    redirect URL   DESCRIBE is answered with 302, to this URL
    drop           the connections that there are break; new ones are well
    refuse         connections are refused
"""

import re
import socket
import sys
import threading

ADDRESS = ("", int(sys.argv[1]))
SERVER = ("127.0.0.1", int(sys.argv[2]))

mood = ["pass"]
clients = set()


def is_for_server(request):
    """Whether a client's request goes on to the server."""
    if mood[0] == "options":
        return request.startswith(b"OPTIONS")
    return mood[0] != "mute" and not (mood[0] == "redirect" and request.startswith(b"DESCRIBE"))


def answer(client, server):
    """Passes on what a client says. (It says one thing at a time.)"""
    while request := client.recv(65536):
        if is_for_server(request):
            server.sendall(request)
        elif mood[0] == "redirect":
            number = re.search(rb"CSeq: *(\d+)", request)[1].decode()
            head = f"RTSP/1.0 302 Found\r\nCSeq: {number}\r\nLocation: {mood[1]}\r\n\r\n"
            client.sendall(head.encode())


def play(server, client):
    """Passes on what the server says."""
    while said := server.recv(65536):
        if mood[0] != "frozen":
            client.sendall(said)


def until_over(way, one, other):
    """Goes on until a connection is over, and ends both."""
    try:
        way(one, other)
    except OSError:
        pass
    for connection in (one, other):
        clients.discard(connection)
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def take(listener):
    """Takes connections until the listener is closed."""
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        clients.add(client)
        try:
            server = socket.create_connection(SERVER)
        except OSError:
            client.close()
            continue
        for way, one, other in [(answer, client, server), (play, server, client)]:
            threading.Thread(target=until_over, args=[way, one, other], daemon=True).start()


def listen():
    """Begins to take connections."""
    listener = socket.create_server(ADDRESS)
    threading.Thread(target=take, args=[listener], daemon=True).start()
    return listener


def drop():
    """Ends all connections."""
    for client in list(clients):
        client.shutdown(socket.SHUT_RDWR)


def obey():
    """Changes its mood with each line."""
    listener = listen()
    print("ready", flush=True)
    for line in sys.stdin:
        mood[:] = line.split()
        if mood[0] in ("drop", "refuse"):
            drop()
        if listener and mood[0] == "refuse":
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            listener = None
        elif not listener:
            listener = listen()
        print(*mood, flush=True)


obey()
