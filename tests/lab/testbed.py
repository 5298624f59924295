"""What every testbed is: a network with programs on its hosts."""

from .network import Network


class Testbed:
    """A network on which `build` starts programs. If that fails, nothing of it stays."""

    def __init__(self, **options):
        self.network = Network()
        try:
            self.build(**options)
        except BaseException:
            self.end()
            raise

    def __getitem__(self, name):
        """A host."""
        return self.network[name]

    def programs(self):
        """Every program that was started."""
        return [program for host in self.network.hosts.values() for program in host.programs]

    def end(self):
        """Ends everything."""
        self.network.power_off()
