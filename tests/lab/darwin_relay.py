#!/usr/bin/python3
"""Does what relayconfig.xml tells Darwin Streaming Server to do, as far as that is UDP.

Usage: darwin_relay.py relayconfig.xml

Of each relay it takes the ports of its source, RTP and RTCP, and sends what comes on to the ports of
each of its destinations. Darwin itself is not in Debian.
"""

import selectors
import socket
import sys
import xml.etree.ElementTree


def pref(tag, name):
    """The value of a preference; none if it is not there."""
    found = tag.find(f"PREF[@NAME='{name}']")
    return found.text if found is not None else None


def ports(tag):
    """Its RTP ports."""
    return [int(value.text) for value in tag.findall("LIST-PREF[@NAME='udp_ports']/VALUE")]


def sender(destination):
    """A socket for sending to a destination."""
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.bind((pref(destination, "out_addr") or "", 0))
    out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, int(pref(destination, "ttl") or 1))
    return out, pref(destination, "dest_addr"), ports(destination)


def receiver(address, port):
    """A socket that takes a port."""
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((address, port))
    return udp


def run(file):
    """Relays until it is ended."""
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
