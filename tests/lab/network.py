"""The hosts and the cables between them. tests/README.md draws them."""

from .host import Host, link

# host: (its address, the router's address on that cable)
_CABLES = {
    "origin": ("192.0.2.1/25", "192.0.2.126"),
    "neighbour": ("192.0.2.130/25", "192.0.2.254"),
    "dss2": ("198.51.100.7/25", "198.51.100.126"),
    "dss3": ("198.51.100.135/25", "198.51.100.254"),
    "viewer": ("203.0.113.9/25", "203.0.113.126"),
    "guest": ("203.0.113.200/25", "203.0.113.254"),
}

# The names of the hosts.
_NAMES = {
    "origin": "dss1.example.org www.example.org",
    "dss2": "dss2.example.net",
    "dss3": "dss3.example.net",
}


class Network:
    """The encoder is on the origin's studio cable; a router joins all other hosts."""

    def __init__(self):
        self.hosts = {}
        self.router = self._host("router")
        for name, (address, gateway) in _CABLES.items():
            self._attach(self._host(name), address, gateway)
        self._host("encoder")
        self.join_studio()
        self.router.run(["sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"])

    def __getitem__(self, name):
        return self.hosts[name]

    def _host(self, name):
        self.hosts[name] = Host(name)
        names = [f"{address(name)} {known}" for name, known in _NAMES.items()]
        self.hosts[name].replace("/etc/hosts", "\n".join(["127.0.0.1 localhost", *names, ""]))
        # There is no DNS server, and a time-out takes seconds.
        self.hosts[name].replace("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n")
        return self.hosts[name]

    def _attach(self, host, address, gateway):
        link(host, "eth0", self.router, host.name)
        prefix = address.split("/")[1]
        _configure(self.router, host.name, f"{gateway}/{prefix}")
        _configure(host, "eth0", address)
        host.run(["ip", "route", "add", "default", "via", gateway])
        # Let an RTSP server without root have port 554.
        host.run(["sh", "-c", "echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start"])

    def join_studio(self):
        """Connects encoder and origin by a cable with new interfaces."""
        encoder, origin = self.hosts["encoder"], self.hosts["origin"]
        link(encoder, "eth0", origin, "studio")
        _configure(encoder, "eth0", "10.9.0.2/24")
        _configure(origin, "studio", "10.9.0.1/24")
        encoder.run(["ip", "route", "add", "239.0.0.0/8", "dev", "eth0"])

    def power_off(self):
        """Ends every host."""
        for host in self.hosts.values():
            host.power_off()


def address(name):
    """A host's IP address."""
    return _CABLES[name][0].split("/")[0]


def _configure(host, interface, cidr):
    host.run(["ip", "address", "add", cidr, "dev", interface])
    host.run(["ip", "link", "set", interface, "up"])
