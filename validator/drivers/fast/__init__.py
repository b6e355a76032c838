"""The fast way of requests: connections, HTTP and events of our own."""
