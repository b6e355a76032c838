"""What one request of load is. One kind per file."""

from validator.drivers.base import DRIVERS, Connection, Driver, Remarking, Sender
from validator.registry import import_plugins

__all__ = ["DRIVERS", "Connection", "Driver", "Remarking", "Sender"]

import_plugins(__name__, __path__)
