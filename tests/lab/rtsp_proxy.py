#!/usr/bin/python3
"""A proxy before an RTSP server that sends over TCP. It fails on command.

Usage: rtsp_proxy.py PORT SERVER_PORT. Each line of standard input sets a fault:

    pass           no fault
    mute           accepts connections and answers nothing
    options        answers OPTIONS and nothing after it
    frozen         keeps the open connections, and sends nothing more on them
    redirect URL   answers DESCRIBE with 302 to this URL
    drop           closes the open connections; new ones have no fault
    refuse         refuses connections
"""

import re
import socket
import sys
import threading

ADDRESS = ("", int(sys.argv[1]))
SERVER = ("127.0.0.1", int(sys.argv[2]))

fault = ["pass"]
clients = set()


def reaches_server(request):
    """Whether a client's request goes on to the server."""
    if fault[0] == "options":
        return request.startswith(b"OPTIONS")
    return fault[0] != "mute" and not (fault[0] == "redirect" and request.startswith(b"DESCRIBE"))


def pass_requests(client, server):
    """Passes a client's requests on. (A client sends one at a time.)"""
    while request := client.recv(65536):
        if reaches_server(request):
            server.sendall(request)
        elif fault[0] == "redirect":
            number = re.search(rb"CSeq: *(\d+)", request)[1].decode()
            head = f"RTSP/1.0 302 Found\r\nCSeq: {number}\r\nLocation: {fault[1]}\r\n\r\n"
            client.sendall(head.encode())


def pass_answers(server, client):
    """Passes the server's answers on."""
    while said := server.recv(65536):
        if fault[0] != "frozen":
            client.sendall(said)


def until_over(way, one, other):
    """Copies until one connection ends, and ends both."""
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


def accept(listener):
    """Accepts connections until the listener is closed."""
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
        for way, one, other in [(pass_requests, client, server), (pass_answers, server, client)]:
            threading.Thread(target=until_over, args=[way, one, other], daemon=True).start()


def listen():
    """Begins to accept connections."""
    listener = socket.create_server(ADDRESS)
    threading.Thread(target=accept, args=[listener], daemon=True).start()
    return listener


def drop():
    """Ends all connections."""
    for client in list(clients):
        client.shutdown(socket.SHUT_RDWR)


def main():
    """Sets the fault of each line."""
    listener = listen()
    print("ready", flush=True)
    for line in sys.stdin:
        fault[:] = line.split()
        if fault[0] in ("drop", "refuse"):
            drop()
        if listener and fault[0] == "refuse":
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            listener = None
        elif not listener:
            listener = listen()
        print(*fault, flush=True)


main()
