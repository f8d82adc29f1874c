"""Tests of the border that accepts SPINE configurations."""
