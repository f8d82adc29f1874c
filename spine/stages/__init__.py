"""Stages of the chain: each turns files into files."""

from __future__ import annotations
