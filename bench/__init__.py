"""Load and latency benchmarks of the media worker; `make bench`, docs/benchmark.md."""
