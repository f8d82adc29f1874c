"""Networks of the reconstruction chain, on plain torch."""
