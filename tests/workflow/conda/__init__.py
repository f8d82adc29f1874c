"""Conda environments without a network.

Real: Snakemake's own conda code, and the solver, installer, package and channel formats (rattler's), pip and its
resolver, the environments. Stand-ins: the command line of conda (`frontend`), the channel (`channel`: its python is a
virtual environment of the interpreter at hand) and the wheels (`wheels`: each lets in one distribution that is
installed beside that interpreter).
"""
