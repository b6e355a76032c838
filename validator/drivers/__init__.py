"""What one request of load is. One kind per file."""

from validator.drivers.base import DRIVERS, Connection, Driver, Sender
from validator.registry import import_plugins

__all__ = ["DRIVERS", "Connection", "Driver", "Sender"]

import_plugins(__name__, __path__)
