"""How quick the pages are over many calls: `make bench-pages`."""
