"""What stands before the handlers of every server: address, token, connections, one sentence for every failure."""
