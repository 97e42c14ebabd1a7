"""The school's people as plain values, and the readers that turn uploaded files into them."""
