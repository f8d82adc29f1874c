"""Campaigns: where results come from, how to make them again, what a run will do and why."""

from __future__ import annotations
