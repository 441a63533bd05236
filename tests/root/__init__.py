"""Tests on real parts: runc, conmon, nftables, overlayfs; they need root."""
