"""The same job on stream_app and on its peers: see docs/performance.md, "Peers"."""
