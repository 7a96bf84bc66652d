"""Work that has been accepted and must be done: each piece is a row until it is."""
