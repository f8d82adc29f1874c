"""Tests of the Driver."""
