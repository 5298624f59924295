#!/usr/bin/python3
"""Relays UDP as Darwin Streaming Server does by a relayconfig.xml.

Usage: darwin_relay.py relayconfig.xml

For each relay it binds the RTP and RTCP ports of the source and sends each packet to the ports of every
destination. Darwin itself is not in Debian.
"""

import selectors
import socket
import sys
import xml.etree.ElementTree


def pref(tag, name):
    """The value of a preference, or none."""
    found = tag.find(f"PREF[@NAME='{name}']")
    return found.text if found is not None else None


def ports(tag):
    """The RTP ports of a source or destination."""
    return [int(value.text) for value in tag.findall("LIST-PREF[@NAME='udp_ports']/VALUE")]


def sender(destination):
    """A socket that sends to a destination."""
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.bind((pref(destination, "out_addr") or "", 0))
    out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, int(pref(destination, "ttl") or 1))
    return out, pref(destination, "dest_addr"), ports(destination)


def receiver(address, port):
    """A socket bound to a port."""
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((address, port))
    return udp


def run(file):
    """Relays until a signal ends it."""
    ready = selectors.DefaultSelector()
    for relay in xml.etree.ElementTree.parse(file).findall("OBJECT[@TYPE='relay']"):
        source = relay.find("OBJECT[@CLASS='source'][@TYPE='udp_source']")
        found = relay.findall("OBJECT[@CLASS='destination'][@TYPE='udp_destination']")
        destinations = [sender(one) for one in found]
        for place, port in enumerate(ports(source)):
            for step in (0, 1):
                udp = receiver(pref(source, "in_addr"), port + step)
                to = [(out, (address, all[place] + step)) for out, address, all in destinations]
                ready.register(udp, selectors.EVENT_READ, to)
    print("ready", flush=True)
    while True:
        for key, _ in ready.select():
            datagram = key.fileobj.recv(65536)
            for out, target in key.data:
                out.sendto(datagram, target)


if __name__ == "__main__":
    run(sys.argv[1])
